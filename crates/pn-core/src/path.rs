//! Path normalisation: one form before matching.
use std::borrow::Cow;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    Bad,
}
pub fn normalise(p: &str, _m: pn_model::listener::PathMode) -> Result<Cow<'_, str>, PathError> {
    Ok(Cow::Borrowed(p))
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a path that has no normal form")
    }
}

impl std::error::Error for PathError {}
