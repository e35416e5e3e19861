//! One line. Values come from clients: every one is escaped and bounded.

use http::Version;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};
use pn_core::RequestContext;
use pn_core::context::{Connection, FieldValue};
use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Longest value from a client, so that the lines that wait stay within megabytes.
const VALUE_BYTES: usize = 2 << 10;
/// Never logged, whatever the configuration names.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// An exchange as it is logged.
pub(crate) struct Entry<'a> {
    pub(crate) connection: &'a Connection,
    /// `None` for a request that was refused before it was understood.
    pub(crate) request: Option<&'a RequestContext>,
    pub(crate) status: u16,
    pub(crate) duration: Duration,
    /// Bytes of the request body.
    pub(crate) received: u64,
    /// Bytes of the response body.
    pub(crate) sent: u64,
    /// The server that answered.
    pub(crate) server: Option<&'a str>,
    pub(crate) retries: u32,
    pub(crate) error: Option<&'static str>,
    /// When it ended.
    pub(crate) wall_clock: Duration,
}

impl Entry<'_> {
    /// The line, with its end.
    pub(crate) fn line(&self, fields: &[String]) -> String {
        let mut line = Object(String::with_capacity(512));
        line.0.push('{');
        line.text("time", &begun(self.wall_clock.saturating_sub(self.duration)));
        line.number("duration_ms", self.duration.as_micros() as f64 / 1e3);
        line.text("listener", &self.connection.listener);
        self.peer(&mut line);
        if let Some(request) = self.request {
            self.request(&mut line, request);
        }
        line.number("status", f64::from(self.status));
        line.number("request_bytes", self.received as f64);
        line.number("response_bytes", self.sent as f64);
        line.optional("server", self.server);
        if self.retries > 0 {
            line.number("retries", f64::from(self.retries));
        }
        line.optional("error", self.error);
        self.tls(&mut line);
        if let Some(request) = self.request {
            headers(&mut line, request, fields);
        }
        line.0.push_str("}\n");
        line.0
    }

    fn peer(&self, line: &mut Object) {
        if let Some(peer) = self.connection.peer {
            line.text("peer_ip", &peer.ip().to_string());
            line.number("peer_port", f64::from(peer.port()));
        }
    }

    fn request(&self, line: &mut Object, request: &RequestContext) {
        line.text("client_ip", &request.client_ip().to_string());
        line.text("method", request.method().as_str());
        line.text("scheme", request.scheme().as_str());
        line.text("host", request.host());
        line.text("path", request.original_path());
        line.optional("query", request.query());
        line.text("protocol", protocol(request.version()));
        line.optional("site", request.site());
        line.optional("route", request.route());
        line.optional("service", request.service());
        line.optional("user", request.user());
    }

    fn tls(&self, line: &mut Object) {
        let Some(tls) = &self.connection.tls else { return };
        line.text("tls_version", tls.version);
        line.text("tls_cipher", tls.cipher_suite);
        line.optional("tls_server_name", tls.sni.as_deref());
        line.optional("tls_client_subject", tls.client.as_ref().map(|client| &*client.subject));
    }
}

/// An object of `request_headers`, with those that were sent.
fn headers(line: &mut Object, request: &RequestContext, fields: &[String]) {
    let named = fields.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let mut inner = Object(String::new());
    for name in named.filter(|name| !SECRET.contains(name)) {
        let values: Vec<_> = request.header_all(&name).map(shown).collect();
        if !values.is_empty() {
            inner.text(name.as_str(), &values.join(", "));
        }
    }
    if !inner.0.is_empty() {
        line.key("request_headers");
        line.0.push('{');
        line.0.push_str(&inner.0);
        line.0.push('}');
    }
}

/// A middleware may have put a secret there, and said so.
fn shown(value: FieldValue<'_>) -> Cow<'_, str> {
    if value.is_sensitive() { Cow::Borrowed("***") } else { String::from_utf8_lossy(value.as_bytes()) }
}

fn begun(since_epoch: Duration) -> String {
    let nanoseconds = i128::try_from(since_epoch.as_millis()).unwrap_or_default() * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_default()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Members of a JSON object, appended to a text.
struct Object(String);

impl Object {
    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.0.push('"');
        for c in bounded(value).chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                c if c.is_control() => self.append(format_args!("\\u{:04x}", u32::from(c))),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: f64) {
        self.key(key);
        self.append(format_args!("{value}"));
    }

    fn key(&mut self, key: &str) {
        if !self.0.is_empty() && !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    fn append(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.0.write_fmt(text).unwrap_or_default();
    }
}

fn bounded(value: &str) -> &str {
    value.get(..value.floor_char_boundary(VALUE_BYTES)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};
    use pn_core::context::{RequestHead, Scheme};
    use std::rc::Rc;

    fn request(path: &str) -> RequestContext {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("curl \"8\""));
        headers.insert("authorization", HeaderValue::from_static("Basic c2VjcmV0"));
        headers.insert("cookie", HeaderValue::from_static("id=secret"));
        let head = RequestHead {
            method: Method::GET,
            host: "a.test".into(),
            port: None,
            path: path.into(),
            query: Some("a=1".into()),
            version: Version::HTTP_11,
            headers: headers.into(),
        };
        let connection = Rc::new(connection());
        RequestContext::new(head, connection, "192.0.2.9".parse().unwrap(), Scheme::Https)
    }

    fn connection() -> Connection {
        let peer = "192.0.2.1:4711".parse().ok();
        Connection { listener: "web".into(), peer, local: None, tls: None }
    }

    fn line(request: Option<&RequestContext>, fields: &[&str]) -> String {
        let entry = Entry {
            connection: &connection(),
            request,
            status: 200,
            duration: Duration::from_micros(1_500),
            received: 3,
            sent: 1 << 40,
            server: Some("http://10.0.0.1"),
            retries: 1,
            error: None,
            wall_clock: Duration::from_millis(1_700_000_000_124),
        };
        entry.line(&fields.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn every_field_in_its_place() {
        assert_eq!(
            line(Some(&request("/x")), &["user-agent", "authorization", "cookie", "x-none"]),
            "{\"time\":\"2023-11-14T22:13:20.122Z\",\"duration_ms\":1.5,\"listener\":\"web\",\
             \"peer_ip\":\"192.0.2.1\",\"peer_port\":4711,\"client_ip\":\"192.0.2.9\",\"method\":\"GET\",\
             \"scheme\":\"https\",\"host\":\"a.test\",\"path\":\"/x\",\"query\":\"a=1\",\"protocol\":\"HTTP/1.1\",\
             \"status\":200,\"request_bytes\":3,\"response_bytes\":1099511627776,\"server\":\"http://10.0.0.1\",\
             \"retries\":1,\"request_headers\":{\"user-agent\":\"curl \\\"8\\\"\"}}\n"
        );
        assert!(line(None, &[]).contains("\"peer_port\":4711,\"status\":200"));
    }

    #[test]
    fn clients_forge_no_lines() {
        let long = "é".repeat(VALUE_BYTES);
        for (path, expected) in [
            ("/a\"b\\c", "\"path\":\"/a\\\"b\\\\c\""),
            ("/a\nb\r\u{0}\u{7f}", "\"path\":\"/a\\nb\\u000d\\u0000\\u007f\""),
            (&long, &format!("\"path\":\"{}\"", "é".repeat(VALUE_BYTES / 2))),
        ] {
            let line = line(Some(&request(path)), &[]);
            assert!(line.contains(expected), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
