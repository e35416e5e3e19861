//! Ports for processes that must be told one, and one that nobody answers on.

use std::env;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Below the range that Linux takes ports of outgoing connections from, so that none of those takes ours meanwhile.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Locks on the ports this process was given; they end with it.
static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port on which nothing listens, TCP or UDP, and that no other test process is given while this one lives.
pub fn free_port() -> u16 {
    let folder = env::temp_dir().join("proxy-now-test-ports");
    fs::create_dir_all(&folder).expect("a folder for port locks");
    let count = u64::from(LAST - FIRST) + 1;
    let start = RandomState::new().hash_one(std::process::id());
    for step in 0..count {
        let port = FIRST + u16::try_from(start.wrapping_add(step) % count).expect("less than the count");
        let Ok(lock) = File::create(folder.join(port.to_string())) else { continue };
        if lock.try_lock().is_ok() && is_free(port) {
            TAKEN.lock().expect("the list of ports").push(lock);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}

fn is_free(port: u16) -> bool {
    let any = ("0.0.0.0", port);
    TcpListener::bind(any).is_ok()
        && UdpSocket::bind(any).is_ok()
        && TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port whose queue is full: whoever connects is neither accepted nor refused.
#[derive(Debug)]
pub struct DeafPort {
    address: SocketAddr,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl DeafPort {
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        listener.listen(0).expect("a queue");
        let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let queue = std::iter::from_fn(connect).collect();
        Self { address, _listener: listener, _queue: queue }
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deaf_port_neither_takes_nor_refuses() {
        let port = DeafPort::open();
        let tried = TcpStream::connect_timeout(&port.addr(), Duration::from_millis(300));
        assert_eq!(tried.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    }

    #[test]
    fn no_port_is_given_twice() {
        let ports: std::collections::HashSet<u16> = (0..100).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 100);
    }
}
