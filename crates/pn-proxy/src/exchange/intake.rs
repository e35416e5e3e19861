//! From what hyper read to a request head in one form, or a refusal. What is ambiguous is refused (RFC 9112): this is
//! where request smuggling ends. Matching and forwarding use what comes out, never the raw bytes.

use super::authority::{Authority, LastAuthority};
use super::hop;
use super::present::{self, Present};
use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::Scheme;
use http::{Method, Uri, Version};
use pn_core::context::RequestHead;
use pn_core::path::normalise;
use pn_core::{ErrorKind, ProxyError};
use pn_model::limits::TARGET_BYTES;
use pn_model::listener::{Listener, PathMode};

/// A head, and what its hop-by-hop fields said.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) head: RequestHead,
    /// What the head had when it came.
    pub(crate) present: Present,
    /// As it goes to the upstream when `host-header = "preserve"`.
    pub(crate) host: HeaderValue,
    pub(crate) upgrade: Option<HeaderValue>,
    /// The client takes trailers (`TE: trailers`), which gRPC upstreams want to be told.
    pub(crate) trailers: bool,
    /// The client waits for `100 Continue`, which HTTP/1.0 has not (RFC 9110 section 10.1.1).
    pub(crate) expects: bool,
}

/// Checks a head and brings it into one form.
pub(crate) fn take_in(
    mut parts: Parts,
    listener: &Listener,
    last: &LastAuthority,
) -> Result<Intake, ProxyError> {
    check_version(parts.version)?;
    // Those of HTTP/2 are bounded by nobody else.
    if parts.headers.len() > listener.limits.headers as usize {
        return Err(ProxyError::new(ErrorKind::HeadTooLarge));
    }
    let present = Present::of(&parts.headers);
    if present.has(FRAMING) {
        check_framing(&parts)?;
    }
    let authority = authority(&parts, last)?;
    let upgrade = upgrade(&parts, present)?;
    let trailers = hop::strip_request(&mut parts.headers, present)?;
    let expects = present.has(present::EXPECT)
        && parts.headers.remove(EXPECT).is_some()
        && parts.version != Version::HTTP_10;
    let host = parts.headers.remove(HOST);
    let host = match (parts.uri.authority(), host) {
        (Some(authority), _) => HeaderValue::from_str(authority.as_str()).map_err(malformed)?,
        (None, Some(host)) => host,
        (None, None) => HeaderValue::from_static(""),
    };
    let (path, query) = target(&parts.method, &parts.uri, listener.paths)?;
    let head = RequestHead {
        method: if upgrade.is_some() && parts.method == Method::CONNECT { Method::GET } else { parts.method },
        host: authority.host,
        port: authority.port,
        path,
        query,
        version: parts.version,
        headers: parts.headers,
    };
    Ok(Intake { head, present, host, upgrade, trailers, expects })
}

const FRAMING: u16 = present::CONTENT_LENGTH | present::TRANSFER_ENCODING | present::EXPECT;

fn check_version(version: Version) -> Result<(), ProxyError> {
    match version {
        Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2 => Ok(()),
        _ => Err(ProxyError::new(ErrorKind::VersionUnsupported)),
    }
}

/// RFC 9112 section 6: one way to tell where the body ends, or none.
fn check_framing(parts: &Parts) -> Result<(), ProxyError> {
    let lengths = parts.headers.get_all(CONTENT_LENGTH).iter().count();
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let ambiguous = match codings.next() {
        None => lengths > 1,
        Some(coding) => {
            lengths > 0
                || codings.next().is_some()
                || parts.version != Version::HTTP_11
                || !coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
    };
    let digits = |value: &HeaderValue| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
    if ambiguous || !parts.headers.get_all(CONTENT_LENGTH).iter().all(digits) {
        return Err(malformed("the end of the body is ambiguous"));
    }
    // RFC 9110 section 10.1.1: the only expectation there is.
    let mut expectations = parts.headers.get_all(EXPECT).iter();
    if expectations.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(ProxyError::new(ErrorKind::ExpectationFailed));
    }
    Ok(())
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: exactly one host, wherever it stands.
fn authority(parts: &Parts, last: &LastAuthority) -> Result<Authority, ProxyError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(malformed("more than one Host field"));
    }
    let field = host.map(|value| last.parse(value).ok_or_else(|| malformed("a bad Host field")));
    let field = field.transpose()?;
    let target = parts.uri.authority();
    let target = target
        .map(|text| Authority::parse(text.as_str().as_bytes()).ok_or_else(|| malformed("a bad authority")));
    match (target.transpose()?, field) {
        // A proxy must ignore Host beside an absolute target, but one that differs has no honest reason.
        (Some(target), Some(field)) if target != field => Err(malformed("Host and target disagree")),
        (Some(target), _) => Ok(target),
        (None, Some(field)) => Ok(field),
        (None, None) if parts.version == Version::HTTP_10 => {
            Ok(Authority { host: Box::default(), port: None })
        }
        (None, None) => Err(malformed("no Host field")),
    }
}

