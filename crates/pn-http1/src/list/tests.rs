//! Lists as they are read, changed and written.

use super::*;
use crate::text::{RequestTarget, Value};
use crate::write::HeadWriter;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, COOKIE, HeaderValue};

fn of(head: &str) -> FieldList {
    let mut list = FieldList::new();
    let input = format!("GET / HTTP/1.1\r\n{head}\r\nbody");
    assert!(list.read_request(input.as_bytes(), &Limits::default()).unwrap().is_some());
    list
}

fn written(list: &FieldList, skip: KnownSet) -> String {
    let mut out = Vec::new();
    let mut head = HeadWriter::request(&mut out, &Method::GET, RequestTarget::new(b"/").unwrap());
    head.lines(list, skip);
    String::from_utf8(out).unwrap().split_once("\r\n").unwrap().1.to_owned()
}

#[test]
fn what_is_written_is_what_was_read_in_one_form() {
    for (head, skip, expected) in [
        ("Host: a\r\nX-A:1\r\nX_B:  2 \r\n", &[][..], "host: a\r\nx-a: 1\r\nx_b: 2\r\n"),
        ("Host: a\r\nX-A: 1\r\nX-C: 3\r\n", &[Known::Host], "x-a: 1\r\nx-c: 3\r\n"),
        ("X-A: 1\r\nHost: a\r\nX-C: 3\r\n", &[Known::Host], "x-a: 1\r\nx-c: 3\r\n"),
        (
            "Host: a\r\nEmpty:\r\nEmpty-Too: \r\nX-C: 3\r\n",
            &[Known::Host],
            "empty: \r\nempty-too: \r\nx-c: 3\r\n",
        ),
        ("Host: a\r\n", &[Known::Host], ""),
    ] {
        assert_eq!(written(&of(head), KnownSet::of(skip)), expected, "{head:?}");
    }
}

#[test]
fn fields_are_changed_in_their_order() {
    let mut list = of("Host: a\r\nAccept: 1\r\nCookie: b\r\nACCEPT: 2\r\n");
    assert!(list.is_repeated(Known::Other) && list.get(&ACCEPT).unwrap() == "1");
    assert_eq!(
        list.named("accept").rev().map(|value| value.to_str().unwrap()).collect::<Vec<_>>(),
        ["2", "1"]
    );
    let mut secret = HeaderValue::from_static("s");
    secret.set_sensitive(true);
    list.append(&AUTHORIZATION, &secret);
    list.insert(&ACCEPT, Value::from_static("3"));
    list.remove(&COOKIE);
    assert_eq!(written(&list, KnownSet::NONE), "host: a\r\nauthorization: s\r\naccept: 3\r\n");
    assert!(!list.contains(Known::Cookie) && list.contains(Known::Authorization));
    let map = list.to_map();
    assert!(map[AUTHORIZATION].is_sensitive() && map.len() == 3);
    let mut again = FieldList::from(map);
    again.append_all(&list);
    assert_eq!((again.len(), again.is_repeated(Known::Host)), (6, true));
    again.remove_any(KnownSet::of(&[Known::Host, Known::Authorization]));
    assert_eq!(written(&again, KnownSet::NONE), "accept: 3\r\naccept: 3\r\n");
    again.clear();
    assert!(again.is_empty() && again.text().is_empty());
}

#[test]
fn what_belongs_to_the_connection_goes_and_the_rest_stays() {
    let mut list = of("Connection: keep-alive, X-Secret\r\nConnection: host, content-length,,\r\n\
        Keep-Alive: timeout=5\r\nX-Secret: 1\r\nTE: gzip\r\nUpgrade: h2c\r\nHost: a\r\nContent-Length: 3\r\n\
        Trailer: x-sum\r\nProxy-Authorization: Basic x\r\n");
    list.drop_hop_by_hop(list.options().unwrap(), KnownSet::of(&[Known::Trailer]));
    assert_eq!(written(&list, KnownSet::NONE), "host: a\r\ncontent-length: 3\r\n");
    list.append(
        &CONNECTION,
        Value::from_static("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6,7"),
    );
    assert_eq!(list.options(), Err(Refusal::ConnectionOptions));
}

#[track_caller]
fn check_response(head: &str, expected: &str) {
    let mut list = FieldList::new();
    let read = list.read_response(head.as_bytes(), &Limits::default(), &Method::GET);
    assert!(read.unwrap().is_some());
    assert_eq!(written(&list, KnownSet::NONE), expected, "{head:?}");
}

#[test]
fn of_a_response_its_own_fields_are_left() {
    check_response(
        "HTTP/1.1 200 OK\nContent-Length: 3, 3\nContent-Length: 3\nServer: a\n\n",
        "server: a\r\ncontent-length: 3\r\n",
    );
    check_response("HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nX-A: 1\r\nVia: b\r\n\r\n", "via: b\r\n");
    check_response(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "upgrade: websocket\r\n",
    );
    check_response("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", "link: a\r\n");
}

#[test]
fn white_space_around_values_is_told() {
    for (value, expected) in
        [("", false), ("a", false), ("a b", false), (" a", true), ("a\t", true), (" ", true), ("\t", true)]
    {
        assert_eq!(is_padded(value.as_bytes()), expected, "{value:?}");
        let mut list = FieldList::new();
        list.append(&ACCEPT, &HeaderValue::from_static("x"));
        list.append(&COOKIE, &HeaderValue::from_static(value));
        assert_eq!(list.has_padding(), expected, "{value:?}");
    }
    assert!(!of("Host: a\r\nX-A: \t1 \r\n").has_padding());
}

#[test]
fn a_field_that_was_made_before_is_as_one_that_is_added() {
    for (name, sensitive) in [("x-a", false), ("cookie", true), ("x-forwarded-prefix", false)] {
        let name = HeaderName::from_static(name);
        let mut value = HeaderValue::from_static("v");
        value.set_sensitive(sensitive);
        let line = FieldLine::new(&name, &value);
        let lists = [of("Host: a\r\nX-A: 1\r\nX-A: 2\r\nCookie: c\r\n"), of("Host: a\r\n"), FieldList::new()];
        for list in lists {
            let (mut one, mut other) = (list.clone(), list);
            one.append_line(&line);
            other.append(&name, &value);
            assert_eq!(one.fields().collect::<Vec<_>>(), other.fields().collect::<Vec<_>>());
            one.insert_line(&line);
            other.insert(&name, &value);
            assert_eq!(one.fields().collect::<Vec<_>>(), other.fields().collect::<Vec<_>>());
            assert_eq!((one.text(), one.len()), (other.text(), other.len()));
        }
    }
}
