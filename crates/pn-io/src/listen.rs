//! Listening sockets, ready to be shared out to workers. Which are made, and when, is the data plane's business.

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// A peer whose network went away without a word is found out by the kernel, tunnels and idle connections among them.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TRIES: u32 = 4;

/// A bound TCP socket that does not listen yet. With `share` others may bind the same port (SO_REUSEPORT). `[::]` takes
/// IPv4 as well unless `binds` says that IPv4 has a socket of its own.
pub fn tcp_socket(
    address: SocketAddr,
    share: bool,
    binds: impl Fn(SocketAddr) -> bool,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let IpAddr::V6(Ipv6Addr::UNSPECIFIED) = address.ip() {
        let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
        socket.set_only_v6(binds(v4))?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    set_inherited(&socket)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What accepted connections take over from the listening socket, so that it costs no system call each.
pub fn set_inherited(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES);
    socket.set_tcp_keepalive(&keepalive)
}

/// A unix socket that listens.
pub fn unix_socket(path: &Path, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// Removes a socket file that nobody serves. Only ever a socket: any other file there is somebody's data.
pub fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    std::fs::remove_file(path)
}
