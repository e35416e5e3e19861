//! An origin that answers with exactly the bytes its script sends, when it sends them, and keeps what it received.

use std::fmt;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::http1::find;
use crate::wait::wait_until;

/// A listening script. Dropping it ends its connections and frees its port.
pub struct RawOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// One connection, as the script sees it. An error of any step ends the script; the connection closes with it.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    number: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

struct Connection {
    /// `None` once its script has ended.
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl RawOrigin {
    /// Runs the script once for every connection, each on a thread of its own.
    pub fn start(script: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let (script, seen) = (Arc::new(script), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if seen.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (script, mut wire) = (Arc::clone(&script), Wire::accept(stream, &seen));
                // What ended a script is for the test to see in what the proxy did.
                thread::spawn(move || script(&mut wire).ok());
            }
        });
        Self { address, shared }
    }

    /// Answers the head of every request with these bytes, as often as one comes.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |wire| {
            loop {
                wire.read_request()?;
                wire.send(&bytes)?;
            }
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections().len()
    }

    /// How many of them have a script that still runs; one that only reads ends when the other side closes.
    pub fn open_connections(&self) -> usize {
        self.shared.connections().iter().filter(|each| each.stream.is_some()).count()
    }

    /// All that came on a connection so far, counted from 0.
    pub fn received(&self, connection: usize) -> Vec<u8> {
        self.shared.connections().get(connection).map(|each| each.received.clone()).unwrap_or_default()
    }

    /// All that came, connection after connection, as text.
    pub fn all_received(&self) -> String {
        let connections = self.shared.connections();
        connections.iter().map(|each| String::from_utf8_lossy(&each.received).into_owned()).collect()
    }

    /// Forgets what came, for an origin that is asked without end.
    pub(crate) fn forget(&self) {
        self.shared.connections().iter_mut().for_each(|each| each.received = Vec::new());
    }

    /// Waits until this came on any connection.
    #[track_caller]
    pub fn wait_for(&self, needle: &str) {
        wait_until(&format!("{needle:?} at the origin"), || {
            let connections = self.shared.connections();
            connections.iter().any(|each| find(&each.received, needle.as_bytes()).is_some())
        });
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listening thread, which then ends.
        TcpStream::connect(self.address).ok();
        for connection in self.shared.connections().iter() {
            if let Some(stream) = &connection.stream {
                stream.shutdown(Shutdown::Both).ok();
            }
        }
    }
}

impl fmt::Debug for RawOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawOrigin {} received {:?}", self.address, self.all_received())
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    fn accept(stream: TcpStream, shared: &Arc<Shared>) -> Self {
        stream.set_nodelay(true).expect("a socket option");
        let mut connections = shared.connections();
        let kept = stream.try_clone().expect("a second handle");
        connections.push(Connection { stream: Some(kept), received: Vec::new() });
        Self { stream, buffer: Vec::new(), number: connections.len() - 1, shared: Arc::clone(shared) }
    }

    /// Which connection this is, counted from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Reads up to and including the empty line after a head.
    pub fn read_head(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.read_until(b"\r\n\r\n")?).into_owned())
    }

    /// Reads a head and the body that its framing announces (RFC 9112, section 6).
    pub fn read_request(&mut self) -> io::Result<(String, Vec<u8>)> {
        let head = self.read_head()?;
        let lower = head.to_ascii_lowercase();
        let field = |name: &str| lower.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
        let body = if field("transfer-encoding:").is_some() {
            self.read_until(b"0\r\n\r\n")?
        } else {
            self.read(field("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0))?
        };
        Ok((head, body))
    }

    pub fn read(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    pub fn read_until(&mut self, needle: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, needle) {
                return Ok(self.buffer.drain(..at + needle.len()).collect());
            }
            self.fill()?;
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// One byte after another, with this time between them.
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>, gap: Duration) -> io::Result<()> {
        for byte in bytes.as_ref() {
            self.send([*byte])?;
            thread::sleep(gap);
        }
        Ok(())
    }

    /// Does nothing for a while; for an origin that is slow, not to wait for something.
    pub fn pause(&mut self, time: Duration) {
        thread::sleep(time);
    }

    /// Sends nothing more and goes on reading until the other side or the test ends the connection.
    pub fn stall(&mut self) -> io::Result<()> {
        loop {
            self.fill()?;
        }
    }

    /// Reads nothing more and sends nothing more until the test ends.
    pub fn freeze(&mut self) {
        while !self.shared.stopped.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends FIN; reading goes on.
    pub fn close_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Ends the connection by RST, at once.
    pub fn reset(&mut self) -> io::Result<()> {
        let mut connections = self.shared.connections();
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
        // The socket closes with its last handle: put another in the place of both of ours.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let other = TcpStream::connect(listener.local_addr()?)?;
        if let Some(kept) = connections.get_mut(self.number) {
            kept.stream = Some(other.try_clone()?);
        }
        self.stream = other;
        Err(Error::new(ErrorKind::ConnectionReset, "reset by the script"))
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..count]);
        if let Some(connection) = self.shared.connections().get_mut(self.number) {
            connection.received.extend_from_slice(&chunk[..count]);
        }
        Ok(())
    }
}

impl Drop for Wire {
    /// The origin keeps a second handle, so that closing ours alone would send no FIN.
    fn drop(&mut self) {
        self.stream.shutdown(Shutdown::Both).ok();
        if let Some(connection) = self.shared.connections().get_mut(self.number) {
            connection.stream = None;
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{End, RawClient};

    #[test]
    fn a_script_sends_its_bytes_and_ends_as_it_says() {
        let rows: [(fn(&mut Wire) -> io::Result<()>, End); 3] =
            [(|_| Ok(()), End::Closed), (Wire::reset, End::Reset), (Wire::stall, End::Open)];
        for (last, expected) in rows {
            let origin = RawOrigin::start(move |wire| {
                wire.read_head()?;
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
                last(wire)
            });
            let mut client = RawClient::connect(origin.addr());
            let response = client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").response();
            assert_eq!((response.status, response.text().as_str()), (200, "ok"));
            assert_eq!(client.end_within(Duration::from_millis(300)).0, expected);
            assert_eq!(origin.all_received(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            drop(client);
            wait_until("the script to end", || origin.open_connections() == 0);
        }
    }

    #[test]
    fn dropping_frees_the_port_and_ends_connections() {
        let origin = RawOrigin::start(Wire::stall);
        let address = origin.addr();
        let mut client = RawClient::connect(address);
        wait_until("the connection to be accepted", || origin.connections() == 1);
        drop(origin);
        client.expect_closed();
        wait_until("the port to be free", || TcpStream::connect(address).is_err());
    }
}
