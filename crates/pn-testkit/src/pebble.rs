//! Pebble, the CA that Let's Encrypt tests clients with, beside its own name server and answerer of challenges.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::certificates::Authority;
use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Peer, find_program};
use crate::session::{Reply, Session};
use crate::tls::TlsOptions;

/// A running pebble. Dropping it ends it.
#[derive(Debug)]
pub struct Pebble {
    peer: Peer,
    answerer: Peer,
    authority: Arc<Authority>,
    address: SocketAddr,
    management: SocketAddr,
    names: SocketAddr,
    answers: SocketAddr,
    _folder: Folder,
}

/// How it behaves. By default it is as kind as it can be.
#[derive(Debug, Clone, Default)]
pub struct PebbleOptions {
    /// Nonces that are refused though they are good, in percent.
    pub bad_nonces: u8,
    /// Authorizations that are used again, in percent.
    pub reuse: u8,
    /// Seconds between two looks that it asks for.
    pub poll_after: u8,
    /// Key identifier and secret (base64url) of the only accounts it takes.
    pub eab: Option<(&'static str, &'static str)>,
    /// Where http-01 and tls-alpn-01 are looked for, on 127.0.0.1. `None`: at the answerer.
    pub http_port: Option<u16>,
    pub tls_port: Option<u16>,
    /// Whom it asks for names and records. `None`: its own name server.
    pub name_server: Option<SocketAddr>,
    /// Whether it takes an hour to look at a challenge.
    pub stuck: bool,
    /// Further roots, each with a chain of its own that is offered beside the first.
    pub alternate_roots: u8,
    /// Where its directory is, and who signs for that: for one that others know before it starts.
    pub port: Option<u16>,
    pub authority: Option<Arc<Authority>>,
}

impl Pebble {
    #[track_caller]
    pub fn start(options: &PebbleOptions) -> Self {
        let [any, management, names, answers, http, tls] = std::array::from_fn(|_| free_port());
        let (folder, api) = (Folder::new(), options.port.unwrap_or(any));
        let authority = options.authority.clone();
        let authority = authority.unwrap_or_else(|| Arc::new(Authority::named("Directory Authority")));
        let answerer = start_answerer(names, answers, http, tls);
        let ports = (options.http_port.unwrap_or(http), options.tls_port.unwrap_or(tls));
        let file = folder.write("pebble.json", configuration(options, &authority, (api, management), ports));
        let mut command = Command::new(find_program("pebble"));
        match options.stuck {
            true => command.env("PEBBLE_VA_SLEEPTIME", "3600"),
            false => command.env("PEBBLE_VA_NOSLEEP", "1"),
        };
        command.env("PEBBLE_WFE_NONCEREJECT", options.bad_nonces.to_string());
        command.env("PEBBLE_AUTHZREUSE", options.reuse.to_string());
        command.env("PEBBLE_ALTERNATE_ROOTS", options.alternate_roots.to_string());
        let asked = options.name_server.unwrap_or_else(|| local(names)).to_string();
        command.arg("-strict").arg("-config").arg(file).args(["-dnsserver", &asked]);
        let peer = Peer::start("pebble", &command);
        peer.wait_for_port(local(api));
        peer.wait_for_port(local(management));
        let (address, management, names, answers) =
            (local(api), local(management), local(names), local(answers));
        Self { peer, answerer, authority, address, management, names, answers, _folder: folder }
    }

    /// Its directory, whose certificate [`Self::authority`] has signed.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.address.port())
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Whom clients of the directory have to trust.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The root that certificates of this run lead to, in PEM.
    #[track_caller]
    pub fn root(&self) -> String {
        self.alternate_root(0)
    }

    /// The root of the chain that is offered by default (0), or of one beside it.
    #[track_caller]
    pub fn alternate_root(&self, number: u8) -> String {
        let trusting = TlsOptions::trusting(&self.authority);
        let path = format!("/roots/{number}");
        Session::tls(self.management, "localhost", &trusting).get("localhost", &path).text()
    }

    /// What it knows of a certificate of its own, by the serial number.
    #[track_caller]
    pub fn status_of(&self, serial: &str) -> serde_json::Value {
        let trusting = TlsOptions::trusting(&self.authority);
        let path = format!("/cert-status-by-serial/{serial}");
        Session::tls(self.management, "localhost", &trusting).get("localhost", &path).json()
    }

    /// The name server that it asks: every name is 127.0.0.1.
    pub fn name_server(&self) -> SocketAddr {
        self.names
    }

    /// Has the answerer answer http-01.
    #[track_caller]
    pub fn answer_http(&self, token: &str, key_authorization: &str) {
        self.tell("add-http01", &serde_json::json!({"token": token, "content": key_authorization}));
    }

    /// Has the answerer answer tls-alpn-01.
    #[track_caller]
    pub fn answer_tls(&self, host: &str, key_authorization: &str) {
        self.tell("add-tlsalpn01", &serde_json::json!({"host": host, "content": key_authorization}));
    }

    /// Adds a TXT record to the name server.
    #[track_caller]
    pub fn add_txt(&self, name: &str, value: &str) {
        self.tell("set-txt", &serde_json::json!({"host": format!("{name}."), "value": value}));
    }

    /// Removes all TXT records of a name.
    #[track_caller]
    pub fn clear_txt(&self, name: &str) {
        self.tell("clear-txt", &serde_json::json!({"host": format!("{name}.")}));
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub fn answerer(&self) -> &Peer {
        &self.answerer
    }

    #[track_caller]
    fn tell(&self, what: &str, body: &serde_json::Value) {
        let request = Request::builder().method("POST").uri(format!("http://localhost/{what}"));
        let request = request.body(Bytes::from(body.to_string())).expect("a path");
        let reply: Reply = Session::http1(self.answers).send(request);
        assert_eq!(reply.status, 200, "{what}: {reply:?}");
    }
}

#[track_caller]
fn start_answerer(names: u16, answers: u16, http: u16, tls: u16) -> Peer {
    let mut command = Command::new(find_program("pebble-challtestsrv"));
    command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-https01", ""]);
    for (option, port) in
        [("-dns01", names), ("-management", answers), ("-http01", http), ("-tlsalpn01", tls)]
    {
        command.arg(option).arg(local(port).to_string());
    }
    let peer = Peer::start("pebble-challtestsrv", &command);
    [answers, http, tls].iter().for_each(|&port| peer.wait_for_port(local(port)));
    peer
}

fn configuration(
    options: &PebbleOptions,
    authority: &Authority,
    (api, management): (u16, u16),
    (http, tls): (u16, u16),
) -> String {
    let identity = authority.server(&["localhost", "127.0.0.1"]);
    let keys: serde_json::Map<_, _> =
        options.eab.iter().map(|(kid, secret)| ((*kid).to_owned(), (*secret).into())).collect();
    serde_json::json!({"pebble": {
        "listenAddress": local(api).to_string(), "managementListenAddress": local(management).to_string(),
        "certificate": identity.certificate, "privateKey": identity.key, "httpPort": http, "tlsPort": tls,
        "ocspResponderURL": "", "domainBlocklist": ["blocked-domain.example"],
        "externalAccountBindingRequired": options.eab.is_some(), "externalAccountMACKeys": keys,
        "certificateValidityPeriod": 7_776_000,
        "retryAfter": {"authz": options.poll_after, "order": options.poll_after},
    }})
    .to_string()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
