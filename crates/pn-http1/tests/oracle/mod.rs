//! hyper as the oracle: the same bytes go to its HTTP/1 and to the codec, and what each made of them is compared. Called
//! by the differential test and by the fuzz target of that name.

mod compare;
mod hyper_side;
mod our_side;

pub(crate) use compare::{requests, responses};
pub(crate) use hyper_side::{hyper_requests, hyper_response};
pub(crate) use our_side::{our_requests, our_response};

use pn_http1::{BodyError, Known, Refusal};

pub(crate) type Pairs = Vec<(String, Vec<u8>)>;

/// A message as somebody behind the parser sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Method and target, or the status.
    pub(crate) line: String,
    /// In order of their names, those of one name in their own order.
    pub(crate) fields: Pairs,
    /// `None` when it was cut off or malformed.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Pairs,
}

/// What became of a connection's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told<R> {
    pub(crate) messages: Vec<Seen>,
    /// Why it went no further, unless the input was over.
    pub(crate) refused: Option<R>,
}

/// Why the codec went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Head(Refusal),
    Body(BodyError),
}

fn sorted(mut fields: Pairs) -> Pairs {
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

fn without_barred(trailers: Pairs) -> Pairs {
    trailers.into_iter().filter(|(name, _)| !Known::of(name.as_bytes()).is_barred_from_trailers()).collect()
}
