//! What the codec makes of a connection's bytes.

use super::{Pairs, Reason, Seen, Told, sorted};
use http::Method;
use pn_http1::{
    BodyDecoder, Fields, Form, Framing, Limits, Refusal, RequestHead, parse_request, parse_response,
    parse_trailers,
};

/// As wide as hyper's own limits.
const LIMITS: Limits =
    Limits { head_bytes: 400 << 10, fields: 100, target_bytes: 65_534, line_bytes: 400 << 10 };

/// The requests of a connection, and why it went no further.
pub(crate) fn our_requests(input: &[u8]) -> Told<Reason> {
    let mut told = Told { messages: Vec::new(), refused: None };
    let mut rest = input;
    let mut fields = Fields::new();
    while told.refused.is_none() {
        let head = match parse_request(rest, &LIMITS, &mut fields) {
            Ok(Some(head)) => head,
            Ok(None) => break,
            Err(refusal) => {
                told.refused = Some(Reason::Head(refusal));
                break;
            }
        };
        let line = format!("{} {}", head.method, target(rest, &head));
        let mut seen = Seen { line, fields: sorted(pairs(rest, &fields)), body: None, trailers: Vec::new() };
        rest = &rest[head.len..];
        told.refused = body(head.framing, &mut rest, &mut seen).err();
        let over = seen.body.is_none() || !head.persistent;
        told.messages.push(seen);
        if over {
            break;
        }
    }
    told
}

/// The final response at the beginning of the input, which ends with the connection.
pub(crate) fn our_response(method: &Method, input: &[u8]) -> Told<Reason> {
    let mut rest = input;
    let mut fields = Fields::new();
    loop {
        let head = match parse_response(rest, &LIMITS, method, &mut fields) {
            Ok(Some(head)) => head,
            Ok(None) => {
                return Told { messages: Vec::new(), refused: Some(Reason::Head(Refusal::FirstLine)) };
            }
            Err(refusal) => return Told { messages: Vec::new(), refused: Some(Reason::Head(refusal)) },
        };
        let line = head.status.as_str().to_owned();
        let mut seen = Seen { line, fields: sorted(pairs(rest, &fields)), body: None, trailers: Vec::new() };
        rest = &rest[head.len..];
        if !head.is_interim() {
            let refused = body(head.framing, &mut rest, &mut seen).err();
            return Told { messages: vec![seen], refused };
        }
    }
}

/// Takes a body off the input, which ends with the connection.
fn body(framing: Framing, rest: &mut &[u8], seen: &mut Seen) -> Result<(), Reason> {
    let mut decoder = BodyDecoder::new(framing);
    let mut data = Vec::new();
    loop {
        let step = decoder.decode(rest).map_err(Reason::Body)?;
        data.extend_from_slice(&rest[step.data]);
        if !step.trailers.is_empty() {
            let section = &rest[step.trailers];
            let mut fields = Fields::new();
            parse_trailers(section, &mut fields).map_err(Reason::Body)?;
            seen.trailers = sorted(pairs(section, &fields));
        }
        *rest = &rest[step.consumed..];
        if step.done || step.consumed == 0 {
            break;
        }
    }
    if decoder.end_of_input().is_ok() {
        seen.body = Some(data);
    }
    Ok(())
}

fn pairs(bytes: &[u8], fields: &Fields) -> Pairs {
    let name = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase();
    fields.iter().map(|field| (name(field.name.of(bytes)), field.value.of(bytes).to_vec())).collect()
}

/// As hyper's `Uri` tells it: the empty path of an absolute target is a slash.
fn target(bytes: &[u8], head: &RequestHead) -> String {
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let path = text(head.target.path.of(bytes));
    let path = if head.target.form == Form::Absolute && path.is_empty() { "/".to_owned() } else { path };
    let query = head.target.query.map_or(String::new(), |query| format!("?{}", text(query.of(bytes))));
    format!("{} {path}{query}", text(head.target.authority.of(bytes)))
}
