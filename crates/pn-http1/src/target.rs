//! Request targets (RFC 9112 section 3.2): which of the four forms, and where its parts lie. What a host or a path means
//! is not decided here.

use crate::refusal::Refusal;
use crate::span::Span;
use http::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`.
    Origin,
    /// `http://authority/path?query`; the path may be empty.
    Absolute,
    /// `host:port`, of CONNECT alone.
    Authority,
    /// `*`, of OPTIONS alone.
    Asterisk,
}

/// A request target. Visible ASCII and UTF-8, without a fragment; a bad percent-encoding is for whoever reads the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub form: Form,
    pub whole: Span,
    /// In absolute-form and authority-form, without user information; empty in the others.
    pub authority: Span,
    pub path: Span,
    /// What stands behind `?`.
    pub query: Option<Span>,
}

impl Target {
    pub(crate) fn parse(input: &[u8], whole: Span, method: &Method) -> Result<Self, Refusal> {
        let text = whole.of(input);
        if memchr::memchr(b'#', text).is_some() {
            return Err(Refusal::Fragment);
        }
        if *method == Method::CONNECT {
            let form =
                Self { form: Form::Authority, whole, authority: whole, path: Span::default(), query: None };
            return is_host_and_port(text).then_some(form).ok_or(Refusal::Target);
        }
        match text {
            [b'/', ..] => Ok(Self::split(input, Form::Origin, whole, 0, 0)),
            b"*" if *method == Method::OPTIONS => {
                Ok(Self { form: Form::Asterisk, whole, authority: Span::default(), path: whole, query: None })
            }
            _ => Self::absolute(input, whole),
        }
    }

    fn absolute(input: &[u8], whole: Span) -> Result<Self, Refusal> {
        let text = whole.of(input);
        let is_scheme =
            |scheme: &[u8]| text.get(..scheme.len()).is_some_and(|front| front.eq_ignore_ascii_case(scheme));
        let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| is_scheme(scheme));
        let from = scheme.ok_or(Refusal::Target)?.len();
        let rest = text.get(from..).unwrap_or_default();
        let length = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        let authority = rest.get(..length).unwrap_or_default();
        if authority.is_empty() || authority.contains(&b'@') {
            return Err(Refusal::Target);
        }
        Ok(Self::split(input, Form::Absolute, whole, from, length))
    }

    /// Path and query behind an authority of `length` bytes at `from`.
    fn split(input: &[u8], form: Form, whole: Span, from: usize, length: usize) -> Self {
        let path = whole.within(from + length, whole.len());
        let mark = memchr::memchr(b'?', path.of(input));
        Self {
            form,
            whole,
            authority: whole.within(from, from + length),
            path: path.within(0, mark.unwrap_or(path.len())),
            query: mark.map(|mark| path.within(mark + 1, path.len())),
        }
    }
}

fn is_host_and_port(text: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', text) else { return false };
    let (host, port) = text.split_at_checked(colon).unwrap_or_default();
    let port = port.get(1..).unwrap_or_default();
    let digits = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    digits && !host.is_empty() && !host.iter().any(|byte| matches!(byte, b'/' | b'@' | b'?'))
}
