//! Traefik, for the file that it keeps accounts and certificates in.

use std::path::PathBuf;
use std::process::Command;

use crate::folder::Folder;
use crate::pebble::Pebble;
use crate::process::Peer;
use crate::python::venv_program;

/// A running Traefik. Dropping it ends it.
#[derive(Debug)]
pub struct Traefik {
    peer: Peer,
    folder: Folder,
}

impl Traefik {
    /// Obtains a certificate for this host from the pebble, by http-01 at this port. Its resolver is called `main`.
    #[track_caller]
    pub fn start(pebble: &Pebble, http: u16, host: &str) -> Self {
        let folder = Folder::new();
        let dynamic = folder.write(
            "dynamic.yml",
            format!(
                "http:\n  routers:\n    one:\n      rule: Host(`{host}`)\n      service: noop@internal\n      \
                 entryPoints: [web]\n      tls:\n        certResolver: main\n"
            ),
        );
        let mut command = Command::new(venv_program("traefik"));
        command.env("LEGO_CA_CERTIFICATES", pebble.authority().root());
        command.current_dir(folder.path()).args(["--global.checknewversion=false", "--log.level=DEBUG"]);
        command.arg(format!("--entrypoints.web.address=127.0.0.1:{http}"));
        command.arg(format!("--providers.file.filename={}", dynamic.display()));
        for (key, value) in [
            ("caserver", pebble.directory().as_str()),
            ("email", "ops@proxy.example"),
            ("storage", "acme.json"),
            ("httpchallenge.entrypoint", "web"),
        ] {
            command.arg(format!("--certificatesresolvers.main.acme.{key}={value}"));
        }
        Self { peer: Peer::start("traefik", &command), folder }
    }

    /// Its store.
    pub fn file(&self) -> PathBuf {
        self.folder.join("acme.json")
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
