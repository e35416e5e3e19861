//! Who the client is, and how upstreams are told: X-Forwarded-*, X-Real-Ip, Forwarded (RFC 7239), Via (RFC 9110).
//! Only a trusted peer is believed; what anybody else claims is dropped before ours is written.
//!
//! Of a trusted peer X-Forwarded-For goes before Forwarded: most proxies write the former and pass on the latter as they
//! got it. A Forwarded that is malformed, or says otherwise than X-Forwarded-For, is dropped.

use super::rfc7239::{self, Element, MAX_HOPS};
use http::Version;
use http::header::{FORWARDED, HeaderName, HeaderValue, VIA};
use ipnet::IpNet;
use pn_core::context::{FieldList, FieldValue, Known, KnownSet, Scheme};
use std::cell::RefCell;
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The client as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) ip: IpAddr,
    pub(crate) scheme: Scheme,
    /// Whether the peer is a trusted proxy.
    pub(crate) trusted: bool,
}

/// What is dropped of what this peer claims: all, or what no honest proxy sends.
pub(crate) fn unbelieved(peer: IpAddr, trusted: &[IpNet]) -> KnownSet {
    let is_trusted = trusted.iter().any(|net| net.contains(&peer));
    if is_trusted { KnownSet::of(&[Known::ClaimAlias]) } else { KnownSet::CLAIMS }
}

/// Works out the client. What is [`unbelieved`] has been dropped.
pub(crate) fn client(headers: &mut FieldList, peer: IpAddr, tls: bool, trusted: &[IpNet]) -> Client {
    let direct = if tls { Scheme::Https } else { Scheme::Http };
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    if !is_trusted(peer) {
        return Client { ip: peer, scheme: direct, trusted: false };
    }
    if headers.contains(Known::Forwarded) {
        reconcile(headers, peer, &is_trusted);
    }
    let proto = headers.get(&PROTO).and_then(FieldValue::to_str).and_then(rfc7239::scheme);
    Client { ip: from_list(headers, peer, is_trusted), scheme: proto.unwrap_or(direct), trusted: true }
}

/// Brings `Forwarded` and X-Forwarded-* to say the same: what only the former says is written into the latter, and a
/// `Forwarded` that cannot be believed is dropped.
fn reconcile(headers: &mut FieldList, peer: IpAddr, is_trusted: &impl Fn(IpAddr) -> bool) {
    let said = rfc7239::read(headers).map(|elements| {
        let Element { client, scheme, host } = believed(&elements, is_trusted);
        (client.unwrap_or(peer), scheme, host.and_then(rfc7239::host_value))
    });
    let Some((ip, scheme, host)) = said else {
        headers.remove(&FORWARDED);
        return;
    };
    if headers.contains(Known::XForwardedFor) {
        if from_list(headers, peer, is_trusted) != ip {
            headers.remove(&FORWARDED);
        }
        return;
    }
    if ip != peer {
        headers.insert(&FOR, &text(&ip.to_string()));
    }
    let proto = scheme.map(|scheme| HeaderValue::from_static(scheme.as_str()));
    for (name, value) in [(PROTO, proto), (HOST, host)] {
        if let Some(value) = value
            && headers.get(&name).is_none()
        {
            headers.append(&name, &value);
        }
    }
}

/// What the furthest of the trusted proxies says, and where it says nothing, the next. The elements stand in the order
/// of the proxies, so that the last one is the peer's.
fn believed<'a>(elements: &[Element<'a>], is_trusted: &impl Fn(IpAddr) -> bool) -> Element<'a> {
    let mut known = Element::default();
    for element in elements.iter().rev() {
        known.scheme = element.scheme.or(known.scheme);
        known.host = element.host.or(known.host);
        // Who hides its client ends the search: nothing further left can be believed.
        let Some(ip) = element.client else { break };
        known.client = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    known
}

/// The first address from the right that no trusted proxy has. A word that is no address ends the search: nothing
/// further left can be believed.
fn from_list(headers: &FieldList, peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut client = peer;
    let lists = headers.all_known(Known::XForwardedFor).rev();
    let words = lists.flat_map(|list| list.rsplit(|&byte| byte == b','));
    for word in words.take(MAX_HOPS) {
        let Some(ip) = address(word.trim_ascii()) else { break };
        client = ip;
        if !is_trusted(ip) {
            break;
        }
    }
    client
}

