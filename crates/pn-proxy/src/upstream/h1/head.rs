//! Request heads as they are written, response heads as the exchange takes them.

use crate::wire::scratch;
use http::header::HeaderValue;
use http::{Method, StatusCode};
use pn_core::context::FieldList;
use pn_http1::{
    Framing, HeadWriter, Known, KnownSet, Limits, Name, Refusal, RequestTarget, ResponseHead, Value,
};

/// As much as a listener takes of a request by default.
pub(super) const LIMITS: Limits =
    Limits { head_bytes: 64 << 10, fields: 128, target_bytes: 0, line_bytes: 64 << 10 };

/// A request but for its body.
pub(in super::super) struct Asked<'a> {
    pub(in super::super) method: &'a Method,
    pub(in super::super) target: RequestTarget<'a>,
    pub(in super::super) host: &'a HeaderValue,
    pub(in super::super) headers: &'a FieldList,
    /// Bytes of the body; `None` for one of unknown length.
    pub(in super::super) length: Option<u64>,
    pub(in super::super) has_body: bool,
    pub(in super::super) te_trailers: bool,
    pub(in super::super) expect: bool,
    pub(in super::super) upgrade: Option<&'a HeaderValue>,
    /// No other request is going to follow.
    pub(in super::super) close: bool,
}

impl<'a> Asked<'a> {
    /// Without a body, or anything else.
    pub(in super::super) fn new(
        method: &'a Method,
        target: RequestTarget<'a>,
        host: &'a HeaderValue,
        headers: &'a FieldList,
    ) -> Self {
        Self {
            method,
            target,
            host,
            headers,
            length: None,
            has_body: false,
            te_trailers: false,
            expect: false,
            upgrade: None,
            close: false,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        match self.length {
            Some(length) if self.has_body => Framing::Length(length),
            _ if self.has_body => Framing::Chunked,
            // RFC 9110 section 8.6: a method that may have a body says that it has none.
            _ if matches!(*self.method, Method::POST | Method::PUT | Method::PATCH) => Framing::Length(0),
            _ => Framing::None,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut head = HeadWriter::request(out, self.method, self.target);
        head.field(const { Name::from_static("host") }, self.host.into());
        // HTTP/2 clients may send cookies in pieces, which HTTP/1.1 has no words for (RFC 9113 section 8.2.3).
        if self.headers.is_repeated(Known::Cookie) {
            head.lines(self.headers, OURS.with(KnownSet::of(&[Known::Cookie])));
            let cookies = self.headers.all_known(Known::Cookie).filter_map(Value::new);
            head.joined(const { Name::from_static("cookie") }, cookies, Value::from_static("; "));
        } else {
            head.lines(self.headers, OURS);
        }
        head.framing(self.framing());
        if self.expect {
            head.field(const { Name::from_static("expect") }, Value::from_static("100-continue"));
        }
        if self.te_trailers {
            head.field(const { Name::from_static("te") }, Value::from_static("trailers"));
        }
        match self.upgrade {
            Some(protocol) => {
                head.field(const { Name::from_static("connection") }, Value::from_static("upgrade"));
                head.field(const { Name::from_static("upgrade") }, protocol.into());
            }
            None if self.te_trailers => {
                head.field(const { Name::from_static("connection") }, Value::from_static("te"));
            }
            None if self.close => {
                head.field(const { Name::from_static("connection") }, Value::from_static("close"));
            }
            None => {}
        }
        head.finish();
    }
}

/// Written by rules of their own.
const OURS: KnownSet = KnownSet::of(&[
    Known::Host,
    Known::ContentLength,
    Known::TransferEncoding,
    Known::Expect,
    Known::Te,
    Known::Connection,
    Known::Upgrade,
]);

/// A response head, without what belongs to its connection.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: FieldList,
}

/// The head at the beginning of `input`. `None` when it is not all there.
pub(super) fn read(input: &[u8], method: &Method) -> Result<Option<(ResponseHead, Head)>, Refusal> {
    let mut headers = scratch::take_list();
    let Some(head) = headers.read_response(input, &LIMITS, method)? else { return Ok(None) };
    let status = head.status;
    Ok(Some((head, Head { status, headers })))
}
