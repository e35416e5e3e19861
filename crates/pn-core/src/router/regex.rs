//! Regexes of routes: compiled once, bounded, and equal when their text is.

use pn_model::limits::REGEX_BYTES;
use regex::bytes::{Regex as Bytes, RegexBuilder};
use std::sync::Arc;

/// Unanchored, on bytes, as header fields need not be UTF-8. Copies share what is compiled.
///
/// Its scratch memory comes from a pool that the `regex` crate keeps for each regex: the first thread that uses one has
/// its own, the others take theirs without ever waiting for one another.
#[derive(Debug, Clone)]
pub(super) struct Regex(Arc<Bytes>);

impl Regex {
    /// Bounded by [`REGEX_BYTES`]. The error is fit to be shown.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        match RegexBuilder::new(text).size_limit(REGEX_BYTES).build() {
            Ok(regex) => Ok(Self(Arc::new(regex))),
            Err(regex::Error::CompiledTooBig(limit)) => {
                Err(format!("the regex `{text}` takes more than {} KiB when it is compiled", limit >> 10))
            }
            Err(error) => Err(format!("the regex `{text}` does not compile: {error}")),
        }
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Regex {}
