//! The PROXY protocol, versions 1 and 2, as a trusted peer sends it before anything else.

use super::socket::Socket;
use bytes::{Buf, Bytes, BytesMut};
use pn_model::limits::PROXY_HEADER_BYTES;
use pn_model::listener::ProxyProtocolIn;
use proxy_header::{Error, ParseConfig, Protocol, ProxyHeader};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::AsyncReadExt;

const V1: &[u8] = b"PROXY ";
/// The longest line of version 1, its end among it.
const V1_BYTES: usize = 107;
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Whom a connection joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ends {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Too few to say.
    Partial,
    /// No header: the protocol itself.
    Absent,
    /// A header of so many bytes; no ends where the peer speaks for itself.
    Header(usize, Option<Ends>),
    Malformed,
}

/// Reads the header, if this peer may send one, and says whom the connection joins. A peer that is not trusted has
/// its header left in place, where it is a malformed request.
pub(crate) async fn read(socket: &mut Socket, ends: Ends, rules: &ProxyProtocolIn) -> io::Result<Ends> {
    if !trusts(rules, ends.peer) {
        return Ok(ends);
    }
    let mut bytes = BytesMut::with_capacity(256);
    loop {
        match find(&bytes) {
            Found::Partial if bytes.len() >= PROXY_HEADER_BYTES => return Err(malformed()),
            Found::Partial => {
                bytes.reserve(256);
                if socket.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Found::Absent if rules.required => return Err(malformed()),
            Found::Absent => {
                socket.put_back(bytes.freeze());
                return Ok(ends);
            }
            Found::Header(length, proxied) => {
                let mut rest: Bytes = bytes.freeze();
                rest.advance(length);
                socket.put_back(rest);
                return Ok(proxied.unwrap_or(ends));
            }
            Found::Malformed => return Err(malformed()),
        }
    }
}

fn trusts(rules: &ProxyProtocolIn, peer: Option<SocketAddr>) -> bool {
    // Who may open a unix socket is decided by the file's mode; its peers count as 127.0.0.1.
    let ip = peer.map_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), |peer| peer.ip().to_canonical());
    rules.trusted.iter().any(|network| network.contains(&ip))
}

fn find(bytes: &[u8]) -> Found {
    let begins = |signature: &[u8]| {
        let known = bytes.len().min(signature.len());
        bytes.get(..known) == signature.get(..known)
    };
    match (begins(V1), begins(V2)) {
        (false, false) => Found::Absent,
        (true, _) if bytes.len() < V1.len() => Found::Partial,
        (_, true) if bytes.len() < V2.len() => Found::Partial,
        _ => parse(bytes),
    }
}

fn parse(bytes: &[u8]) -> Found {
    let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
    match ProxyHeader::parse(bytes, config) {
        Err(Error::BufferTooShort) if is_whole(bytes) => Found::Malformed,
        Err(Error::BufferTooShort) if bytes.starts_with(V1) && bytes.len() >= V1_BYTES => Found::Malformed,
        Err(Error::BufferTooShort) => Found::Partial,
        Ok((_, length)) if length > PROXY_HEADER_BYTES => Found::Malformed,
        Ok((_, length)) if bytes.starts_with(V1) && length > V1_BYTES => Found::Malformed,
        Ok((header, length)) => match header.proxied_address() {
            None => Found::Header(length, None),
            Some(address) if address.protocol == Protocol::Stream => {
                let ends = Ends { peer: Some(address.source), local: Some(address.destination) };
                Found::Header(length, Some(ends))
            }
            Some(_) => Found::Malformed,
        },
        Err(_) => Found::Malformed,
    }
}

/// Whether all that a header of version 2 announces is there.
fn is_whole(bytes: &[u8]) -> bool {
    match bytes {
        [b'\r', rest @ ..] => match rest.get(13..15) {
            Some(length) => {
                rest.len() >= 15 + length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
            }
            None => false,
        },
        _ => false,
    }
}

