//! Hosts: lower-case A-labels without a trailing dot, or IP addresses.

use super::Invalid;
use idna::AsciiDenyList;
use pn_model::HostPattern;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of a name in DNS, RFC 1035 section 2.3.4, without the root's dot.
const NAME_OCTETS: usize = 253;
const LABEL_OCTETS: usize = 63;

/// `app.example`, `*.example` (one label), `**.example` (any depth), `*`, `10.0.0.1`, `[::1]`.
pub(crate) fn host_pattern(text: &str) -> Result<HostPattern, Invalid> {
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    if let Some(suffix) = text.strip_prefix("**.") {
        return wildcard(suffix).map(HostPattern::AnyDepth);
    }
    if let Some(suffix) = text.strip_prefix("*.") {
        return wildcard(suffix).map(HostPattern::OneLabel);
    }
    host_name(text).map(HostPattern::Exact)
}

/// One host in its normal form: IDN as A-labels (UTS 46, not transitional), IPv6 without brackets.
pub(crate) fn host_name(text: &str) -> Result<String, Invalid> {
    if let Some(address) = ip(text) {
        return Ok(address.to_string());
    }
    refuse_other_parts(text)?;
    if text.contains('*') {
        let help = "`*` stands alone, or for the first label: `*.example`, `**.example`";
        return Err(
            Invalid::new(format!("`{text}` has a wildcard in a place where none may stand")).help(help)
        );
    }
    let wrong = |why: &str| Invalid::new(format!("`{text}` is no host: {why}"));
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::URL)
        .map_err(|_| wrong("it is not a valid domain name"))?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    if name.is_empty() {
        return Err(wrong("it is empty"));
    }
    if name.len() > NAME_OCTETS {
        return Err(wrong("a name has at most 253 characters"));
    }
    for label in name.split('.') {
        label_is_sound(label).map_err(wrong)?;
    }
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err(wrong("its last label is a number, but it is no IPv4 address"));
    }
    Ok(name.to_owned())
}

fn wildcard(suffix: &str) -> Result<String, Invalid> {
    if ip(suffix).is_some() {
        return Err(Invalid::new("a wildcard before an IP address takes nothing"));
    }
    host_name(suffix)
}

fn ip(text: &str) -> Option<IpAddr> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<Ipv4Addr>().map(IpAddr::V4).ok().or_else(|| text.parse::<Ipv6Addr>().map(IpAddr::V6).ok())
}

/// Schemes, ports and paths get messages of their own: they are the usual slips.
fn refuse_other_parts(text: &str) -> Result<(), Invalid> {
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        return Err(Invalid::new("a host stands without a scheme").help(format!("write \"{host}\"")));
    }
    if let Some((host, _)) = text.split_once('/') {
        return Err(Invalid::new("a host stands without a path").help(format!("write \"{host}\"")));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            let error = Invalid::new("a host stands without a port");
            Err(error.help(format!("write \"{host}\"; ports belong to listeners")))
        }
        _ => Ok(()),
    }
}

/// Underscores are no part of a host name by RFC 952, but names in containers and in DNS have them.
fn label_is_sound(label: &str) -> Result<(), &'static str> {
    if label.is_empty() {
        return Err("it has an empty label");
    }
    if label.len() > LABEL_OCTETS {
        return Err("a label has at most 63 characters");
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("a label neither starts nor ends with a hyphen");
    }
    if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')) {
        return Err("only letters, digits, hyphens and underscores may stand in a label");
    }
    Ok(())
}
