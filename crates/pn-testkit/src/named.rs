//! A real BIND as a name server whose zones take dynamic updates.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Peer, find_program};
use crate::wait::PATIENCE;

/// A running named. Dropping it ends it.
#[derive(Debug)]
pub struct Named {
    peer: Peer,
    address: SocketAddr,
    folder: Folder,
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
        Self::start_at(free_port(), zones)
    }

    /// The same at a port of its own.
    #[track_caller]
    pub fn start_at(port: u16, zones: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let primary = |(zone, records): &(&str, &str)| Self::primary(&folder, zone, records, Self::POLICY);
        let statements: String = zones.iter().map(primary).collect();
        Self::serve(folder, port, &statements)
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
        Self::serve(folder, free_port(), statements)
    }

    #[track_caller]
    fn serve(folder: Folder, port: u16, statements: &str) -> Self {
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
        folder.write(
            "key",
            format!("key \"{}\" {{ algorithm hmac-sha256; secret \"{}\"; }};\n", Self::KEY, Self::SECRET),
        );
        let mut command = Command::new(find_program("named"));
        let peer = Peer::start("named", command.args(["-4", "-n", "1", "-g", "-c"]).arg(file));
        peer.wait_for_log(" running\n");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { peer, address, folder }
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many records of this type (RFC 1035 section 3.2.2) it has at a name.
    #[track_caller]
    pub fn count(&self, name: &str, kind: u16) -> u16 {
        let mut query = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).expect("a label"));
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.send_to(&query, self.address).expect("a question");
        let mut answer = [0; 512];
        socket.recv(&mut answer).unwrap_or_else(|error| panic!("no answer: {error}; {:?}", self.peer));
        // RFC 1035 section 4.1.1: ANCOUNT.
        u16::from_be_bytes([answer[6], answer[7]])
    }

    /// All records of a zone but its SOA, each as in a zone file, sorted.
    #[track_caller]
    pub fn records(&self, zone: &str) -> Vec<String> {
        let port = self.address.port().to_string();
        let mut dig = Command::new(find_program("dig"));
        dig.args(["@127.0.0.1", "-p", &port, zone, "AXFR", "+noall", "+answer"]);
        let told = Peer::run("dig", &dig, PATIENCE).expect_success();
        let lines = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut records: Vec<String> = lines.filter(|line| !line.contains(" IN SOA ")).collect();
        records.sort();
        records
    }

    /// Has BIND's own client change a record; what it says where that is refused. `change`: as in `nsupdate`, such as
    /// `update add NAME 5 TXT VALUE`.
    pub fn update(&self, change: &str) -> Result<(), String> {
        let orders = format!("server 127.0.0.1 {}\n{change}\nsend\n", self.address.port());
        let folder = Folder::new();
        let mut nsupdate = Command::new(find_program("nsupdate"));
        nsupdate.arg("-k").arg(self.key_file()).arg(folder.write("orders", orders));
        let done = Peer::run("nsupdate", &nsupdate, PATIENCE);
        if done.status.success() { Ok(()) } else { Err(done.stderr) }
    }

    /// Holds the key, as `nsupdate -k` takes it.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("key")
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}
