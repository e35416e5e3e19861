//! Sticky cookies: a client stays with the server, or the part of a split, that it met first.

use http::HeaderValue;
use pn_core::context::FieldValue;
use pn_core::graph::ServerNode;
use pn_model::service::{SameSite, StickyCookie};
use std::fmt::Write;

/// The value of a cookie in the `Cookie` fields of a request. Of several, the first, which browsers make the most
/// specific.
pub(in crate::upstream) fn cookie_value<'a>(
    fields: impl Iterator<Item = FieldValue<'a>>,
    name: &str,
) -> Option<&'a str> {
    let pairs = fields
        .filter_map(FieldValue::to_str)
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"')).next()
}

/// The server that a cookie stands for, also one that takes no new clients (weight 0).
pub(super) fn find(
    servers: &[ServerNode],
    value: &str,
    may: impl Fn(usize, &ServerNode) -> bool,
) -> Option<usize> {
    servers
        .iter()
        .enumerate()
        .find(|&(index, node)| *node.cookie == *value && may(index, node))
        .map(|(i, _)| i)
}

/// The `Set-Cookie` field that keeps a client with the server of this value. `None` when the configured name, path or
/// domain cannot stand in a field.
pub(in crate::upstream) fn set_cookie(cookie: &StickyCookie, value: &str) -> Option<HeaderValue> {
    let mut text = format!("{}={value}; Path={}", cookie.name, cookie.path);
    if let Some(domain) = &cookie.domain {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    if let Some(age) = cookie.max_age {
        // A string takes all that is written.
        write!(text, "; Max-Age={}", age.as_secs()).unwrap_or_default();
    }
    if cookie.secure {
        text.push_str("; Secure");
    }
    if cookie.http_only {
        text.push_str("; HttpOnly");
    }
    text.push_str(match cookie.same_site {
        Some(SameSite::Strict) => "; SameSite=Strict",
        Some(SameSite::Lax) => "; SameSite=Lax",
        Some(SameSite::None) => "; SameSite=None",
        None => "",
    });
    HeaderValue::from_str(&text).ok()
}
