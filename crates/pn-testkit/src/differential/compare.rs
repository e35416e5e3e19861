//! What two proxies saw differently.

use super::stage::{Answer, Told};
use crate::http1::RawResponse;
use crate::seen::Seen;

/// A difference between the proxy and the oracle: the first there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    /// Both sides.
    pub what: String,
}

/// What sort of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The proxy refuses, or gives up, what the oracle serves.
    Stricter,
    /// The other way round.
    Laxer,
    /// The upstream is asked for another target; its trailers may be others too.
    Target,
    /// The upstream sees another request otherwise.
    Request,
    /// The upstream sees other trailers, and nothing else otherwise.
    Trailers,
    /// The client sees another response.
    Response,
    /// An interim response that the oracle keeps back.
    Interim,
}

/// Fields that each proxy writes itself, or that belong to one connection. Framing is compared by what it frames.
const OWN: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "expect",
    "forwarded",
    "keep-alive",
    "proxy-connection",
    "proxy-status",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// The first difference between what the proxy (`own`) and the oracle saw.
pub fn compare(own: &Told, oracle: &Told) -> Option<Difference> {
    let (asked, answered) = (asked(own, oracle), answered(own, oracle));
    // The oracle may close behind an answer that the proxy refuses, and go on with the connection.
    let refused = answered.as_ref().is_some_and(|found| found.kind == Kind::Stricter);
    match &asked {
        Some(found) if found.kind == Kind::Laxer && refused => answered,
        Some(_) => asked,
        None => answered,
    }
}

fn asked(own: &Told, oracle: &Told) -> Option<Difference> {
    for (at, one) in own.asked.iter().enumerate() {
        let Some(other) = oracle.asked.get(at) else {
            return Some(Difference { kind: Kind::Laxer, what: format!("asked alone: {one:?}") });
        };
        let (mine, theirs) = (plain_request(one), plain_request(other));
        if mine != theirs {
            let (mut same, mut target) = (mine.clone(), mine.clone());
            (same.4, target.1) = (theirs.4.clone(), theirs.1);
            let both = (same.0, target.1, same.2.clone(), same.3.clone(), same.4.clone());
            let kind = match &theirs {
                theirs if *theirs == same => Kind::Trailers,
                theirs if *theirs == target || *theirs == both => Kind::Target,
                _ => Kind::Request,
            };
            return Some(Difference { kind, what: format!("{mine:?}\n not {theirs:?}") });
        }
    }
    let more = oracle.asked.get(own.asked.len())?;
    Some(Difference { kind: Kind::Stricter, what: format!("not asked: {more:?}") })
}

fn answered(own: &Told, oracle: &Told) -> Option<Difference> {
    let mut theirs = oracle.answers.iter();
    for one in &own.answers {
        if one.is_interim() {
            return Some(Difference { kind: Kind::Interim, what: format!("{one:?}") });
        }
        let other = theirs.next().filter(|other| other.forwarded);
        match (one.forwarded, other) {
            (false, None) => {}
            (false, Some(other)) => return Some(stricter(other)),
            (true, None) => {
                return Some(Difference { kind: Kind::Laxer, what: format!("answered alone: {one:?}") });
            }
            (true, Some(other)) if plain_answer(one) == plain_answer(other) => {}
            (true, Some(other)) => {
                return Some(Difference { kind: Kind::Response, what: format!("{one:?}\n not {other:?}") });
            }
        }
    }
    theirs.find(|other| other.forwarded).map(stricter)
}

fn stricter(other: &Answer) -> Difference {
    Difference { kind: Kind::Stricter, what: format!("not answered: {other:?}") }
}

type Fields = Vec<(String, String)>;

/// Method, target, fields, body and trailers.
fn plain_request(seen: &Seen) -> (&str, &str, Fields, String, Fields) {
    let body = seen.body.escape_ascii().to_string();
    (seen.method(), seen.target(), plain(&seen.headers), body, plain(&seen.trailers))
}

/// Status, fields, body and trailers; of one that was cut off only that it was.
fn plain_answer(answer: &Answer) -> (u16, Fields, Option<String>, Fields) {
    let RawResponse { status, headers, body, trailers, .. } = &answer.response;
    let body = (!answer.cut).then(|| body.escape_ascii().to_string());
    (*status, plain(headers), body, plain(trailers))
}

/// By name; the order of fields of one name stays.
fn plain(fields: &[(String, String)]) -> Fields {
    let lower = fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let mut kept: Fields = lower.filter(|(name, _)| !OWN.contains(&name.as_str())).collect();
    kept.sort_by(|one, other| one.0.cmp(&other.0));
    // Cookies in several fields mean the same as in one (RFC 9113 section 8.2.3).
    let mut joined: Fields = Vec::new();
    for (name, value) in kept {
        match joined.last_mut().filter(|last| name == "cookie" && last.0 == name) {
            Some(last) => last.1 = [last.1.as_str(), "; ", &value].concat(),
            None => joined.push((name, value)),
        }
    }
    joined
}