/// Whatever is found early stays true, and a header lies within its bounds.
#[cfg(any(test, fuzzing))]
pub(crate) fn law(bytes: &[u8]) {
    let whole = find(bytes);
    if let Found::Header(length, _) = whole {
        let bound = if bytes.starts_with(V1) { V1_BYTES } else { PROXY_HEADER_BYTES };
        assert!(length <= bytes.len() && length <= bound, "{length}: {bytes:?}");
    }
    for end in 0..bytes.len() {
        let part = find(bytes.get(..end).unwrap_or_default());
        assert!(part == Found::Partial || part == whole, "{end}: {part:?}, then {whole:?}: {bytes:?}");
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed or missing PROXY header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(peer: &str, local: &str) -> Option<Ends> {
        Some(Ends { peer: peer.parse().ok(), local: local.parse().ok() })
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    const INET: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x1f, 0x90, 0, 80];

    fn check(bytes: &[u8], expected: Found) {
        assert_eq!(find(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn version_1() {
        let four = b"PROXY TCP4 192.0.2.1 192.0.2.2 8080 80\r\nGET /";
        check(four, Found::Header(four.len() - 5, ends("192.0.2.1:8080", "192.0.2.2:80")));
        let six = b"PROXY TCP6 2001:db8::1 2001:db8::2 8080 80\r\n";
        check(six, Found::Header(six.len(), ends("[2001:db8::1]:8080", "[2001:db8::2]:80")));
        check(b"PROXY UNKNOWN\r\n", Found::Header(15, None));
        check(b"PROXY UNKNOWN ff ff 1 2\r\n", Found::Header(25, None));
        for partial in ["", "P", "PROXY", "PROXY ", "PROXY TCP4 192.0.2.1 192", "PROXY UNKNOWN \r"] {
            check(partial.as_bytes(), Found::Partial);
        }
        let bad = ["PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n"];
        for malformed in [bad[0], bad[1], "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX"] {
            check(malformed.as_bytes(), Found::Malformed);
        }
        let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
        check(endless.as_bytes(), Found::Malformed);
        let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
        check(line(V1_BYTES).as_bytes(), Found::Header(V1_BYTES, None));
        check(&line(V1_BYTES).as_bytes()[..V1_BYTES - 1], Found::Partial);
        check(line(V1_BYTES + 1).as_bytes(), Found::Malformed);
        check(format!("{}GET / HTTP/1.1\r\n", line(216)).as_bytes(), Found::Malformed);
    }

    #[test]
    fn version_2() {
        let header = v2(0x21, 0x11, &INET);
        check(&header, Found::Header(28, ends("192.0.2.1:8080", "192.0.2.2:80")));
        check(&v2(0x20, 0x00, &[]), Found::Header(16, None));
        check(&v2(0x20, 0x11, &INET), Found::Header(28, None));
        let with_fields = v2(0x21, 0x11, &[&INET[..], &[4, 0, 3, 1, 2, 3]].concat());
        check(&with_fields, Found::Header(34, ends("192.0.2.1:8080", "192.0.2.2:80")));
        check(&header[..20], Found::Partial);
        check(&header[..5], Found::Partial);
        check(&v2(0x21, 0x12, &INET), Found::Malformed);
        check(&v2(0x31, 0x11, &INET), Found::Malformed);
        check(&v2(0x21, 0x55, &INET), Found::Malformed);
        check(&v2(0x21, 0x11, &INET[..4]), Found::Malformed);
        check(&v2(0x21, 0x11, &[INET.to_vec(), vec![0; PROXY_HEADER_BYTES]].concat()), Found::Malformed);
    }

    #[test]
    fn what_is_no_header() {
        for other in ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "POST", "\r\n\r\nX", "\u{16}\u{3}\u{1}"] {
            check(other.as_bytes(), Found::Absent);
        }
    }

    #[test]
    fn trust_is_by_the_socket() {
        let rules = ProxyProtocolIn { trusted: vec!["10.0.0.0/8".parse().unwrap()], required: false };
        for (peer, expected) in [("10.1.2.3:1", true), ("[::ffff:10.1.2.3]:1", true), ("11.0.0.1:1", false)] {
            assert_eq!(trusts(&rules, peer.parse().ok()), expected, "{peer}");
        }
    }
}
