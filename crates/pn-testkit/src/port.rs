//! Ports for processes that must be told one.

use std::env;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: std::collections::HashSet<u16> = (0..100).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 100);
    }
}