/// An address with or without port, IPv6 with or without brackets.
fn address(word: &[u8]) -> Option<IpAddr> {
    let word = std::str::from_utf8(word).ok()?;
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    let (host, _port) = word.rsplit_once(':')?;
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The words of one connection: most requests of a connection are told of in the same.
#[derive(Debug, Default)]
pub(crate) struct Told(RefCell<Option<Words>>);

#[derive(Debug)]
struct Words {
    peer: IpAddr,
    scheme: Scheme,
    version: Version,
    host: HeaderValue,
    /// What an untrusted peer's requests are given, all in a piece.
    fields: FieldList,
}

/// Tells the upstream where the request came from.
pub(crate) fn tell(
    headers: &mut FieldList,
    told: &Told,
    client: Client,
    peer: IpAddr,
    host: &HeaderValue,
    local_port: Option<u16>,
    version: Version,
) {
    let mut cached = told.0.borrow_mut();
    let words = match &mut *cached {
        Some(words) if words.is_of(peer, client.scheme, host, version) => words,
        other => other.insert(Words::new(peer, client.scheme, host, local_port, version)),
    };
    if client.trusted { words.add_to(headers, client) } else { headers.append_all(&words.fields) }
}

impl Words {
    fn new(peer: IpAddr, scheme: Scheme, host: &HeaderValue, port: Option<u16>, version: Version) -> Self {
        let node = match peer {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("\"[{ip}]\""),
        };
        let named = host.to_str().unwrap_or_default();
        let quoted = if named.contains(':') { format!("\"{named}\"") } else { named.to_owned() };
        let host_part = if named.is_empty() { String::new() } else { format!(";host={quoted}") };
        let port = port.unwrap_or_else(|| scheme.default_port());
        let address = text(&peer.to_string());
        let forwarded = text(&format!("for={node}{host_part};proto={}", scheme.as_str()));
        let mut fields = FieldList::new();
        fields.append(&FOR, &address);
        fields.append(&FORWARDED, &forwarded);
        // HTTP/1.0 may go without one.
        if !host.is_empty() {
            fields.append(&HOST, host);
        }
        fields.append(&PORT, &text(&port.to_string()));
        fields.append(&REAL_IP, &address);
        fields.append(&PROTO, &HeaderValue::from_static(scheme.as_str()));
        fields.append(&VIA, &HeaderValue::from_static(via(version)));
        Self { peer, scheme, version, host: host.clone(), fields }
    }

    fn is_of(&self, peer: IpAddr, scheme: Scheme, host: &HeaderValue, version: Version) -> bool {
        self.peer == peer && self.scheme == scheme && self.version == version && self.host == host
    }

    /// Beside what a trusted peer has said.
    fn add_to(&self, headers: &mut FieldList, client: Client) {
        for name in [FOR, FORWARDED] {
            extend(headers, &name, self.value(&name));
        }
        for name in [HOST, PORT] {
            if headers.get(&name).is_none()
                && let Some(value) = self.fields.get(&name)
            {
                headers.append(&name, &value.to_header());
            }
        }
        headers.insert(&REAL_IP, &text(&client.ip.to_string()));
        headers.insert(&PROTO, &self.value(&PROTO));
        headers.append(&VIA, &self.value(&VIA));
    }

    fn value(&self, name: &HeaderName) -> HeaderValue {
        self.fields.get(name).map_or_else(|| HeaderValue::from_static(""), FieldValue::to_header)
    }
}

/// Adds an element to the list that a field is, in one field.
fn extend(headers: &mut FieldList, name: &HeaderName, value: HeaderValue) {
    let mut list = Vec::new();
    for element in headers.named(name.as_str()) {
        list.extend_from_slice(element.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(value.as_bytes());
    headers.insert(name, &HeaderValue::from_bytes(&list).unwrap_or(value));
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0 proxy-now",
        Version::HTTP_2 => "2.0 proxy-now",
        _ => "1.1 proxy-now",
    }
}

/// Who is not trusted is not believed, and each name is told once, Forwarded in a form that reads back.
#[cfg(any(test, fuzzing))]
pub(crate) fn law(list: &[u8], forwarded: Option<&[u8]>, is_trusted: bool) {
    let mut headers = FieldList::new();
    for (name, value) in [(FOR, Some(list)), (FORWARDED, forwarded)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value).ok()) {
            headers.append(&name, &value);
        }
    }
    let peer = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    let trusted: Vec<IpNet> = is_trusted.then(|| IpNet::from(peer)).into_iter().collect();
    let client = believe(&mut headers, peer, false, &trusted);
    assert!(is_trusted || client.ip == peer);
    let host = HeaderValue::from_static("a.example:8080");
    tell(&mut headers, &Told::default(), client, peer, &host, None, Version::HTTP_11);
    for name in [FOR, FORWARDED, HOST, PROTO, PORT, REAL_IP] {
        assert_eq!(headers.named(name.as_str()).count(), 1, "{name}");
    }
    // The list may have been as long as is read.
    let hops = forwarded.unwrap_or_default().iter().filter(|&&byte| byte == b',').count();
    assert!(hops + 1 >= MAX_HOPS || rfc7239::read(&headers).is_some(), "{headers:?}");
}

