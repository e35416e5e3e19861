//! acme2certifier, a CA with what pebble lacks: renewal information (RFC 9773), profiles and dns-persist-01. It looks for
//! challenges at the ports 80 and 443 of names, and asks a name server at port 53: use it in [`crate::alone`].

use std::net::SocketAddr;

use serde_json::Value;

use crate::certificates::Authority;
use crate::folder::Folder;
use crate::port::free_port;
use crate::process::Peer;
use crate::python::python_server;

/// A running acme2certifier. Dropping it ends it.
#[derive(Debug)]
pub struct Acme2Certifier {
    peer: Peer,
    authority: Authority,
    address: SocketAddr,
    folder: Folder,
}

impl Acme2Certifier {
    /// `resolver`: the address whose port 53 it asks. `renewal`: keys of its section `[Renewalinfo]`.
    #[track_caller]
    pub fn start(resolver: &str, profiles: &[&str], renewal: &[(&str, &str)]) -> Self {
        let (folder, authority) = (Folder::new(), Authority::named("Directory Authority"));
        let identity = authority.server(&["localhost"]);
        let object = |pairs: &[(&str, &str)]| -> Value {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
        };
        let profiles: Vec<(&str, &str)> =
            profiles.iter().map(|name| (*name, "https://authority.example")).collect();
        let options = serde_json::json!({
            "port": free_port(), "resolver": resolver, "profiles": object(&profiles), "renewal": object(renewal),
        });
        let paths =
            [folder.path(), &identity.certificate, &identity.key].map(|path| path.display().to_string());
        let [dir, certificate, key] = &paths;
        let arguments = [dir, certificate, key, &options.to_string()];
        let (peer, address) = python_server("acme2certifier_server.py", &arguments.map(String::as_str));
        Self { peer, authority, address, folder }
    }

    /// Its directory, whose certificate [`Self::authority`] has signed.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/directory", self.address.port())
    }

    /// Whom clients of the directory have to trust.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The root that its certificates lead to, in PEM.
    #[track_caller]
    pub fn root(&self) -> String {
        std::fs::read_to_string(self.folder.join("root.pem")).expect("its root")
    }

    /// The orders that were asked for so far, as they came.
    pub fn orders(&self) -> Vec<Value> {
        let log = self.peer.log();
        let orders = log.lines().filter_map(|line| line.strip_prefix("order "));
        orders.map(|order| serde_json::from_str(order).expect("JSON")).collect()
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
