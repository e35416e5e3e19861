//! Who listens on a port, for the message of a change that is refused. Best effort: other users' processes are not
//! shown to everybody.

use std::net::SocketAddr;

/// Such as `nginx (process 812)`. Another process goes before this one.
#[cfg(target_os = "linux")]
pub fn of(address: SocketAddr) -> Option<String> {
    let own = linux::own_inodes();
    let all = linux::listening_inodes(address);
    let foreign: Vec<u64> = all.iter().copied().filter(|inode| !own.contains(inode)).collect();
    linux::process_with(if foreign.is_empty() { &all } else { &foreign })
}

/// Whether somebody beside this process listens where a client of the address could arrive.
#[cfg(target_os = "linux")]
pub fn is_foreign(address: SocketAddr) -> bool {
    // In this order: a socket of ours that closes in between is not taken for somebody else's.
    let own = linux::own_inodes();
    linux::listening_inodes(address).iter().any(|inode| !own.contains(inode))
}

#[cfg(not(target_os = "linux"))]
pub fn of(_address: SocketAddr) -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
pub fn is_foreign(_address: SocketAddr) -> bool {
    false
}

/// Whether one connection could arrive at either: the same port, and one address or a wildcard. `[::]` is taken for one
/// of IPv4 as well.
pub fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    a.port() == b.port() && (a.ip() == b.ip() || covers(a, b) || covers(b, a))
}

#[cfg(target_os = "linux")]
mod linux {
    //! The kernel's tables.

    use super::overlap;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::path::Path;

    /// Sockets in the state LISTEN that overlap with the address.
    pub(super) fn listening_inodes(address: SocketAddr) -> Vec<u64> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let tables = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
        tables.flat_map(|table| listening(&table, address)).collect()
    }

    pub(super) fn listening(table: &str, wanted: SocketAddr) -> Vec<u64> {
        const LISTEN: &str = "0A";
        let inode = |line: &str| {
            let mut fields = line.split_ascii_whitespace();
            let local = socket_address(fields.nth(1)?)?;
            let state = fields.nth(1)?;
            let inode = fields.nth(5)?.parse().ok()?;
            (state == LISTEN && overlap(local, wanted)).then_some(inode)
        };
        table.lines().skip(1).filter_map(inode).collect()
    }

    /// `0100007F:1F90`: 32-bit words as they lie in memory, then the port.
    fn socket_address(text: &str) -> Option<SocketAddr> {
        let (ip, port) = text.rsplit_once(':')?;
        let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
        let ip = if ip.len() == 8 {
            IpAddr::V4(Ipv4Addr::from(word(0)?))
        } else {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes))
        };
        Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
    }

    pub(super) fn own_inodes() -> Vec<u64> {
        inodes_of(Path::new("/proc/self/fd"))
    }

    fn inodes_of(fds: &Path) -> Vec<u64> {
        let links = std::fs::read_dir(fds).into_iter().flatten().flatten();
        let targets = links.filter_map(|fd| std::fs::read_link(fd.path()).ok());
        targets.filter_map(|target| target.to_str().and_then(socket_inode)).collect()
    }

    pub(super) fn process_with(inodes: &[u64]) -> Option<String> {
        if inodes.is_empty() {
            return None;
        }
        std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let holds = inodes_of(&entry.path().join("fd")).iter().any(|inode| inodes.contains(inode));
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            holds.then(|| format!("{} (process {pid})", name.trim_end()))
        })
    }

    pub(super) fn socket_inode(link: &str) -> Option<u64> {
        link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernels_tables() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100\n\
            \x20  1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100\n\
            \x20  2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100\n\
            \x20  3: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0 100\n";
        for (address, expected) in [
            ("127.0.0.1:8080", &[4711][..]),
            ("0.0.0.0:8080", &[4711]),
            ("[::]:8080", &[4711, 4714]),
            ("[::1]:8080", &[4714]),
            ("127.0.0.2:8080", &[]),
            ("10.0.0.1:80", &[4713]),
            ("[::1]:80", &[]),
            ("127.0.0.1:81", &[]),
        ] {
            assert_eq!(linux::listening(table, address.parse().unwrap()), expected, "{address}");
        }
        assert_eq!(linux::socket_inode("socket:[4711]"), Some(4711));
        assert_eq!(linux::socket_inode("/dev/null"), None);
    }

    #[test]
    fn finds_this_process_and_tells_it_from_others() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = of(address).unwrap();
        assert!(found.ends_with(&format!("(process {})", std::process::id())), "{found}");
        assert!(!is_foreign(address));
    }
}
