//! Caddy as a CA: its `acme_server` has nothing in common with pebble or acme2certifier. It looks for challenges at the
//! ports 80 and 443 of names, and asks the system's resolver for them: use it in [`crate::alone`].

use std::net::SocketAddr;
use std::process::Command;

use crate::certificates::Authority;
use crate::folder::Folder;
use crate::port::free_port;
use crate::process::Peer;
use crate::python::venv_program;

/// A running Caddy. Dropping it ends it.
#[derive(Debug)]
pub struct Caddy {
    peer: Peer,
    authority: Authority,
    address: SocketAddr,
    folder: Folder,
}

impl Caddy {
    /// Certificates that it signs last for twelve hours.
    #[track_caller]
    pub fn start() -> Self {
        let (folder, authority, port) = (Folder::new(), Authority::named("Directory Authority"), free_port());
        let identity = authority.server(&["localhost"]);
        let (dir, certificate, key) = (folder.path().display(), &identity.certificate, &identity.key);
        let file = folder.write(
            "Caddyfile",
            format!(
                "{{\n admin off\n auto_https disable_redirects\n skip_install_trust\n storage file_system {dir}/data\n}}\n\
                 https://localhost:{port} {{\n bind 127.0.0.1\n tls {} {}\n acme_server\n}}\n",
                certificate.display(),
                key.display()
            ),
        );
        let mut command = Command::new(venv_program("caddy"));
        command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        let peer = Peer::start("caddy", &command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        peer.wait_for_port(address);
        Self { peer, authority, address, folder }
    }

    /// Its directory, whose certificate [`Self::authority`] has signed.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/acme/local/directory", self.address.port())
    }

    /// Whom clients of the directory have to trust.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The root that its certificates lead to, in PEM.
    #[track_caller]
    pub fn root(&self) -> String {
        let path = self.folder.join("data/pki/authorities/local/root.crt");
        std::fs::read_to_string(path).expect("its root")
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
