//! Who listens on a port, for the message of a change that is refused. Best effort: other users' processes are not
//! shown to everybody.

use std::net::SocketAddr;

/// Such as `nginx (process 812)`.
#[cfg(target_os = "linux")]
pub fn of(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inodes: Vec<u64> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, address.port()))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let holds = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(|fd| {
            let target = std::fs::read_link(fd.path()).ok();
            let inode = target.as_deref().and_then(|target| target.to_str()).and_then(socket_inode);
            inode.is_some_and(|inode| inodes.contains(&inode))
        });
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        holds.then(|| format!("{} (process {pid})", name.trim_end()))
    })
}

#[cfg(not(target_os = "linux"))]
pub fn of(_address: SocketAddr) -> Option<String> {
    None
}

/// Lines of `/proc/net/tcp` in the state LISTEN whose local port is this one.
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        (state == LISTEN && u16::from_str_radix(local_port, 16).ok()? == port).then_some(inode)
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100\n\
            \x20  1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100\n\
            \x20  2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100\n";
        assert_eq!(listening_inodes(table, 8080), [4711]);
        assert_eq!(listening_inodes(table, 80), [4713]);
        assert_eq!(listening_inodes(table, 81), [0; 0]);
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        assert_eq!(socket_inode("/dev/null"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn finds_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = of(listener.local_addr().unwrap()).unwrap();
        assert!(found.ends_with(&format!("(process {})", std::process::id())), "{found}");
    }
}