/// The protocol that the client wants to change to: `Upgrade` in HTTP/1.1, extended CONNECT in HTTP/2 (RFC 8441).
fn upgrade(parts: &Parts, present: Present) -> Result<Option<HeaderValue>, ProxyError> {
    if parts.method == Method::CONNECT {
        let protocol = parts.extensions.get::<h2::ext::Protocol>();
        let protocol = protocol.filter(|_| parts.version == Version::HTTP_2);
        let protocol = protocol.ok_or_else(|| ProxyError::new(ErrorKind::MethodUnsupported))?;
        if carries_requests(protocol.as_str().as_bytes()) {
            return Err(ProxyError::new(ErrorKind::MethodUnsupported));
        }
        return HeaderValue::from_str(protocol.as_str()).map(Some).map_err(malformed);
    }
    let asked = parts.version == Version::HTTP_11 && present.has(present::CONNECTION);
    if !asked || !hop::lists(&parts.headers, "upgrade") {
        return Ok(None);
    }
    let mut wanted = parts.headers.get_all(UPGRADE).iter();
    Ok(wanted.next().filter(|first| wanted.all(|_| false) && !carries_requests(first.as_bytes())).cloned())
}

/// Whether one of these protocols is HTTP itself, or TLS for it (RFC 2817): further requests would go down the tunnel
/// past every route and every guard. RFC 9113 section 3.1 has retired `h2c`, so nobody honest asks for it; what asks
/// for it is served as if it had not (RFC 9110 section 7.8).
fn carries_requests(protocols: &[u8]) -> bool {
    const HTTP: [&[u8]; 5] = [b"h2c", b"h2", b"h3", b"http", b"tls"];
    let names = protocols.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let mut bare = names.filter_map(|name| name.split(|&byte| byte == b'/').next());
    bare.any(|name| HTTP.iter().any(|http| name.eq_ignore_ascii_case(http)))
}

type PathAndQuery = (Box<str>, Option<Box<str>>);

fn target(method: &Method, uri: &Uri, paths: PathMode) -> Result<PathAndQuery, ProxyError> {
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length > TARGET_BYTES {
        return Err(ProxyError::new(ErrorKind::TargetTooLong));
    }
    // RFC 9112 sections 3.2.2 and 3.2.3: an absolute target of another scheme is no request of this server's, and a bare
    // authority is the target of CONNECT alone.
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(malformed("a scheme that is not HTTP"));
    }
    if uri.path().is_empty() {
        return Err(malformed("a target that does not begin with a slash"));
    }
    if uri.path() == "*" {
        let fits = *method == Method::OPTIONS;
        return fits.then(|| ("*".into(), None)).ok_or_else(|| malformed("`*` is a target of OPTIONS alone"));
    }
    let path = normalise(uri.path(), paths).map_err(malformed)?;
    Ok((path.into(), uri.query().map(Into::into)))
}

fn malformed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProxyError {
    ProxyError::new(ErrorKind::RequestMalformed).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tunnel_leads_to_requests() {
        for (protocols, expected) in [
            ("websocket", false),
            ("echo/1, foo", false),
            ("h2c", true),
            ("H2C", true),
            ("websocket, h2c", true),
            ("HTTP/2.0", true),
            ("TLS/1.2", true),
            ("h2cx", false),
            ("", false),
        ] {
            assert_eq!(carries_requests(protocols.as_bytes()), expected, "{protocols}");
        }
    }
}
