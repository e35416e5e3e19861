//! Which differences between the codec and hyper are wanted. Any other fails.
#![expect(clippy::panic, reason = "a difference that nobody wants is a failed test")]

use super::{Reason, Seen, Told, hyper_requests, hyper_response, our_requests, our_response};
use http::{Method, Uri};
use pn_http1::{BodyError, Refusal};

/// The same bytes as a client's connection. Panics on a difference that nobody wants.
pub(crate) fn requests(input: &[u8]) {
    let (ours, hypers) = (our_requests(input), hyper_requests(input));
    let fault = |why: &str| -> ! {
        panic!("{why}: {:?}\n  ours {ours:?}\nhyper's {hypers:?}", input.escape_ascii().to_string())
    };
    for (at, own) in ours.messages.iter().enumerate() {
        let Some(other) = hypers.messages.get(at) else {
            if is_too_much_for_hyper(&hypers, own) {
                return;
            }
            fault("the codec alone takes a request");
        };
        match compare(own, other, ours.refused) {
            Compared::Same => {}
            Compared::Over => return,
            Compared::Different => fault("one request is seen in two ways"),
        }
    }
    match ours.refused {
        Some(reason) if is_stricter_with_requests(reason) => {}
        None if hypers.messages.len() > ours.messages.len() => fault("hyper alone takes a request"),
        Some(_) if hypers.messages.len() > ours.messages.len() => fault("hyper takes what is refused"),
        Some(Reason::Head(_)) if hypers.refused.is_none() => fault("hyper does not refuse it"),
        _ => {}
    }
}

/// The same bytes as an upstream's answer.
pub(crate) fn responses(input: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let (ours, hypers) = (our_response(&method, input), hyper_response(&method, input));
        let fault = |why: &str| -> ! {
            panic!(
                "{why}: {method} {:?}\n  ours {ours:?}\nhyper's {hypers:?}",
                input.escape_ascii().to_string()
            )
        };
        match (ours.messages.first(), hypers.messages.first()) {
            (Some(own), Some(other)) => {
                if compare(own, other, ours.refused) == Compared::Different {
                    fault("one response is seen in two ways");
                }
            }
            (None, Some(_)) if ours.refused.is_some_and(is_stricter_with_responses) => {}
            (None, Some(_)) => fault("hyper takes what is refused"),
            (Some(_), None) => fault("the codec alone takes a response"),
            (None, None) => {}
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Same,
    /// Nothing behind it can be compared.
    Over,
    Different,
}

fn compare(own: &Seen, other: &Seen, refused: Option<Reason>) -> Compared {
    match (&own.body, &other.body) {
        _ if (&own.line, &own.fields) != (&other.line, &other.fields) => Compared::Different,
        (Some(_), Some(_)) if own == other => Compared::Same,
        (None, None) => Compared::Over,
        (None, Some(_)) if refused.is_some_and(is_stricter_with_bodies) => Compared::Over,
        _ => Compared::Different,
    }
}

/// What hyper takes and this codec does not, each on purpose.
fn is_stricter_with_requests(reason: Reason) -> bool {
    match reason {
        Reason::Head(refusal) => matches!(
            refusal,
            // hyper takes LF for a line end, and any number of empty lines.
            Refusal::LineEnd | Refusal::EmptyLines
            // It cuts a fragment off, and leaves forms of targets and Host to its users.
            | Refusal::Fragment | Refusal::Target | Refusal::NoHost | Refusal::ManyHosts
            // It makes equal lengths one, and drops the length beside a coding.
            | Refusal::LengthRepeated | Refusal::LengthAndCoding
            // It looks at the last coding alone, and has 64 bits for a length.
            | Refusal::Coding | Refusal::CodingUnknown | Refusal::Length
            | Refusal::ConnectionOptions
        ),
        Reason::Body(error) => is_stricter_with_bodies(Reason::Body(error)),
    }
}

/// An upstream's: what hyper leaves to its users, repairs, or does not look at where there is no body.
fn is_stricter_with_responses(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Head(
            Refusal::LengthAndCoding
                | Refusal::Length
                | Refusal::LengthRepeated
                | Refusal::Coding
                | Refusal::CodingUnknown
                | Refusal::CodingInOldVersion
                | Refusal::ConnectionOptions
                | Refusal::EmptyLines
                | Refusal::LineEnd
        )
    )
}

fn is_stricter_with_bodies(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Body(
            // hyper takes control characters in extensions, LF for the line end of trailers, and any number of leading
            // zeros.
            BodyError::Extension
                | BodyError::Trailer
                | BodyError::TrailersTooLarge
                | BodyError::ChunkSizeTooLarge
        )
    )
}

/// What the codec leaves to whoever reads the target: characters that hyper's `Uri` does not take.
fn is_too_much_for_hyper(hypers: &Told<String>, own: &Seen) -> bool {
    let target = own.line.split_once(' ').map_or("", |(_, target)| target);
    let (authority, path) = target.split_once(' ').unwrap_or_default();
    let uri = if authority.is_empty() || path.is_empty() {
        format!("{authority}{path}").parse::<Uri>()
    } else {
        format!("http://{authority}{path}").parse()
    };
    hypers.refused.is_some() && uri.is_err()
}
