//! A real BIND as a name server whose zones take dynamic updates.

use std::net::SocketAddr;
use std::process::Command;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Peer, find_program};

/// A running named. Dropping it ends it.
#[derive(Debug)]
pub struct Named {
    peer: Peer,
    address: SocketAddr,
    _folder: Folder,
}

impl Named {
    /// The key that may change TXT records, its algorithm hmac-sha256.
    pub const KEY: &str = "acme-key";
    /// Its secret, base64.
    pub const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTMyYnl0ZXM=";
    /// What that key may do, as a zone's `update-policy` says it.
    pub const POLICY: &str = "grant acme-key zonesub TXT;";

    /// Starts it as the primary of these zones, each with the records given beside those that every zone has.
    #[track_caller]
    pub fn start(zones: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let primary = |(zone, records): &(&str, &str)| Self::primary(&folder, zone, records, Self::POLICY);
        let statements: String = zones.iter().map(primary).collect();
        Self::start_in(folder, &statements)
    }

    /// Writes the file of a zone and returns its statement.
    pub fn primary(folder: &Folder, zone: &str, records: &str, policy: &str) -> String {
        let apex = "@ IN SOA ns1 hostmaster 1 3600 600 86400 5\n@ IN NS ns1\nns1 IN A 127.0.0.1";
        let text = format!("$ORIGIN {zone}.\n$TTL 5\n{apex}\n{records}\n");
        let file = folder.write(&format!("{zone}.zone"), text);
        format!(
            "zone \"{zone}\" {{ type primary; file \"{}\"; update-policy {{ {policy} }}; }};\n",
            file.display()
        )
    }

    /// Starts it with these statements; `<dir>` stands for its folder.
    #[track_caller]
    pub fn start_in(folder: Folder, statements: &str) -> Self {
        let port = free_port();
        let dir = folder.path().display().to_string();
        let statements = statements.replace("<dir>", &dir);
        // It listens only on addresses that an interface has, of which 127.0.0.1 is sure.
        let text = format!(
            "key \"{key}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             options {{ directory \"{dir}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             recursion no; dnssec-validation no; notify no; allow-transfer {{ any; }}; empty-zones-enable no;\n\
             pid-file \"{dir}/named.pid\"; session-keyfile \"{dir}/session.key\"; managed-keys-directory \"{dir}\"; }};\n\
             controls {{ }};\n{statements}",
            key = Self::KEY,
            secret = Self::SECRET,
        );
        let file = folder.write("named.conf", text);
        let mut command = Command::new(find_program("named"));
        let peer = Peer::start("named", command.args(["-4", "-n", "1", "-g", "-c"]).arg(file));
        peer.wait_for_log(" running\n");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { peer, address, _folder: folder }
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
