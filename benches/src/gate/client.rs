//! The client: one connection, one request at a time, so that every request finds the proxy in the same state.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use pn_testkit::{RawClient, TlsOptions, h2};

use super::scripts::{Protocol, Script};

/// Windows so large that the client never has to write about them.
const WINDOW: u32 = 0x3fff_ffff;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;

pub(super) struct Client {
    connection: RawClient,
    protocol: Protocol,
    answer: usize,
    /// HTTP/1.1: the whole request. HTTP/2: the header block of every request but the first.
    request: Vec<u8>,
    /// HTTP/2: the header block that fills the table.
    first: Vec<u8>,
    next_stream: u32,
}

impl Client {
    pub(super) fn connect(address: SocketAddr, script: &Script) -> Self {
        let host = script.host();
        let connect_tls = |protocol| {
            let options = TlsOptions::trusting_anyone().only_tls13().alpn(&[protocol]);
            RawClient::connect_tls(address, &host, &options)
        };
        let (connection, request, first) = match script.protocol {
            Protocol::Http1 => (RawClient::connect(address), http1(script), Vec::new()),
            Protocol::Http1Tls => (connect_tls("http/1.1"), http1(script), Vec::new()),
            Protocol::Http2Tls => (connect_tls("h2"), REPEATED_BLOCK.to_vec(), first_block(script)),
        };
        let mut client = Self {
            connection,
            protocol: script.protocol,
            answer: script.answer,
            request,
            first,
            next_stream: 1,
        };
        if client.protocol == Protocol::Http2Tls {
            client.connection.send(greeting());
        }
        client
    }

    /// So many requests, each answered in full before the next.
    pub(super) fn ask(&mut self, requests: u32) -> Result<()> {
        for _ in 0..requests {
            match self.protocol {
                Protocol::Http1 | Protocol::Http1Tls => self.ask_http1()?,
                Protocol::Http2Tls => self.ask_http2()?,
            }
        }
        Ok(())
    }

    fn ask_http1(&mut self) -> Result<()> {
        let response = self.connection.send(&self.request).response();
        ensure!(response.status == 200, "answered {}", response.status);
        ensure!(response.body.len() == self.answer, "answered {} bytes", response.body.len());
        Ok(())
    }

    fn ask_http2(&mut self) -> Result<()> {
        let stream = self.next_stream;
        self.next_stream += 2;
        let block = if stream == 1 { &self.first } else { &self.request };
        self.connection.send(h2::frame(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, stream, block));
        let mut body = 0;
        loop {
            let frame = h2::read_frame(&mut self.connection);
            ensure!(frame.kind != h2::RST_STREAM && frame.kind != h2::GOAWAY, "answered {frame:?}");
            if frame.kind == h2::DATA {
                body += frame.payload.len();
            }
            if frame.stream == stream && frame.flags & h2::END_STREAM != 0 {
                ensure!(body == self.answer, "answered {body} bytes");
                return Ok(());
            }
        }
    }
}

fn http1(script: &Script) -> Vec<u8> {
    let (host, path) = (script.host(), script.path());
    let common = format!("{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gate/1\r\nAccept: */*\r\n");
    if script.upload == 0 {
        return format!("GET {common}\r\n").into_bytes();
    }
    let mut bytes = format!("POST {common}Content-Length: {}\r\n\r\n", script.upload).into_bytes();
    bytes.resize(bytes.len() + script.upload, b'y');
    bytes
}

/// What a client that is honest begins with, its SETTINGS answered before they are asked for.
fn greeting() -> Vec<u8> {
    let mut setting = SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    setting.extend(WINDOW.to_be_bytes());
    [
        h2::PREFACE,
        &h2::frame(h2::SETTINGS, 0, 0, setting),
        &h2::frame(h2::WINDOW_UPDATE, 0, 0, WINDOW.to_be_bytes()),
        &h2::frame(h2::SETTINGS, h2::ACK, 0, []),
    ]
    .concat()
}

/// `:method GET` and `:scheme https` of the static table, then fields that enter the table, as browsers send them
/// (RFC 7541, section 6.2.1): 4 is `:path`, 1 `:authority`, 58 `user-agent`, 19 `accept`.
fn first_block(script: &Script) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    let fields = [(4, script.path()), (1, script.host()), (58, "gate/1".to_owned()), (19, "*/*".to_owned())];
    for (name, value) in fields {
        block.push(0x40 | name);
        // Shorter than 127, so the length is one byte.
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    block
}

/// The same fields by their places in the table: the one that entered last is 62.
const REPEATED_BLOCK: &[u8] = &[0x82, 0x87, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62];
