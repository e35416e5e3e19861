//! Interim responses (1xx) on their way from a server to the client, in front of the final response (RFC 9110 section
//! 15.2, RFC 8297). 100 is not among them: the proxy asks and answers that by itself. Nor is 101, which is final.

use super::h1::Shared;
use super::h2::Reply;
use crate::upstream::Head;
use pn_core::context::FieldList;
use pn_model::limits;
use std::rc::Rc;
use std::task::Context;

/// The client of one request, as far as interim responses concern it.
#[derive(Clone, Default)]
pub(crate) enum Interim {
    /// The proxy itself asks, and looks at the final response alone.
    #[default]
    Nobody,
    H1(Shared),
    H2(Rc<Reply>),
}

impl Interim {
    /// Hands the client what a server said, if its protocol has words for it.
    pub(crate) fn tell(&self, head: &Head, cx: &mut Context<'_>) {
        match self {
            Self::Nobody => {}
            Self::H1(wire) => wire.borrow_mut().interim(head, cx),
            Self::H2(reply) => reply.interim(head),
        }
    }
}

/// What may still be told in front of one final response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    heads: u32,
    bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { heads: limits::INTERIM_HEADS, bytes: limits::INTERIM_BYTES }
    }
}

impl Allowance {
    /// Whether one more head may go.
    pub(super) fn take(&mut self, headers: &FieldList) -> bool {
        let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.as_bytes().len() + 4).sum();
        match (self.heads.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(heads), Some(bytes)) => {
                *self = Self { heads, bytes };
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::LINK;

    #[test]
    fn heads_and_their_bytes_are_bounded() {
        let (empty, mut one) = (FieldList::new(), FieldList::new());
        one.insert(&LINK, &HeaderValue::from_bytes(&[b'a'; 1_016]).unwrap());
        for (headers, expected) in
            [(&empty, limits::INTERIM_HEADS as usize), (&one, limits::INTERIM_BYTES / 1_024)]
        {
            let mut allowance = Allowance::default();
            assert_eq!((0..1_000).filter(|_| allowance.take(headers)).count(), expected);
        }
    }
}
