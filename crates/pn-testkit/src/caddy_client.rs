//! Caddy as a web server that gets its certificates of a pebble, for the folder that it keeps them in.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folder::Folder;
use crate::pebble::Pebble;
use crate::port::free_port;
use crate::process::Peer;
use crate::python::venv_program;

/// A running Caddy. Dropping it ends it.
#[derive(Debug)]
pub struct CaddyClient {
    peer: Peer,
    data: PathBuf,
    secure: SocketAddr,
    _folder: Folder,
}

impl CaddyClient {
    /// Obtains certificates for these hosts from the pebble, by http-01 at this port, in a new data folder.
    #[track_caller]
    pub fn start(pebble: &Pebble, http: u16, hosts: &[&str]) -> Self {
        let folder = Folder::new();
        let data = folder.join("data");
        Self::run(folder, pebble, data, http, hosts)
    }

    /// The same with what it finds in this data folder.
    #[track_caller]
    pub fn going_on(pebble: &Pebble, data: &Path, http: u16, hosts: &[&str]) -> Self {
        Self::run(Folder::new(), pebble, data.to_owned(), http, hosts)
    }

    #[track_caller]
    fn run(folder: Folder, pebble: &Pebble, data: PathBuf, http: u16, hosts: &[&str]) -> Self {
        let secure = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut text = format!(
            "{{\n admin off\n skip_install_trust\n default_bind 127.0.0.1\n storage file_system {}\n http_port {http}\n \
             https_port {}\n cert_issuer acme {{\n  email ops@proxy.example\n  dir {}\n  trusted_roots {}\n  \
             disable_tlsalpn_challenge\n }}\n}}\n",
            data.display(),
            secure.port(),
            pebble.directory(),
            pebble.authority().root().display()
        );
        for host in hosts {
            write!(text, "{host} {{\n respond caddy\n}}\n").expect("a text takes all");
        }
        let file = folder.write("Caddyfile", text);
        let mut command = Command::new(venv_program("caddy"));
        command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        Self { peer: Peer::start("caddy", &command), data, secure, _folder: folder }
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where it speaks TLS.
    pub fn secure(&self) -> SocketAddr {
        self.secure
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
