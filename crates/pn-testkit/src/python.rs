//! Python programs that speak what Rust crates of the proxy's own kin should not be the judge of: WebSocket and gRPC.
//! They live in `python/` beside `src/`, and run in the environment that `cargo xtask setup` makes.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Peer;
use crate::wait::wait_for;

/// Starts `python/NAME` with these arguments.
#[track_caller]
pub fn python(name: &str, arguments: &[&str]) -> Peer {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
    let mut command = Command::new(interpreter());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    // gRPC's C core takes proxies from the environment.
    for name in ["http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env_remove(name);
    }
    Peer::start(name, command.arg(script).args(arguments))
}

/// Starts a server; returns once it has printed `ready PORT`.
#[track_caller]
pub fn python_server(name: &str, arguments: &[&str]) -> (Peer, SocketAddr) {
    let peer = python(name, arguments);
    let port = wait_for("a Python server", || {
        let log = peer.log();
        let port = log.lines().find_map(|line| line.strip_prefix("ready ")?.trim().parse::<u16>().ok());
        assert!(port.is_some() || peer.is_running(), "{peer:?}");
        port
    });
    (peer, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// A program that comes as a Python package: Caddy and Traefik.
#[track_caller]
pub fn venv_program(name: &str) -> PathBuf {
    let program = venv().join("bin").join(name);
    assert!(program.exists(), "{} is not there: cargo xtask setup", program.display());
    program
}

fn interpreter() -> PathBuf {
    venv_program("python")
}

/// The same folder that `cargo xtask setup` installs into.
fn venv() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.expect("XDG_CACHE_HOME or HOME").join("proxy-now/venv")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::PATIENCE;

    #[test]
    fn websockets_echo_every_message_once_and_in_order() {
        let (_server, address) = python_server("ws_server.py", &[]);
        let url = format!("ws://{address}/");
        let out = python("ws_client.py", &[&url, "--messages", "50"]).finish(PATIENCE).expect_success();
        assert_eq!(out.trim(), r#"{"sent": 50, "received": 50, "in_order": true}"#);
    }

    #[test]
    fn grpc_streams_echo_every_message_once_and_in_order() {
        let (_server, address) = python_server("grpc_server.py", &[]);
        let target = address.to_string();
        let out = python("grpc_client.py", &[&target, "--messages", "50"]).finish(PATIENCE).expect_success();
        assert_eq!(out.trim(), r#"{"sent": 50, "received": 50, "in_order": true, "trailer": "done"}"#);
    }
}
