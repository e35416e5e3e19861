//! From what a connection read to a request head in one form, or a refusal. What is ambiguous is refused (RFC 9112): this
//! is where request smuggling ends. Matching and forwarding use what comes out, never the raw bytes.

use super::authority::{Authority, LastAuthority};
use http::header::HeaderValue;
use http::uri::Scheme;
use http::{Method, Uri, Version};
use pn_core::context::{Known, KnownSet, RequestHead};
use pn_core::path::normalise;
use pn_core::{ErrorKind, ProxyError};
use pn_http1::{Form, Options, Target};
use pn_model::limits::TARGET_BYTES;
use pn_model::listener::{Listener, PathMode};

/// A request target as it came.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// As HTTP/1.1 has it: parts of the text of the fields.
    H1(&'a Target),
    Uri(&'a Uri),
}

/// What a head says that goes no further, or in another form.
#[derive(Debug)]
pub(crate) struct Asked {
    /// As it goes to the upstream when `host-header = "preserve"`.
    pub(crate) host: HeaderValue,
    pub(crate) upgrade: Option<HeaderValue>,
    /// The client takes trailers (`TE: trailers`), which gRPC upstreams want to be told.
    pub(crate) trailers: bool,
    /// The client waits for `100 Continue`, which HTTP/1.0 has not (RFC 9110 section 10.1.1).
    pub(crate) expects: bool,
}

/// Checks a head of which method, version and fields are there, and brings it into one form. `protocol` is that of an
/// extended CONNECT; of the fields those of `unbelieved` are dropped.
pub(crate) fn take_in(
    head: &mut RequestHead,
    line: &Line<'_>,
    protocol: Option<&str>,
    listener: &Listener,
    unbelieved: KnownSet,
    last: &LastAuthority,
) -> Result<Asked, ProxyError> {
    check_version(head.version)?;
    // Those of HTTP/2 are bounded by nobody else.
    if head.headers.len() > listener.limits.headers as usize {
        return Err(ProxyError::new(ErrorKind::HeadTooLarge));
    }
    // HTTP/1.1 leaves the white space out that stands around a value (RFC 9113 section 8.2.1).
    if head.version == Version::HTTP_2 && head.headers.has_padding() {
        return Err(malformed("a field value that begins or ends with white space"));
    }
    if head.headers.contains_any(FRAMING) {
        check_framing(head)?;
    }
    let options = head.headers.options().map_err(malformed)?;
    let upgrade = upgrade(head, protocol, options)?;
    let absolute = target(head, line, listener.paths)?;
    let host = authority(head, absolute.as_deref(), last)?;
    let asked = Asked {
        host,
        trailers: head.headers.contains(Known::Te) && takes_trailers(head),
        expects: head.headers.contains(Known::Expect) && head.version != Version::HTTP_10,
        upgrade,
    };
    head.headers.drop_hop_by_hop(options, OURS.with(unbelieved));
    if asked.upgrade.is_some() && head.method == Method::CONNECT {
        head.method = Method::GET;
    }
    Ok(asked)
}

const FRAMING: KnownSet = KnownSet::of(&[Known::ContentLength, Known::TransferEncoding, Known::Expect]);
/// What is told to upstreams in other ways.
const OURS: KnownSet = KnownSet::of(&[Known::Host, Known::Expect]);

fn check_version(version: Version) -> Result<(), ProxyError> {
    match version {
        Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2 => Ok(()),
        _ => Err(ProxyError::new(ErrorKind::VersionUnsupported)),
    }
}

/// RFC 9112 section 6: one way to tell where the body ends, or none.
fn check_framing(head: &RequestHead) -> Result<(), ProxyError> {
    let headers = &head.headers;
    let repeated = headers.is_repeated(Known::ContentLength);
    let ambiguous = match headers.known(Known::TransferEncoding) {
        None => repeated,
        Some(coding) => {
            headers.contains(Known::ContentLength)
                || headers.is_repeated(Known::TransferEncoding)
                || head.version != Version::HTTP_11
                || !coding.eq_ignore_ascii_case(b"chunked")
        }
    };
    let digits = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if ambiguous || !headers.all_known(Known::ContentLength).all(digits) {
        return Err(malformed("the end of the body is ambiguous"));
    }
    // RFC 9110 section 10.1.1: the only expectation there is.
    if headers.all_known(Known::Expect).any(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return Err(ProxyError::new(ErrorKind::ExpectationFailed));
    }
    Ok(())
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: exactly one host, wherever it stands.
fn authority(
    head: &mut RequestHead,
    target: Option<&str>,
    last: &LastAuthority,
) -> Result<HeaderValue, ProxyError> {
    if head.headers.is_repeated(Known::Host) {
        return Err(malformed("more than one Host field"));
    }
    let field = head.headers.known(Known::Host);
    let named = match (target, field) {
        (Some(target), Some(field)) => {
            let field = Authority::parse(field).ok_or_else(|| malformed("a bad Host field"))?;
            // A proxy must ignore Host beside an absolute target, but one that differs has no honest reason.
            if Authority::parse(target.as_bytes()).is_some_and(|target| target != field) {
                return Err(malformed("Host and target disagree"));
            }
            target.as_bytes()
        }
        (Some(target), None) => target.as_bytes(),
        (None, Some(field)) => field,
        (None, None) if head.version == Version::HTTP_10 => b"",
        (None, None) => return Err(malformed("no Host field")),
    };
    let host = last.take(named, &mut head.host, &mut head.port);
    host.ok_or_else(|| malformed("a bad Host field, or a bad authority"))
}

/// The protocol that the client wants to change to: `Upgrade` in HTTP/1.1, extended CONNECT in HTTP/2 (RFC 8441).
fn upgrade(
    head: &RequestHead,
    protocol: Option<&str>,
    options: Options,
) -> Result<Option<HeaderValue>, ProxyError> {
    if head.method == Method::CONNECT {
        let protocol = protocol.filter(|_| head.version == Version::HTTP_2);
        let protocol = protocol.filter(|protocol| !carries_requests(protocol.as_bytes()));
        let protocol = protocol.ok_or_else(|| ProxyError::new(ErrorKind::MethodUnsupported))?;
        return HeaderValue::from_str(protocol).map(Some).map_err(malformed);
    }
    let asked = options.upgrade && head.version == Version::HTTP_11;
    if !asked || head.headers.is_repeated(Known::Upgrade) {
        return Ok(None);
    }
    let wanted = head.headers.known(Known::Upgrade).filter(|wanted| !carries_requests(wanted));
    wanted.map(HeaderValue::from_bytes).transpose().map_err(malformed)
}

fn takes_trailers(head: &RequestHead) -> bool {
    let is_trailers = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"trailers");
    let mut codings = head.headers.all_known(Known::Te).flat_map(|value| value.split(|&byte| byte == b','));
    codings.any(is_trailers)
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

/// Path and query in one form; an authority where the target has one.
fn target(head: &mut RequestHead, line: &Line<'_>, paths: PathMode) -> Result<Option<String>, ProxyError> {
    match line {
        Line::Uri(uri) => from_uri(head, uri, paths),
        Line::H1(target) => {
            let RequestHead { headers, path, query, .. } = head;
            let text = headers.text();
            match plain(target, text) {
                Some((raw, rest)) => set_target(path, query, raw, rest, paths).map(|()| None),
                None => {
                    let uri = Uri::try_from(target.whole.of(text)).map_err(malformed)?;
                    from_uri(head, &uri, paths)
                }
            }
        }
    }
}

/// Path and query of a target of the usual form and nothing but usual characters, for which `Uri` would give the same.
fn plain<'a>(target: &Target, text: &'a [u8]) -> Option<(&'a str, Option<&'a str>)> {
    let usual = |byte: &u8| USUAL.get(usize::from(*byte)).copied().unwrap_or(false);
    if target.form != Form::Origin || !target.whole.of(text).iter().all(usual) {
        return None;
    }
    let query = target.query.map(|query| std::str::from_utf8(query.of(text))).transpose().ok()?;
    Some((std::str::from_utf8(target.path.of(text)).ok()?, query))
}

/// What RFC 3986 lets stand in a path or a query.
const USUAL: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0u8);
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut marks = b"/-._~%!$&'()*+,;=:@?".as_slice();
    while let [mark, rest @ ..] = marks {
        table[*mark as usize] = true;
        marks = rest;
    }
    table
};

