//! `Forwarded` (RFC 7239), as a trusted proxy wrote it: what each proxy says of the request that it got. Whom to believe
//! is decided elsewhere.

use super::authority::Authority;
use http::header::{FORWARDED, HeaderValue};
use pn_core::context::{FieldList, Scheme};
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv6Addr};

/// What one proxy says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// `None` when it does not say (`unknown`, `_hidden`, no `for`).
    pub(super) client: Option<IpAddr>,
    pub(super) scheme: Option<Scheme>,
    /// An authority.
    pub(super) host: Option<&'a str>,
}

pub(super) type Elements<'a> = SmallVec<[Element<'a>; 4]>;

/// A longer list is a mistake or an attack.
pub(super) const MAX_HOPS: usize = 64;

/// All elements in their order. `None` when any of them is malformed: a list that reads differently elsewhere says
/// nothing for sure.
pub(super) fn read(headers: &FieldList) -> Option<Elements<'_>> {
    let mut elements = Elements::new();
    for field in headers.named(FORWARDED.as_str()) {
        let mut rest = field.to_str()?;
        loop {
            let element;
            (element, rest) = read_element(rest)?;
            // A list may have empty elements (RFC 9110 section 5.6.1.2).
            elements.extend(element);
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None if rest.is_empty() => break,
                None => return None,
            }
            if elements.len() > MAX_HOPS {
                return None;
            }
        }
    }
    Some(elements)
}

/// One element, and what follows it. No element where there is nothing but space.
fn read_element(text: &str) -> Option<(Option<Element<'_>>, &str)> {
    let mut element = Element::default();
    let mut seen: SmallVec<[&str; 4]> = SmallVec::new();
    let mut rest = skip_space(text);
    while !rest.is_empty() && !rest.starts_with(',') {
        if let Some(next) = rest.strip_prefix(';') {
            rest = skip_space(next);
            continue;
        }
        let (name, value, next) = read_pair(rest)?;
        if seen.len() >= PARAMETERS_MAX || seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        seen.push(name);
        element.take(name, value)?;
        rest = skip_space(next);
        if !matches!(rest.as_bytes().first(), None | Some(b',' | b';')) {
            return None;
        }
    }
    Some(((!seen.is_empty()).then_some(element), rest))
}

/// There are four, and extensions.
const PARAMETERS_MAX: usize = 16;

/// `name=value` without the quotes, and what follows. Nothing that is read here needs a quoted pair, so that one with
/// a backslash is malformed.
fn read_pair(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"')?;
        return (!value.contains('\\')).then_some((name, value, rest));
    }
    let end = rest.bytes().position(|byte| !is_token(byte)).unwrap_or(rest.len());
    let (value, rest) = rest.split_at_checked(end)?;
    (!value.is_empty()).then_some((name, value, rest))
}

impl<'a> Element<'a> {
    fn take(&mut self, name: &str, value: &'a str) -> Option<()> {
        if name.eq_ignore_ascii_case("for") {
            self.client = node(value)?;
        } else if name.eq_ignore_ascii_case("proto") {
            self.scheme = scheme(value);
        } else if name.eq_ignore_ascii_case("host") {
            Authority::parse(value.as_bytes()).filter(|host| !host.host.is_empty())?;
            self.host = Some(value);
        }
        Some(())
    }
}

/// Section 6: an address with or without port, IPv6 in brackets, `unknown`, or an obfuscated name.
fn node(text: &str) -> Option<Option<IpAddr>> {
    let (name, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (ip, rest) = bracketed.split_once(']')?;
            let ip = IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?).to_canonical();
            return port_follows(rest).then_some(Some(ip));
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if !port_follows(port) {
        return None;
    }
    match name.strip_prefix('_') {
        Some(hidden) => is_hidden(hidden).then_some(None),
        None if name.eq_ignore_ascii_case("unknown") => Some(None),
        None => name.parse().ok().map(|ip| Some(IpAddr::V4(ip))),
    }
}

/// Nothing, or a port, which may be obfuscated as well.
fn port_follows(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    match port.strip_prefix('_') {
        Some(hidden) => is_hidden(hidden),
        None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn is_hidden(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// As `X-Forwarded-Proto` has it.
pub(super) fn scheme(name: &str) -> Option<Scheme> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("https") || is("wss") {
        return Some(Scheme::Https);
    }
    (is("http") || is("ws")).then_some(Scheme::Http)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The value of a field that says the host, if it is one.
pub(super) fn host_value(host: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(host).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ADDRESS SCHEME HOST` of each element, `-` for what it does not say.
    #[track_caller]
    fn check(fields: &[&str], expected: Option<&[&str]>) {
        let mut map = FieldList::new();
        for field in fields {
            map.append(&FORWARDED, &HeaderValue::from_str(field).unwrap());
        }
        let told = |one: &Element<'_>| {
            let client = one.client.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
            format!("{client} {} {}", one.scheme.map_or("-", Scheme::as_str), one.host.unwrap_or("-"))
        };
        let got = read(&map).map(|elements| elements.iter().map(told).collect::<Vec<_>>());
        let got = got.as_ref().map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got.as_deref(), expected, "{fields:?}");
    }

    #[test]
    fn what_proxies_say() {
        check(&[], Some(&[]));
        check(&["for=192.0.2.43"], Some(&["192.0.2.43 - -"]));
        check(
            &["FOR=192.0.2.43;Proto=HTTPS;by=203.0.113.60;Host=a.test"],
            Some(&["192.0.2.43 https a.test"]),
        );
        check(&["for=\"[2001:db8::1]:4711\";host=\"a.test:8080\""], Some(&["2001:db8::1 - a.test:8080"]));
        check(&["for=\"[::ffff:1.2.3.4]\""], Some(&["1.2.3.4 - -"]));
        check(&["for=\"1.2.3.4:80\""], Some(&["1.2.3.4 - -"]));
        check(&["for=_hidden, for=unknown", "for=\"_gazonk:_x\""], Some(&["- - -"; 3]));
        check(&["for=1.2.3.4 , ,\tfor=5.6.7.8; proto=http;"], Some(&["1.2.3.4 - -", "5.6.7.8 http -"]));
        check(&["secret=\"a,b;c\";for=1.2.3.4"], Some(&["1.2.3.4 - -"]));
        check(&["proto=gopher"], Some(&["- - -"]));
        check(&[""], Some(&[]));
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        for field in [
            "for",
            "for=",
            "=1.2.3.4",
            "for =1.2.3.4",
            "for= 1.2.3.4",
            "for=1.2.3.4 for=5.6.7.8",
            "for=1.2.3.4;for=5.6.7.8",
            "for=\"1.2.3.4",
            "for=\"1.2.3.4\"x",
            "for=1.2.3.4:80",
            "for=[::1]",
            "for=\"::1\"",
            "for=\"[::1\"",
            "for=\"[1.2.3.4]\"",
            "for=\"[::1]80\"",
            "for=a.test",
            "for=_",
            "for=\"1.2.3.4:\"",
            "for=\"1.2.3.4:123456\"",
            "for=\"1.2.3.4:x\"",
            "for=\"1.2.3\\.4\"",
            "for=1.2.3.4, nonsense",
            "host=\"a b\"",
            "host=\"\"",
        ] {
            check(&[field], None);
        }
        check(&["for=1.2.3.4", "nonsense"], None);
        check(&[&"for=1.2.3.4,".repeat(MAX_HOPS + 2)], None);
    }
}
