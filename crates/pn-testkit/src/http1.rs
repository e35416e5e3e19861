//! Reads HTTP/1 responses out of bytes, strictly enough that a proxy's framing error shows, and keeps them as they came.

/// A response as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawResponse {
    pub status: u16,
    /// The whole first line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl RawResponse {
    /// The first value of a field, by its name in any case; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers_of(name).first().copied().unwrap_or_default()
    }

    /// All values of a field, in order.
    pub fn headers_of(&self, name: &str) -> Vec<&str> {
        let same = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics when it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The first response in `bytes` and how many bytes it takes; `None` while it is incomplete. `to_head`: it answers a
/// HEAD request. `at_end`: no more bytes will come, which ends a body that has no length.
pub fn parse_response(bytes: &[u8], to_head: bool, at_end: bool) -> Option<(RawResponse, usize)> {
    let head_end = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end - 4]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
    let headers = lines.map(parse_field).collect();
    let mut response = RawResponse { status, line, headers, body: Vec::new(), trailers: Vec::new() };
    let rest = &bytes[head_end..];
    let taken = read_body(&mut response, rest, to_head, at_end)?;
    Some((response, head_end + taken))
}

/// Fills in the body and returns its length on the wire.
fn read_body(response: &mut RawResponse, rest: &[u8], to_head: bool, at_end: bool) -> Option<usize> {
    if to_head || response.status < 200 || matches!(response.status, 204 | 304) {
        return Some(0);
    }
    if response.header("transfer-encoding").to_ascii_lowercase().ends_with("chunked") {
        return read_chunks(response, rest);
    }
    let length = match response.header("content-length") {
        "" if at_end => rest.len(),
        "" => return None,
        text => text.parse().unwrap_or_else(|_| panic!("not a Content-Length: {text:?}")),
    };
    response.body = rest.get(..length)?.to_vec();
    Some(length)
}

fn read_chunks(response: &mut RawResponse, rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line_end = at + find(&rest[at..], b"\r\n")?;
        let line = String::from_utf8_lossy(&rest[at..line_end]).into_owned();
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"));
        at = line_end + 2;
        if size == 0 {
            return read_trailers(response, rest, at);
        }
        response.body.extend_from_slice(rest.get(at..at + size)?);
        assert_eq!(rest.get(at + size..at + size + 2)?, b"\r\n", "a chunk ends with CRLF");
        at += size + 2;
    }
}

fn read_trailers(response: &mut RawResponse, rest: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let line_end = at + find(&rest[at..], b"\r\n")?;
        let line = String::from_utf8_lossy(&rest[at..line_end]).into_owned();
        at = line_end + 2;
        if line.is_empty() {
            return Some(at);
        }
        response.trailers.push(parse_field(&line));
    }
}

fn parse_field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:?}"));
    (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
}

/// Where `needle` first stands in `bytes`.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_cut_where_they_end() {
        let rows: [(&str, bool, bool, Option<(&str, usize)>); 8] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", false, false, Some(("ab", 1))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", false, false, None),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, false, Some(("", 0))),
            ("HTTP/1.1 204 No\r\n\r\nx", false, false, Some(("", 1))),
            ("HTTP/1.1 200 OK\r\n\r\nabc", false, false, None),
            ("HTTP/1.1 200 OK\r\n\r\nabc", false, true, Some(("abc", 0))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: 1\r\n\r\nz",
                false,
                false,
                Some(("ab", 1)),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", false, true, None),
        ];
        for (text, to_head, at_end, expected) in rows {
            let found = parse_response(text.as_bytes(), to_head, at_end);
            let found = found.map(|(response, taken)| (response.text(), text.len() - taken));
            assert_eq!(found, expected.map(|(body, rest)| (body.to_owned(), rest)), "{text:?}");
        }
    }
}
