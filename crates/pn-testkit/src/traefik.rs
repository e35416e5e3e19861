//! Traefik, for the file that it keeps accounts and certificates in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folder::Folder;
use crate::pebble::Pebble;
use crate::port::free_port;
use crate::process::Peer;
use crate::python::venv_program;

/// A running Traefik. Dropping it ends it.
#[derive(Debug)]
pub struct Traefik {
    peer: Peer,
    store: PathBuf,
    secure: SocketAddr,
    _folder: Folder,
}

impl Traefik {
    /// Obtains a certificate for this host from the pebble, by http-01 at this port. Its resolver is called `main`.
    #[track_caller]
    pub fn start(pebble: &Pebble, http: u16, host: &str) -> Self {
        let folder = Folder::new();
        let store = folder.join("acme.json");
        Self::run(folder, pebble, store, "main", http, &[host])
    }

    /// The same for these hosts and the resolver of this name, with what it finds in this store.
    #[track_caller]
    pub fn going_on(pebble: &Pebble, store: &Path, resolver: &str, http: u16, hosts: &[&str]) -> Self {
        Self::run(Folder::new(), pebble, store.to_owned(), resolver, http, hosts)
    }

    #[track_caller]
    fn run(
        folder: Folder,
        pebble: &Pebble,
        store: PathBuf,
        resolver: &str,
        http: u16,
        hosts: &[&str],
    ) -> Self {
        let secure = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let router = |host: &&str| {
            let name = host.replace('.', "-");
            let tls = serde_json::json!({"certResolver": resolver});
            let rule = format!("Host(`{host}`)");
            let router = serde_json::json!({"rule": rule, "service": "noop@internal", "entryPoints": ["secure"], "tls": tls});
            (name, router)
        };
        let routers: serde_json::Map<_, _> = hosts.iter().map(router).collect();
        // JSON is YAML.
        let dynamic = serde_json::json!({"http": {"routers": routers}}).to_string();
        let dynamic = folder.write("dynamic.yml", dynamic);
        let mut resolvers = serde_json::Map::new();
        let acme = serde_json::json!({"acme": {
            "caServer": pebble.directory(), "email": "ops@proxy.example", "storage": store,
            "httpChallenge": {"entryPoint": "web"},
        }});
        resolvers.insert(resolver.to_owned(), acme);
        let fixed = serde_json::json!({
            "global": {"checkNewVersion": false}, "log": {"level": "DEBUG"},
            "entryPoints": {
                "web": {"address": format!("127.0.0.1:{http}")}, "secure": {"address": secure.to_string()},
            },
            "providers": {"file": {"filename": dynamic}},
            "certificatesResolvers": resolvers,
        });
        let fixed = folder.write("traefik.yml", fixed.to_string());
        let mut command = Command::new(venv_program("traefik"));
        command.env("LEGO_CA_CERTIFICATES", pebble.authority().root());
        command.current_dir(folder.path()).arg("--configfile").arg(fixed);
        Self { peer: Peer::start("traefik", &command), store, secure, _folder: folder }
    }

    /// Its store.
    pub fn file(&self) -> &Path {
        &self.store
    }

    /// Where it speaks TLS.
    pub fn secure(&self) -> SocketAddr {
        self.secure
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
