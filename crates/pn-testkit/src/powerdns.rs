//! A real PowerDNS as a name server whose zone is changed by its HTTP API.

use std::net::SocketAddr;
use std::process::Command;

use bytes::Bytes;
use http::Request;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Peer, find_program};
use crate::session::{Reply, Session};

/// A running pdns_server. Dropping it ends it.
#[derive(Debug)]
pub struct PowerDns {
    peer: Peer,
    address: SocketAddr,
    api: SocketAddr,
    zone: String,
    _folder: Folder,
}

impl PowerDns {
    /// The key of its API.
    pub const KEY: &str = "powerdns-api-key";

    /// Starts it as the primary of one zone.
    #[track_caller]
    pub fn start(zone: &str) -> Self {
        let folder = Folder::new();
        let [address, api] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        folder.write("pdns.conf", configuration(&folder.path().display().to_string(), address, api));
        let mut command = Command::new(find_program("pdns_server"));
        let peer =
            Peer::start("pdns_server", command.arg(format!("--config-dir={}", folder.path().display())));
        peer.wait_for_port(api);
        peer.wait_for_port(address);
        let server = Self { peer, address, api, zone: format!("{zone}."), _folder: folder };
        let name_server = format!("ns1.{}", server.zone);
        let zone = serde_json::json!({
            "name": server.zone, "kind": "Native", "nameservers": [name_server],
            "rrsets": [{"name": name_server, "type": "A", "ttl": 5,
                "records": [{"content": "127.0.0.1", "disabled": false}]}],
        });
        let made = server.ask("POST", "", zone.to_string());
        assert_eq!(made.status, 201, "{made:?}");
        server
    }

    /// Where it answers questions.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address of its API, as clients take it.
    pub fn api(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The values of the TXT records at a name, as its API writes them, sorted.
    #[track_caller]
    pub fn txt(&self, name: &str) -> Vec<String> {
        let zone = self.ask("GET", &format!("/{}", self.zone), String::new()).json();
        let sets = zone["rrsets"].as_array().expect("sets of records");
        let own = sets.iter().filter(|set| set["type"] == "TXT" && set["name"] == format!("{name}."));
        let records = own.flat_map(|set| set["records"].as_array().expect("records"));
        let mut values: Vec<String> =
            records.map(|record| record["content"].as_str().expect("a value").to_owned()).collect();
        values.sort();
        values
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: String) -> Reply {
        let uri = format!("http://{}/api/v1/servers/localhost/zones{path}", self.api);
        let request = Request::builder().method(method).uri(uri).header("x-api-key", Self::KEY);
        Session::http1(self.api).send(request.body(Bytes::from(body)).expect("a path"))
    }
}

/// It asks nobody in the world, and keeps nothing in mind.
fn configuration(dir: &str, address: SocketAddr, api: SocketAddr) -> String {
    format!(
        "launch=lmdb\nlmdb-filename={dir}/zones\nlmdb-shards=1\nsocket-dir={dir}\nguardian=no\ndaemon=no\n\
         security-poll-suffix=\nlocal-address={ip}\nlocal-port={port}\n\
         api=yes\napi-key={key}\nwebserver=yes\nwebserver-address={api_ip}\nwebserver-port={api_port}\n\
         webserver-allow-from=127.0.0.0/8\nreceiver-threads=1\ndistributor-threads=1\n\
         cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n",
        ip = address.ip(),
        port = address.port(),
        key = PowerDns::KEY,
        api_ip = api.ip(),
        api_port = api.port(),
    )
}
