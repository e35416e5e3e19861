//! A client that sends exactly the bytes it is told, over TCP or TLS, and sees exactly what comes back.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

use crate::http1::{RawResponse, find, parse_response};
use crate::tls::TlsOptions;
use crate::wait::PATIENCE;

/// One connection.
pub struct RawClient {
    stream: Stream,
    /// What came and was not taken yet.
    buffer: Vec<u8>,
    end: Option<End>,
}

/// How the other side ended the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// FIN (or close_notify).
    Closed,
    Reset,
    /// A TLS alert or another TLS fault, as the library words it.
    Tls(String),
    /// It did not; the time was up.
    Open,
}

impl RawClient {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::new(Stream::Plain(tcp(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"))))
    }

    /// From this address of our own.
    #[track_caller]
    pub fn connect_from(own: IpAddr, address: SocketAddr) -> Self {
        let tried = tcp_from(own, address);
        Self::new(Stream::Plain(tried.unwrap_or_else(|error| panic!("{own} to {address}: {error}"))))
    }

    /// Over TLS, panics when the handshake fails.
    #[track_caller]
    pub fn connect_tls(address: SocketAddr, server_name: &str, options: &TlsOptions) -> Self {
        let tried = Self::try_connect_tls(address, server_name, options);
        tried.unwrap_or_else(|error| panic!("TLS to {address} as {server_name}: {error}"))
    }

    /// Over TLS. In TLS 1.3 a server that refuses the client's certificate says so only after the handshake.
    pub fn try_connect_tls(address: SocketAddr, server_name: &str, options: &TlsOptions) -> io::Result<Self> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(options.config(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, tcp(address)?);
        stream.sock.set_read_timeout(Some(PATIENCE))?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::new(Stream::Tls(Box::new(stream))))
    }

    /// Connects, sends, and takes the first response.
    #[track_caller]
    pub fn ask(address: SocketAddr, bytes: impl AsRef<[u8]>) -> RawResponse {
        Self::connect(address).send(bytes).response()
    }

    /// Sends all of it. A server that has closed already is not an error here: what it answered says why.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        match self.stream.write_all(bytes.as_ref()).and_then(|()| self.stream.flush()) {
            Err(error) if !is_gone(&error) => panic!("send: {error}"),
            _ => self,
        }
    }

    /// The next response, a 1xx too; panics when there is none.
    #[track_caller]
    pub fn response(&mut self) -> RawResponse {
        self.take_response(false)
    }

    /// The next response, to a HEAD request.
    #[track_caller]
    pub fn response_to_head(&mut self) -> RawResponse {
        self.take_response(true)
    }

    /// The next response; `None` when the connection ends without one, or time is up.
    #[track_caller]
    pub fn try_response(&mut self, limit: Duration) -> Option<RawResponse> {
        self.read_while(limit, |client| client.parse(false))
    }

    /// What comes up to and including `needle`; panics when it never comes.
    #[track_caller]
    pub fn read_until(&mut self, needle: impl AsRef<[u8]>) -> Vec<u8> {
        let needle = needle.as_ref();
        let found = self.read_while(PATIENCE, |client| {
            find(&client.buffer, needle).map(|at| client.buffer.drain(..at + needle.len()).collect())
        });
        found.unwrap_or_else(|| panic!("{} never came; {self:?}", String::from_utf8_lossy(needle)))
    }

    /// The next `count` bytes; panics when they never come.
    #[track_caller]
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        self.try_read(count).unwrap_or_else(|| panic!("{count} bytes never came; {self:?}"))
    }

    /// The next `count` bytes; `None` when the connection ends before they have come.
    pub fn try_read(&mut self, count: usize) -> Option<Vec<u8>> {
        self.read_while(PATIENCE, |client| {
            (client.buffer.len() >= count).then(|| client.buffer.drain(..count).collect())
        })
    }

    /// What `take` makes of what has come, and how many bytes that takes away; `None` when the connection ends, or time is
    /// up, before it makes anything of it.
    pub(crate) fn take_within<T>(
        &mut self,
        limit: Duration,
        take: impl Fn(&[u8]) -> Option<(T, usize)>,
    ) -> Option<T> {
        self.read_while(limit, |client| {
            let (found, taken) = take(&client.buffer)?;
            client.buffer.drain(..taken);
            Some(found)
        })
    }

    /// How the connection ends within `limit`, and what came before that.
    pub fn end_within(&mut self, limit: Duration) -> (End, Vec<u8>) {
        self.read_while(limit, |_| None::<()>);
        (self.end.clone().unwrap_or(End::Open), std::mem::take(&mut self.buffer))
    }

    /// How the connection ends, and what came before that.
    pub fn end(&mut self) -> (End, Vec<u8>) {
        self.end_within(PATIENCE)
    }

    /// Panics unless the other side has ended the connection, or does so soon, without another byte.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let (end, rest) = self.end();
        assert!(end != End::Open && rest.is_empty(), "{end:?} after {:?}", String::from_utf8_lossy(&rest));
    }

    /// Sends FIN and goes on reading.
    pub fn close_write(&mut self) -> &mut Self {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            tls.flush().ok();
        }
        self.stream.tcp().shutdown(Shutdown::Write).ok();
        self
    }

    /// Ends the connection by RST.
    pub fn reset(self) {
        SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO)).expect("a socket option");
    }

    /// Makes the receive buffer as small as the kernel lets it, to be a slow reader. Before the first byte.
    pub fn small_window(&mut self) -> &mut Self {
        self.window(1)
    }

    /// Makes the receive buffer so small, or as small as the kernel lets it. Before the first byte.
    pub fn window(&mut self, bytes: usize) -> &mut Self {
        SockRef::from(self.stream.tcp()).set_recv_buffer_size(bytes).expect("a socket option");
        self
    }

    #[track_caller]
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.tcp().local_addr().expect("an address")
    }

    /// The protocol agreed by ALPN.
    pub fn alpn(&self) -> Option<String> {
        let Stream::Tls(tls) = &self.stream else { return None };
        tls.conn.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned())
    }

    /// The certificate the server sent, DER.
    pub fn server_certificate(&self) -> Option<Vec<u8>> {
        let Stream::Tls(tls) = &self.stream else { return None };
        tls.conn.peer_certificates()?.first().map(|certificate| certificate.to_vec())
    }

    /// The TLS session, for versions, suites and resumption.
    pub fn tls(&self) -> Option<&ClientConnection> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(tls) => Some(&tls.conn),
        }
    }

    fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new(), end: None }
    }

    #[track_caller]
    fn take_response(&mut self, to_head: bool) -> RawResponse {
        let found = self.read_while(PATIENCE, |client| client.parse(to_head));
        found.unwrap_or_else(|| panic!("no response; {self:?}"))
    }

    fn parse(&mut self, to_head: bool) -> Option<RawResponse> {
        let (response, taken) = parse_response(&self.buffer, to_head, self.end.is_some())?;
        self.buffer.drain(..taken);
        Some(response)
    }

    /// Reads until `take` finds what it wants, the connection ends, or time is up.
    fn read_while<T>(&mut self, limit: Duration, mut take: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = take(self) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.end.is_some() || left.is_zero() || !self.fill(left) {
                return take(self);
            }
        }
    }

    /// Reads once. `false` when nothing came in that time.
    fn fill(&mut self, limit: Duration) -> bool {
        self.stream.tcp().set_read_timeout(Some(limit)).expect("a socket option");
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                self.end = Some(End::Tls(error.to_string()))
            }
            // A TLS peer that closes TCP without close_notify.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.end = Some(End::Closed),
            Err(error) if is_gone(&error) => self.end = Some(End::Reset),
            Err(error) => panic!("receive: {error}"),
        }
        true
    }
}

impl fmt::Debug for RawClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unread = String::from_utf8_lossy(&self.buffer);
        f.debug_struct("RawClient").field("end", &self.end).field("unread", &unread).finish_non_exhaustive()
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn tcp_from(own: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(own, 0).into())?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
