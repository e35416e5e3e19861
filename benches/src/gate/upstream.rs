//! A server that costs the proxy the same every time: each request is read to its end, and answered by the same bytes in
//! one write. It is not counted itself, so it may be simple.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};

pub(super) struct Upstream {
    address: SocketAddr,
}

impl Upstream {
    /// Answers every request with so many bytes, for as long as the process lives.
    pub(super) fn start(answer: usize) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let answer: Arc<[u8]> = response(answer).into();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                // A connection that breaks is the client's to report.
                thread::spawn(move || serve(&stream, &answer));
            }
        });
        Ok(Self { address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A fixed date keeps every answer the same.
fn response(length: usize) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nServer: upstream\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n";
    let mut bytes = format!("{head}Content-Length: {length}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

fn serve(mut stream: &TcpStream, answer: &[u8]) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream);
    while let Some(length) = head(&mut requests)? {
        std::io::copy(&mut requests.by_ref().take(length), &mut std::io::sink())?;
        stream.write_all(answer)?;
    }
    Ok(())
}

/// Reads a head; the length of the body that follows, `None` at the end of the connection.
fn head(requests: &mut impl BufRead) -> Result<Option<u64>> {
    let mut length = 0;
    let mut line = String::new();
    while requests.read_line(&mut line)? > 0 {
        if line == "\r\n" {
            return Ok(Some(length));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().context("a content-length")?;
        }
        line.clear();
    }
    Ok(None)
}
