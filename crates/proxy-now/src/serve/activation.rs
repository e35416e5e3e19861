//! Sockets that systemd opened and handed over (`LISTEN_FDS`), by their names. A listener takes one as `fd:NAME`.

use listenfd::ListenFd;
use std::os::fd::OwnedFd;

pub(super) fn sockets() -> Vec<(String, OwnedFd)> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut handed = ListenFd::from_env();
    (0..handed.len()).filter_map(|index| socket(&mut handed, index, names.get(index).copied())).collect()
}

/// Without a name it is called by its number, counted as systemd does from 3.
fn socket(handed: &mut ListenFd, index: usize, name: Option<&str>) -> Option<(String, OwnedFd)> {
    let name = match name {
        Some(name) if !name.is_empty() && name != "unknown" => name.to_owned(),
        _ => (index + 3).to_string(),
    };
    let tcp = handed.take_tcp_listener(index).ok().flatten().map(OwnedFd::from);
    let socket = tcp.or_else(|| handed.take_unix_listener(index).ok().flatten().map(OwnedFd::from));
    if socket.is_none() {
        tracing::warn!(name, "a socket was handed over that does not listen for connections");
    }
    socket.map(|socket| (name, socket))
}
