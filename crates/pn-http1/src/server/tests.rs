//! Rows of what happens on a client's connection, and what comes of it.

use super::*;
use crate::{Fields, Limits, parse_request};

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Do {
    /// A request begins.
    Begin(&'static str),
    RequestOver,
    BodyCame,
    /// A status, a length; the `Connection` field and the framing that come of it.
    Respond(u16, Option<u64>, &'static str, Framing),
    ResponseOver,
    Interim(u16, bool),
    Refuse,
    CloseAfter,
    Drained(u64),
    Ends(End),
    Awaits(bool),
}

use Do::{
    Awaits, Begin, BodyCame, CloseAfter, Drained, Ends, Interim, Refuse, RequestOver, Respond, ResponseOver,
};

const GET: Do = Begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
const HEAD: Do = Begin("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
const CLOSE: Do = Begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
const OLD: Do = Begin("GET / HTTP/1.0\r\n\r\n");
const OLD_KEEP: Do = Begin("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
const POST: Do = Begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
const EXPECT: Do = Begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
const EXPECT_NO_BODY: Do = Begin("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
const EXPECT_OLD: Do = Begin("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
const UPGRADE: Do = Begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
const UPGRADE_OLD: Do = Begin("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
const OK: Do = Respond(200, Some(2), "", Framing::Length(2));
const OK_CLOSE: Do = Respond(200, Some(2), "close", Framing::Length(2));
const SWITCH: Do = Respond(101, None, "upgrade", Framing::None);

fn act(state: &mut ServerState, what: Do) {
    match what {
        Begin(bytes) => {
            let head = parse_request(bytes.as_bytes(), &Limits::default(), &mut Fields::new());
            state.begin(&head.unwrap().unwrap());
        }
        RequestOver => state.request_over(),
        BodyCame => state.body_came(),
        Respond(status, length, connection, framing) => {
            let reply = state.respond(StatusCode::from_u16(status).unwrap(), length);
            let said = reply.connection.map_or(&b""[..], Value::as_bytes);
            assert_eq!((said, reply.framing), (connection.as_bytes(), framing));
        }
        ResponseOver => state.response_over(),
        Interim(status, expected) => {
            assert_eq!(state.interim(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
        Refuse => state.refuse(),
        CloseAfter => state.close_after(),
        Drained(bytes) => state.drained(bytes),
        Ends(expected) => assert_eq!(state.end_of_input(), expected),
        Awaits(expected) => assert_eq!(state.awaits_continue(), expected),
    }
}

#[track_caller]
fn check(steps: &[Do], expected: Turn) {
    let mut state = ServerState::new(10);
    steps.iter().for_each(|&step| act(&mut state, step));
    assert_eq!(state.turn(), expected, "{steps:?}");
}

#[test]
fn persistence() {
    check(&[], Turn::Head);
    check(&[GET], Turn::Exchange);
    check(&[GET, OK], Turn::Exchange);
    check(&[GET, OK, ResponseOver], Turn::Head);
    check(&[GET, OK, ResponseOver, GET, OK, ResponseOver], Turn::Head);
    check(&[CLOSE, OK_CLOSE, ResponseOver], Turn::Close);
    check(&[OLD, OK_CLOSE, ResponseOver], Turn::Close);
    check(&[OLD_KEEP, Respond(200, Some(2), "keep-alive", Framing::Length(2)), ResponseOver], Turn::Head);
    check(&[OLD_KEEP, Respond(200, None, "close", Framing::UntilClose), ResponseOver], Turn::Close);
    check(&[GET, CloseAfter, OK_CLOSE, ResponseOver], Turn::Close);
    check(&[GET, OK, CloseAfter, ResponseOver], Turn::Close);
    check(&[CloseAfter], Turn::Close);
}

#[test]
fn framing_of_responses() {
    check(&[GET, Respond(200, None, "", Framing::Chunked), ResponseOver], Turn::Head);
    check(&[HEAD, Respond(200, Some(2), "", Framing::None), ResponseOver], Turn::Head);
    check(&[HEAD, Respond(200, None, "", Framing::None), ResponseOver], Turn::Head);
    check(&[GET, Respond(204, Some(2), "", Framing::None), ResponseOver], Turn::Head);
    check(&[GET, Respond(304, None, "", Framing::None), ResponseOver], Turn::Head);
}

#[test]
fn a_body_that_outlasts_its_response_is_drained_up_to_a_bound() {
    check(&[POST, RequestOver, OK, ResponseOver], Turn::Head);
    check(&[POST, OK, ResponseOver], Turn::Drain);
    check(&[POST, OK, ResponseOver, Drained(5), RequestOver], Turn::Head);
    check(&[POST, OK, ResponseOver, Drained(10)], Turn::Drain);
    check(&[POST, OK, ResponseOver, Drained(11)], Turn::Close);
    check(
        &[POST, OK, ResponseOver, Drained(6), RequestOver, POST, OK, ResponseOver, Drained(6)],
        Turn::Drain,
    );
    check(&[POST, CloseAfter, OK_CLOSE, ResponseOver], Turn::Close);
    check(&[POST, OK, ResponseOver, Ends(End::Quiet)], Turn::Close);
}

#[test]
fn expectations() {
    check(&[EXPECT, Awaits(true), Interim(100, true), Awaits(false), Interim(100, false)], Turn::Exchange);
    check(&[EXPECT, BodyCame, Awaits(false), Interim(100, false)], Turn::Exchange);
    check(&[EXPECT, OK_CLOSE, Awaits(false), ResponseOver], Turn::Close);
    check(&[EXPECT, Interim(100, true), OK, ResponseOver], Turn::Drain);
    check(&[EXPECT, BodyCame, RequestOver, OK, ResponseOver], Turn::Head);
    check(&[EXPECT_NO_BODY, Awaits(false), Interim(100, false), OK, ResponseOver], Turn::Head);
    check(&[EXPECT_OLD, Awaits(false), Interim(100, false)], Turn::Exchange);
}

#[test]
fn interim_responses() {
    check(&[GET, Interim(103, true), Interim(103, true), Interim(100, false)], Turn::Exchange);
    check(&[GET, Interim(101, false), Interim(200, false)], Turn::Exchange);
    check(&[OLD, Interim(103, false)], Turn::Exchange);
    check(&[GET, OK, Interim(103, false)], Turn::Exchange);
    check(&[Interim(103, false)], Turn::Head);
}

#[test]
fn upgrades() {
    check(&[UPGRADE, SWITCH], Turn::Exchange);
    check(&[UPGRADE, SWITCH, ResponseOver], Turn::Tunnel);
    check(&[UPGRADE, SWITCH, ResponseOver, Ends(End::Half)], Turn::Tunnel);
    check(&[UPGRADE, OK, ResponseOver], Turn::Head);
    check(&[UPGRADE_OLD, OK_CLOSE, ResponseOver], Turn::Close);
}

#[test]
fn ends_and_refusals() {
    check(&[Ends(End::Quiet)], Turn::Close);
    check(&[POST, Ends(End::Cut), Refuse, OK_CLOSE, ResponseOver], Turn::Close);
    check(&[GET, Ends(End::Half)], Turn::Exchange);
    check(&[GET, Ends(End::Half), OK_CLOSE, ResponseOver], Turn::Close);
    check(&[POST, RequestOver, Ends(End::Half)], Turn::Exchange);
    check(&[Refuse, Respond(400, Some(0), "close", Framing::Length(0)), ResponseOver], Turn::Close);
    check(
        &[HEAD, OK_HEAD, ResponseOver, Refuse, Respond(400, Some(3), "close", Framing::Length(3))],
        Turn::Exchange,
    );
    check(&[POST, Refuse, Respond(400, Some(0), "close", Framing::Length(0)), ResponseOver], Turn::Close);
    check(&[POST, OK, ResponseOver, Refuse], Turn::Close);
    check(&[UPGRADE, SWITCH, ResponseOver, Refuse], Turn::Tunnel);
}

const OK_HEAD: Do = Respond(200, Some(2), "", Framing::None);