fn from_uri(head: &mut RequestHead, uri: &Uri, paths: PathMode) -> Result<Option<String>, ProxyError> {
    // RFC 9112 sections 3.2.2 and 3.2.3: an absolute target of another scheme is no request of this server's, and a bare
    // authority is the target of CONNECT alone.
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(malformed("a scheme that is not HTTP"));
    }
    if uri.path().is_empty() {
        return Err(malformed("a target that does not begin with a slash"));
    }
    if uri.path() == "*" {
        if head.method != Method::OPTIONS {
            return Err(malformed("`*` is a target of OPTIONS alone"));
        }
        "*".clone_into(&mut head.path);
        head.query = None;
    } else {
        set_target(&mut head.path, &mut head.query, uri.path(), uri.query(), paths)?;
    }
    Ok(uri.authority().map(|authority| authority.as_str().to_owned()))
}

fn set_target(
    path: &mut String,
    query: &mut Option<String>,
    raw: &str,
    rest: Option<&str>,
    paths: PathMode,
) -> Result<(), ProxyError> {
    if raw.len() + rest.map_or(0, str::len) > TARGET_BYTES {
        return Err(ProxyError::new(ErrorKind::TargetTooLong));
    }
    normalise(raw, paths).map_err(malformed)?.as_ref().clone_into(path);
    match rest {
        Some(rest) => rest.clone_into(query.get_or_insert_default()),
        None => *query = None,
    }
    Ok(())
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
