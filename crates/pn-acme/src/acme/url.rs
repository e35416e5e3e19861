//! The URLs that are gone to.

use super::fault::{AcmeFault, FaultKind, shown};
use pn_model::limits::ACME_URL_BYTES;

/// Everything that is told to a CA goes over TLS, unless its directory itself does not.
pub(crate) fn check_url(url: &str, like: &str) -> Result<(), AcmeFault> {
    let plain = like.starts_with("http://").then(|| url.strip_prefix("http://")).flatten();
    let rest = url.strip_prefix("https://").or(plain).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = !authority.is_empty() && !authority.starts_with(':') && !authority.contains('@');
    if host && url.len() <= ACME_URL_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let begin: String = shown(url).chars().take(80).collect();
    let what = format!("`{begin}` is not a URL that ACME goes to; it has to begin with `https://`");
    Err(AcmeFault::new(FaultKind::BadAnswer, what))
}

pub(super) fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end =
        url.bytes().skip(authority).position(|byte| byte == b'/').map_or(url.len(), |at| at + authority);
    url.get(..end).unwrap_or_default()
}