#[cfg(any(test, fuzzing))]
fn believe(headers: &mut FieldList, peer: IpAddr, tls: bool, trusted: &[IpNet]) -> Client {
    headers.remove_any(unbelieved(peer, trusted));
    client(headers, peer, tls, trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> FieldList {
        let mut map = FieldList::new();
        for (name, value) in fields {
            map.append(&HeaderName::from_static(name), &text(value));
        }
        map
    }

    #[track_caller]
    fn check(peer: &str, list: &str, trusted: &[&str], expected: &str) {
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let mut map = headers(&[("x-forwarded-for", list), ("x-real-ip", "6.6.6.6")]);
        let client = believe(&mut map, peer.parse().unwrap(), false, &trusted);
        assert_eq!(client.ip, expected.parse::<IpAddr>().unwrap(), "{peer} {list} {trusted:?}");
        assert_eq!(map.contains(Known::XRealIp), client.trusted);
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        check("10.0.0.1", "1.2.3.4", &[], "10.0.0.1");
        check("10.0.0.1", "1.2.3.4", &["10.0.0.0/8"], "1.2.3.4");
        check("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", &["10.0.0.0/8"], "1.2.3.4");
        check("10.0.0.1", "10.0.0.3, 10.0.0.2", &["10.0.0.0/8"], "10.0.0.3");
        check("10.0.0.1", "1.2.3.4, nonsense, 10.0.0.2", &["10.0.0.0/8"], "10.0.0.2");
        check("10.0.0.1", "[2001:db8::1]:4711", &["10.0.0.0/8"], "2001:db8::1");
        check("10.0.0.1", "::ffff:1.2.3.4", &["10.0.0.0/8"], "1.2.3.4");
        check("10.0.0.1", "1.2.3.4:99", &["10.0.0.0/8"], "1.2.3.4");
    }

    /// Who the client is, and what upstreams are told: X-Forwarded-For, -Host, -Proto, and whether Forwarded goes on.
    #[track_caller]
    fn check_forwarded(fields: &[(&'static str, &str)], expected: [&str; 4], goes_on: bool) {
        let mut map = headers(fields);
        let peer = "10.0.0.1".parse().unwrap();
        let who = believe(&mut map, peer, false, &["10.0.0.0/8".parse().unwrap()]);
        tell(&mut map, &Told::default(), who, peer, &text("inside"), None, Version::HTTP_11);
        let told = |name: &str| map.named(name).next().unwrap().to_str().unwrap();
        let ip = who.ip.to_string();
        let got = [&*ip, told("x-forwarded-for"), told("x-forwarded-host"), told("x-forwarded-proto")];
        assert_eq!(got, expected, "{fields:?}");
        assert_eq!(told("x-real-ip"), ip, "{fields:?}");
        assert_eq!(told("forwarded").contains(", for=10.0.0.1;"), goes_on, "{fields:?}");
        assert_eq!(map.named("forwarded").count(), 1);
    }

    #[test]
    fn forwarded_is_believed_where_nothing_contradicts_it() {
        let plain = ["10.0.0.1", "10.0.0.1", "inside", "http"];
        let only =
            |value: &str, expected, goes_on| check_forwarded(&[("forwarded", value)], expected, goes_on);
        only("for=1.1.1.1;proto=https;host=foo", ["1.1.1.1", "1.1.1.1, 10.0.0.1", "foo", "https"], true);
        only(
            "for=6.6.6.6, for=1.1.1.1, for=10.0.0.2",
            ["1.1.1.1", "1.1.1.1, 10.0.0.1", "inside", "http"],
            true,
        );
        only(
            "for=6.6.6.6;host=evil, for=_hidden;proto=https",
            ["10.0.0.1", "10.0.0.1", "inside", "https"],
            true,
        );
        only(
            "for=6.6.6.6, for=unknown, for=10.0.0.2",
            ["10.0.0.2", "10.0.0.2, 10.0.0.1", "inside", "http"],
            true,
        );
        only(
            "for=\"[2001:db8::1]:99\";proto=https, for=10.0.0.2;proto=http;host=foo",
            ["2001:db8::1", "2001:db8::1, 10.0.0.1", "foo", "https"],
            true,
        );
        only("for=1.1.1.1;proto=https, nonsense", plain, false);
        only("for=1.1.1.1;proto=https;for=2.2.2.2", plain, false);
        let both = |list: &str, forwarded: &str, expected, goes_on| {
            check_forwarded(&[("x-forwarded-for", list), ("forwarded", forwarded)], expected, goes_on);
        };
        both("1.1.1.1", "for=1.1.1.1", ["1.1.1.1", "1.1.1.1, 10.0.0.1", "inside", "http"], true);
        both("1.1.1.1", "for=6.6.6.6;proto=https", ["1.1.1.1", "1.1.1.1, 10.0.0.1", "inside", "http"], false);
        both("1.1.1.1", "for=", ["1.1.1.1", "1.1.1.1, 10.0.0.1", "inside", "http"], false);
        let fields = [("forwarded", "for=1.1.1.1;proto=https;host=foo"), ("x-forwarded-proto", "http")];
        check_forwarded(&fields, ["1.1.1.1", "1.1.1.1, 10.0.0.1", "foo", "http"], true);
    }

    #[test]
    fn forwarded_of_an_untrusted_peer_is_not_believed() {
        let mut map = headers(&[("forwarded", "for=1.1.1.1;proto=https")]);
        let who = believe(&mut map, "10.0.0.1".parse().unwrap(), false, &[]);
        assert_eq!((who.ip.to_string(), who.scheme, map.len()), ("10.0.0.1".to_owned(), Scheme::Http, 0));
    }

    #[test]
    fn no_name_that_looks_like_a_claim_gets_through() {
        for (trusted, expected) in
            [(&["10.0.0.0/8"][..], &["accept", "x-forwarded-for"][..]), (&[], &["accept"])]
        {
            let names = ["accept", "x_forwarded_for", "x-forwarded_proto", "x_real_ip", "x-forwarded-for"];
            let mut map = headers(&names.map(|name| (name, "1.2.3.4")));
            let trusted: Vec<IpNet> = trusted.iter().map(|net: &&str| net.parse().unwrap()).collect();
            believe(&mut map, "10.0.0.1".parse().unwrap(), false, &trusted);
            let mut left: Vec<_> = map.iter().map(|(name, _)| name).collect();
            left.sort_unstable();
            assert_eq!(left, expected);
        }
    }

    #[test]
    fn upstreams_are_told_once_and_in_full() {
        let mut map =
            headers(&[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6"), ("via", "1.1 cdn")]);
        let peer = "2001:db8::7".parse().unwrap();
        let host = text("app.example:8443");
        let who = believe(&mut map, peer, true, &[]);
        tell(&mut map, &Told::default(), who, peer, &host, Some(8443), Version::HTTP_2);
        for (name, expected) in [
            ("x-forwarded-for", "2001:db8::7"),
            ("x-real-ip", "2001:db8::7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example:8443"),
            ("x-forwarded-port", "8443"),
            ("forwarded", "for=\"[2001:db8::7]\";host=\"app.example:8443\";proto=https"),
        ] {
            assert_eq!(map.named(name).next().unwrap(), expected, "{name}");
        }
        assert_eq!(map.named("via").collect::<Vec<_>>(), ["1.1 cdn", "2.0 proxy-now"]);
    }

    #[test]
    fn a_request_without_host_is_told_of_without() {
        for trusted in [vec![], vec!["10.0.0.0/8".parse().unwrap()]] {
            let mut map = headers(&[]);
            let peer = "10.0.0.1".parse().unwrap();
            let who = believe(&mut map, peer, false, &trusted);
            tell(&mut map, &Told::default(), who, peer, &text(""), None, Version::HTTP_10);
            assert_eq!(map.named("x-forwarded-host").count(), 0, "{trusted:?}");
            assert_eq!(map.named("forwarded").next().unwrap(), "for=10.0.0.1;proto=http");
        }
    }

    #[test]
    fn a_trusted_proxy_is_continued() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "outside.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.2.3.4"),
        ]);
        let peer = "10.0.0.1".parse().unwrap();
        let who = believe(&mut map, peer, false, &["10.0.0.0/8".parse().unwrap()]);
        tell(&mut map, &Told::default(), who, peer, &text("inside"), None, Version::HTTP_11);
        for (name, expected) in [
            ("x-forwarded-for", "1.2.3.4, 10.0.0.1"),
            ("x-forwarded-host", "outside.example"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4, for=10.0.0.1;host=inside;proto=https"),
        ] {
            assert_eq!(map.named(name).next().unwrap(), expected, "{name}");
        }
    }
}
