//! Rows of what an upstream sends, and whether its connection can be used again.

use super::*;
use crate::{BodyDecoder, Fields, Limits, parse_response};

const GET: (Method, bool) = (Method::GET, false);
const UPGRADE: (Method, bool) = (Method::GET, true);

/// What comes of a request, all of it sent, and of what the upstream sends before it falls silent.
fn play((method, upgrade): (Method, bool), input: &str) -> Result<(Received, ClientState), Misbehaviour> {
    let mut state = ClientState::new();
    state.begin(&method, upgrade);
    state.request_over();
    let mut rest = input.as_bytes();
    loop {
        let head = parse_response(rest, &Limits::default(), &method, &mut Fields::new()).unwrap().unwrap();
        rest = &rest[head.len..];
        let received = state.received(&head)?;
        if received == Received::Interim {
            continue;
        }
        if received == Received::Final {
            let step = BodyDecoder::new(head.framing).decode(rest).unwrap();
            rest = &rest[step.consumed..];
            if step.done {
                state.response_over();
            }
            if !rest.is_empty() {
                state.surplus();
            }
        }
        return Ok((received, state));
    }
}

#[track_caller]
fn check(request: (Method, bool), input: &str, expected: Result<(Received, bool), Misbehaviour>) {
    let played = play(request, input).map(|(received, state)| (received, state.is_reusable()));
    assert_eq!(played, expected, "{input:?}");
}

#[test]
fn responses_and_reuse() {
    let kept = Ok((Received::Final, true));
    let spent = Ok((Received::Final, false));
    check(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", kept);
    check(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", spent);
    check(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", spent);
    check(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", spent);
    check(GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", kept);
    check(GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", spent);
    check(GET, "HTTP/1.1 200 OK\r\n\r\nok", spent);
    check(GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", spent);
    check(GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", kept);
    check(GET, "HTTP/1.1 204 No Content\r\n\r\n", kept);
    check(GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", kept);
    check((Method::HEAD, false), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", kept);
    check((Method::HEAD, false), "HTTP/1.1 200 OK\r\n\r\n", kept);
    check((Method::HEAD, false), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", spent);
}

#[test]
fn interim_responses_and_changes_of_protocol() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 50\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let ready = "HTTP/1.1 200 OK\r\n\r\n";
    check(GET, &format!("HTTP/1.1 100 Continue\r\n\r\n{hints}{hints}{ok}"), Ok((Received::Final, true)));
    check(GET, &format!("{}{ok}", hints.repeat(2_000)), Err(Misbehaviour::InterimFlood));
    check(GET, switch, Err(Misbehaviour::SwitchUnasked));
    check(UPGRADE, &format!("{switch}bytes"), Ok((Received::Switched, false)));
    check(UPGRADE, ok, Ok((Received::Final, true)));
    check((Method::CONNECT, false), ready, Ok((Received::Switched, false)));
    check(
        (Method::CONNECT, false),
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        Ok((Received::Final, true)),
    );
}

#[test]
fn a_second_response_is_nobodys() {
    let (_, mut state) = play(GET, "HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    let next = parse_response(
        b"HTTP/1.1 204 No Content\r\n\r\n",
        &Limits::default(),
        &Method::GET,
        &mut Fields::new(),
    );
    assert_eq!(state.received(&next.unwrap().unwrap()), Err(Misbehaviour::Unasked));
    assert!(!state.is_reusable());
}

#[test]
fn an_early_response_keeps_the_connection_only_when_all_was_sent() {
    let head = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    let head = parse_response(head, &Limits::default(), &Method::POST, &mut Fields::new()).unwrap().unwrap();
    let mut state = ClientState::new();
    state.begin(&Method::POST, false);
    assert!(state.awaits() && !state.is_early());
    assert_eq!(state.received(&head), Ok(Received::Final));
    assert!(state.is_early() && !state.is_reusable());
    state.request_over();
    assert!(!state.is_early() && state.is_reusable());
    state.begin(&Method::GET, false);
    state.fail();
    assert!(!state.is_reusable());
}
