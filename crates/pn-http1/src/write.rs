//! Heads into a caller's buffer. Beyond the buffer's own growth nothing is allocated.

use crate::framing::Framing;
use crate::known::Known;
use crate::list::FieldList;
use crate::set::KnownSet;
use crate::text::{Name, RequestTarget, Value};
use http::{Method, StatusCode};

const CRLF: &[u8] = b"\r\n";

/// Writes one head behind what the buffer holds already. Only [`HeadWriter::finish`] makes it complete.
#[derive(Debug)]
#[must_use = "a head is complete only after `finish`"]
pub struct HeadWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> HeadWriter<'o> {
    /// Begins the head of a request of HTTP/1.1.
    pub fn request(out: &'o mut Vec<u8>, method: &Method, target: RequestTarget<'_>) -> Self {
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        target.write(out);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        Self { out }
    }

    /// Begins the head of a response of HTTP/1.1, with the reason phrase that its status commonly has.
    pub fn response(out: &'o mut Vec<u8>, status: StatusCode) -> Self {
        if let Some(line) = common_line(status) {
            out.extend_from_slice(line);
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
            out.extend_from_slice(CRLF);
        }
        Self { out }
    }

    pub fn field(&mut self, name: Name<'_>, value: Value<'_>) -> &mut Self {
        self.line(name.as_bytes(), value.as_bytes())
    }

    pub fn fields<'a>(&mut self, fields: impl IntoIterator<Item = (Name<'a>, Value<'a>)>) -> &mut Self {
        for (name, value) in fields {
            self.field(name, value);
        }
        self
    }

    /// The fields of a list but for some. Lines that stand together are copied together.
    pub fn lines(&mut self, list: &FieldList, skip: KnownSet) -> &mut Self {
        self.out.reserve(list.text().len());
        let mut run = 0..0;
        for field in list.fields() {
            if skip.has(field.known) {
                continue;
            }
            let line = field.name.range().start..field.value.range().end + CRLF.len();
            if field.plain && line.start == run.end {
                run.end = line.end;
                continue;
            }
            self.copy(list, std::mem::replace(&mut run, if field.plain { line } else { 0..0 }));
            if !field.plain {
                self.field(field.name(list.text()), field.value(list.text()));
            }
        }
        self.copy(list, run);
        self
    }

    fn copy(&mut self, list: &FieldList, run: std::ops::Range<usize>) {
        self.out.extend_from_slice(list.text().get(run).unwrap_or_default());
    }

    /// One field of several values, such as those of a field that was repeated and one of our own. Nothing is written
    /// when there are none.
    pub fn joined<'a>(
        &mut self,
        name: Name<'_>,
        values: impl IntoIterator<Item = Value<'a>>,
        separator: Value<'static>,
    ) -> &mut Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return self };
        self.begin_line(name.as_bytes(), first.as_bytes());
        for value in values {
            self.out.extend_from_slice(separator.as_bytes());
            self.out.extend_from_slice(value.as_bytes());
        }
        self.out.extend_from_slice(CRLF);
        self
    }

    /// The field that says how the body is framed, if there is one.
    pub fn framing(&mut self, framing: Framing) -> &mut Self {
        match framing {
            Framing::None | Framing::UntilClose => self,
            Framing::Length(length) => self.length(length),
            Framing::Chunked => self.line(b"transfer-encoding", b"chunked"),
        }
    }

    /// `Content-Length` where the framing does not say it: of a response to HEAD, or of a 304.
    pub fn length(&mut self, length: u64) -> &mut Self {
        let (digits, from) = decimal(length);
        self.line(Known::ContentLength.name().as_bytes(), digits.get(from..).unwrap_or_default())
    }

    /// Ends the head.
    pub fn finish(self) {
        self.out.extend_from_slice(CRLF);
    }

    fn line(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        self.begin_line(name, value);
        self.out.extend_from_slice(CRLF);
        self
    }

    fn begin_line(&mut self, name: &[u8], value: &[u8]) {
        self.out.reserve(name.len() + value.len() + 4);
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
    }
}

/// The status lines of nearly all responses.
fn common_line(status: StatusCode) -> Option<&'static [u8]> {
    Some(match status.as_u16() {
        100 => b"HTTP/1.1 100 Continue\r\n",
        101 => b"HTTP/1.1 101 Switching Protocols\r\n",
        103 => b"HTTP/1.1 103 Early Hints\r\n",
        200 => b"HTTP/1.1 200 OK\r\n",
        201 => b"HTTP/1.1 201 Created\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        206 => b"HTTP/1.1 206 Partial Content\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        302 => b"HTTP/1.1 302 Found\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        307 => b"HTTP/1.1 307 Temporary Redirect\r\n",
        308 => b"HTTP/1.1 308 Permanent Redirect\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        401 => b"HTTP/1.1 401 Unauthorized\r\n",
        403 => b"HTTP/1.1 403 Forbidden\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        429 => b"HTTP/1.1 429 Too Many Requests\r\n",
        500 => b"HTTP/1.1 500 Internal Server Error\r\n",
        502 => b"HTTP/1.1 502 Bad Gateway\r\n",
        503 => b"HTTP/1.1 503 Service Unavailable\r\n",
        504 => b"HTTP/1.1 504 Gateway Timeout\r\n",
        _ => return None,
    })
}

/// The digits of a number at the end of an array, and where they begin.
fn decimal(mut number: u64) -> ([u8; 20], usize) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        from = at;
        if number == 0 {
            break;
        }
    }
    (digits, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let mut out = b"before".to_vec();
        let target = RequestTarget::of_parts(b"/a", Some(b"b")).unwrap();
        let mut head = HeadWriter::request(&mut out, &Method::PUT, target);
        let comma = Value::from_static(", ");
        head.fields([(Name::from_static("x-a"), Value::from_static("1"))])
            .joined(Name::from_static("via"), ["1.0 a", "1.1 b"].map(Value::from_static), comma)
            .joined(Name::from_static("x-none"), [], comma)
            .framing(Framing::Length(1234567890));
        head.finish();
        let expected =
            "beforePUT /a?b HTTP/1.1\r\nx-a: 1\r\nvia: 1.0 a, 1.1 b\r\ncontent-length: 1234567890\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn framings() {
        for (framing, expected) in [
            (Framing::None, ""),
            (Framing::UntilClose, ""),
            (Framing::Chunked, "transfer-encoding: chunked\r\n"),
            (Framing::Length(0), "content-length: 0\r\n"),
            (Framing::Length(u64::MAX), "content-length: 18446744073709551615\r\n"),
        ] {
            let mut out = Vec::new();
            let mut head = HeadWriter::response(&mut out, StatusCode::OK);
            head.framing(framing);
            head.finish();
            assert_eq!(String::from_utf8(out).unwrap(), format!("HTTP/1.1 200 OK\r\n{expected}\r\n"));
        }
    }

    #[test]
    fn every_status_has_its_line() {
        for code in 100..1000 {
            let status = StatusCode::from_u16(code).unwrap();
            let mut out = Vec::new();
            HeadWriter::response(&mut out, status).finish();
            let reason = status.canonical_reason().unwrap_or_default();
            assert_eq!(String::from_utf8(out).unwrap(), format!("HTTP/1.1 {code} {reason}\r\n\r\n"));
        }
    }
}
