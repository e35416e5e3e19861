//! What an origin was sent, read as strictly as RFC 9112 allows: a proxy that leaves any room for a second reading
//! fails here. Written for tests alone; shares no code with the proxy or with any HTTP library.

use std::io::{self, ErrorKind};

use crate::raw_origin::Wire;

/// A request as it came over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The whole first line.
    pub line: String,
    /// Names as they came.
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Seen {
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a field, in order.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let same = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }
}

/// Reads the next request of a connection. An error, and with it the end of the script, when it is not well-formed.
pub fn read_request(wire: &mut Wire) -> io::Result<Seen> {
    read_request_after(wire, |_, _| Ok(()))
}

/// The same; what is to be done once the head is there, before the body is read, is said by `then`.
pub fn read_request_after(
    wire: &mut Wire,
    then: impl FnOnce(&Seen, &mut Wire) -> io::Result<()>,
) -> io::Result<Seen> {
    let mut bytes = wire.read_until(b"\r\n\r\n")?;
    let (mut seen, framing) = head(&bytes).map_err(bad)?;
    then(&seen, wire)?;
    match framing {
        Framing::Length(length) => seen.body = wire.read(length)?,
        Framing::Chunked => {
            bytes.clear();
            loop {
                let line = wire.read_until(b"\r\n")?;
                bytes.extend(&line);
                match chunk_size(line.strip_suffix(b"\r\n").unwrap_or(&line)).map_err(bad)? {
                    0 => break,
                    size => bytes.extend(wire.read(size + 2)?),
                }
            }
            while !bytes.ends_with(b"\r\n\r\n") {
                bytes.extend(wire.read_until(b"\r\n")?);
            }
            chunks(&mut seen, &bytes).map_err(bad)?;
        }
    }
    Ok(seen)
}

/// Every request in what came on one connection; an error names what does not belong to a whole one.
pub fn requests(mut bytes: &[u8]) -> Result<Vec<Seen>, String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let end = find(bytes, b"\r\n\r\n").ok_or_else(|| format!("no whole head: {}", text(bytes)))? + 4;
        let (mut seen, framing) = head(&bytes[..end])?;
        let rest = &bytes[end..];
        let taken = match framing {
            Framing::Length(length) => {
                let body = rest.get(..length).ok_or_else(|| format!("no whole body: {}", text(rest)))?;
                seen.body = body.to_vec();
                length
            }
            Framing::Chunked => chunks(&mut seen, rest)?,
        };
        bytes = &rest[taken..];
        found.push(seen);
    }
    Ok(found)
}

enum Framing {
    Length(usize),
    Chunked,
}

fn head(bytes: &[u8]) -> Result<(Seen, Framing), String> {
    let text = std::str::from_utf8(bytes).map_or_else(|_| latin(bytes), str::to_owned);
    let mut lines = text.strip_suffix("\r\n\r\n").unwrap_or(&text).split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = words[..] else { return Err(format!("a bad request line: {line:?}")) };
    if !is_token(method) || target.is_empty() || target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(format!("a bad request line: {line:?}"));
    }
    let headers = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    let seen = Seen { line, headers, ..Seen::default() };
    if seen.header("host").len() != 1 {
        return Err(format!("not one Host: {seen:?}"));
    }
    let framing = match (&seen.header("transfer-encoding")[..], &seen.header("content-length")[..]) {
        ([], []) => Framing::Length(0),
        (["chunked"], []) => Framing::Chunked,
        ([], [length]) if length.bytes().all(|digit| digit.is_ascii_digit()) => {
            Framing::Length(length.parse().map_err(|_| format!("a bad length: {length:?}"))?)
        }
        _ => return Err(format!("ambiguous framing: {seen:?}")),
    };
    Ok((seen, framing))
}

/// Takes a chunked body out of the front of `bytes`; returns how long it is there.
fn chunks(seen: &mut Seen, bytes: &[u8]) -> Result<usize, String> {
    let mut at = 0;
    loop {
        let (line, next) = line_at(bytes, at)?;
        at = next;
        let size = chunk_size(line)?;
        if size == 0 {
            break;
        }
        seen.body.extend(bytes.get(at..at + size).ok_or("a chunk that is not whole")?);
        at += size;
        if bytes.get(at..at + 2) != Some(b"\r\n") {
            return Err("a chunk without its CRLF".to_owned());
        }
        at += 2;
    }
    loop {
        let (line, next) = line_at(bytes, at)?;
        at = next;
        if line.is_empty() {
            return Ok(at);
        }
        seen.trailers.push(field(&text(line))?);
    }
}

fn line_at(bytes: &[u8], at: usize) -> Result<(&[u8], usize), String> {
    let end = find(&bytes[at..], b"\r\n").ok_or_else(|| format!("no whole line: {}", text(&bytes[at..])))?;
    Ok((&bytes[at..at + end], at + end + 2))
}

/// Hexadecimal digits and nothing else: the proxy has no reason to send extensions.
fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let digits = text(line);
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let size = plain.then(|| usize::from_str_radix(&digits, 16).ok()).flatten();
    size.ok_or_else(|| format!("a bad chunk size: {digits:?}"))
}

fn field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("a bad field: {line:?}"))?;
    let control = |c: char| c != '\t' && c.is_ascii_control();
    if !is_token(name) || value.contains(control) {
        return Err(format!("a bad field: {line:?}"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(valid)
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Byte for character, so that nothing is lost of what is not UTF-8.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[track_caller]
    fn check(text: &str, expected: Option<&[&str]>) {
        let found = requests(text.as_bytes()).ok();
        let found = found.map(|found| {
            let told = found.iter().map(|seen| format!("{} {}", seen.target(), seen.body.len()));
            told.collect::<Vec<_>>()
        });
        assert_eq!(found, expected.map(|all| all.iter().map(ToString::to_string).collect()), "{text:?}");
    }

    #[test]
    fn only_what_has_one_reading_is_a_request() {
        check(
            "GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n",
            Some(&["/a 0", "/b 0"]),
        );
        check("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc", Some(&["/ 3"]));
        check(
            "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: 1\r\n\r\n",
            Some(&["/ 2"]),
        );
        for bad in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\nhost: a\n\n",
            "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
            "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
            "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nab",
            "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n\r\nx",
        ] {
            check(bad, None);
        }
    }
}
