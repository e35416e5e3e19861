//! A table to talk to, and the talk.

use super::pki::{Ca, Leaf};
use crate::signatures::verify_signatures;
use crate::{CertificateStore, Choice, Hello, TlsError, TlsListener, TlsSite, TlsTable, UNRECOGNIZED_NAME};
use pn_core::tls::TlsInfo;
use pn_model::listener::Protocols;
use pn_model::site::CertificateSource;
use pn_model::tls::{ClientAuth, ClientAuthMode, TlsVersion};
use pn_model::{HostPattern, ListenerName, NodePath, SiteName, TlsPolicy};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::server::Acceptor;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ClientConnection, Error, ServerConnection, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) struct Site {
    pub(super) name: SiteName,
    pub(super) hosts: Vec<HostPattern>,
    pub(super) listeners: Vec<ListenerName>,
    pub(super) policy: Option<TlsPolicy>,
    pub(super) certificate: CertificateSource,
    pub(super) path: NodePath,
}

pub(super) fn pattern(text: &str) -> HostPattern {
    if text == "*" {
        return HostPattern::Any;
    }
    match (text.strip_prefix("**."), text.strip_prefix("*.")) {
        (Some(suffix), _) => HostPattern::AnyDepth(suffix.into()),
        (_, Some(suffix)) => HostPattern::OneLabel(suffix.into()),
        _ => HostPattern::Exact(text.into()),
    }
}

/// A site of the listener `tls` with the certificate of a file.
pub(super) fn site(hosts: &[&str], leaf: &Leaf) -> Site {
    from_source(hosts, CertificateSource::Files(vec![leaf.files()]))
}

pub(super) fn from_source(hosts: &[&str], certificate: CertificateSource) -> Site {
    Site {
        name: hosts[0].into(),
        hosts: hosts.iter().map(|host| pattern(host)).collect(),
        listeners: vec!["tls".into()],
        policy: None,
        certificate,
        path: NodePath::of(["sites", hosts[0]]),
    }
}

pub(super) fn policy(name: &str, change: impl FnOnce(&mut TlsPolicy)) -> TlsPolicy {
    let mut policy = TlsPolicy {
        name: name.into(),
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
        cipher_suites: Vec::new(),
        groups: Vec::new(),
        alpn: Vec::new(),
        client_auth: None,
        sni_strict: false,
        path: NodePath::of(["tls-policies", name]),
    };
    change(&mut policy);
    policy
}

pub(super) fn client_auth(mode: ClientAuthMode, roots: &[&Ca]) -> Option<ClientAuth> {
    Some(ClientAuth {
        mode,
        roots: roots.iter().map(|ca| ca.pem()).collect(),
        crls: Vec::new(),
        subjects: Vec::new(),
        names: Vec::new(),
    })
}

impl Site {
    pub(super) fn under(mut self, policy: &TlsPolicy) -> Self {
        self.policy = Some(policy.clone());
        self
    }
}

/// Tables one after another, as reloads make them.
pub(super) struct World {
    pub(super) store: Arc<CertificateStore>,
    pub(super) clock: Arc<dyn TimeProvider>,
    pub(super) table: TlsTable,
}

impl World {
    pub(super) fn new(sites: &[Site]) -> Self {
        Self::with_clock(sites, Arc::new(DefaultTimeProvider))
    }

    pub(super) fn with_clock(sites: &[Site], clock: Arc<dyn TimeProvider>) -> Self {
        let store = Arc::new(CertificateStore::with_clock(Arc::clone(&clock)));
        let table = build(sites, &store, None, Arc::clone(&clock)).unwrap();
        Self { store, clock, table }
    }

    pub(super) fn reload(&mut self, sites: &[Site]) {
        self.table = build(sites, &self.store, Some(&self.table), Arc::clone(&self.clock)).unwrap();
    }

    pub(super) fn connect(&self, client: &Arc<ClientConfig>, name: &str) -> Result<Done, Failure> {
        self.connect_at("tls", client, name, None)
    }

    pub(super) fn connect_at(
        &self,
        listener: &str,
        client: &Arc<ClientConfig>,
        name: &str,
        local: Option<&str>,
    ) -> Result<Done, Failure> {
        let local = local.map(|ip| ip.parse().unwrap());
        talk(&self.table, listener, client, name, local)
    }
}

pub(super) fn errors(sites: &[Site]) -> Vec<TlsError> {
    let store = Arc::new(CertificateStore::new());
    build(sites, &store, None, Arc::new(DefaultTimeProvider)).err().unwrap_or_default()
}

/// Listeners `tls` (HTTP/1.1 and HTTP/2), `h1` and `h2`.
fn build(
    sites: &[Site],
    store: &Arc<CertificateStore>,
    previous: Option<&TlsTable>,
    clock: Arc<dyn TimeProvider>,
) -> Result<TlsTable, Vec<TlsError>> {
    let names: [ListenerName; 3] = ["tls".into(), "h1".into(), "h2".into()];
    let listeners: Vec<_> = names
        .iter()
        .map(|name| {
            let (h1, h2) = (name.as_str() != "h2", name.as_str() != "h1");
            TlsListener { name, protocols: Protocols { h1, h2 } }
        })
        .collect();
    let sites: Vec<_> = sites
        .iter()
        .map(|own| TlsSite {
            name: &own.name,
            hosts: &own.hosts,
            listeners: &own.listeners,
            policy: own.policy.as_ref(),
            certificate: &own.certificate,
            path: &own.path,
        })
        .collect();
    TlsTable::build_at(&sites, &listeners, store, previous, clock)
}

/// A handshake that worked, with a byte sent each way after it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) info: TlsInfo,
    pub(super) alpn: Option<String>,
    /// `None` where a session of TLS 1.2 was resumed.
    pub(super) group: Option<String>,
    pub(super) certificate: CertificateDer<'static>,
}

/// What went wrong, as either side saw it first.
#[derive(Debug)]
pub(super) enum Failure {
    /// By [`Choice::Refuse`]; holds what the client made of the alert.
    Refused(Error),
    Server(Error),
    Client(Error),
    ExpiredSession,
}

fn talk(
    table: &TlsTable,
    listener: &str,
    config: &Arc<ClientConfig>,
    name: &str,
    local: Option<IpAddr>,
) -> Result<Done, Failure> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        acceptor.read_tls(&mut bytes.as_slice()).unwrap();
        if let Some(accepted) = acceptor.accept().map_err(|(error, _)| Failure::Server(error))? {
            break accepted;
        }
    };
    let signal = crate::read_signal(&accepted.client_hello());
    let Choice::Serve(serve) = table.choose(listener, &Hello::of(&signal, local)) else {
        client.read_tls(&mut UNRECOGNIZED_NAME.as_slice()).unwrap();
        return Err(Failure::Refused(client.process_new_packets().unwrap_err()));
    };
    let config = Arc::clone(&serve.config);
    let mut server = accepted.into_connection(config).map_err(|(error, _)| Failure::Server(error))?;
    // Whatever a client may send in one flight stays below rustls' own bound.
    for _ in 0..10 {
        pump(&mut client, &mut server)?;
    }
    exchange(&mut client, &mut server);
    let info = crate::finished(&server, &serve, UnixTime::now()).map_err(|_| Failure::ExpiredSession)?;
    Ok(Done {
        info,
        alpn: server.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap()),
        group: client.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
        certificate: client.peer_certificates().unwrap()[0].clone(),
    })
}

fn pump(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).unwrap();
        server.process_new_packets().map_err(Failure::Server)?;
    }
    bytes.clear();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        client.process_new_packets().map_err(Failure::Client)?;
    }
    Ok(())
}

fn exchange(client: &mut ClientConnection, server: &mut ServerConnection) {
    assert!(!client.is_handshaking() && !server.is_handshaking(), "the handshake stalled");
    client.writer().write_all(b"?").unwrap();
    server.writer().write_all(b"!").unwrap();
    pump(client, server).unwrap();
    let mut byte = [0];
    server.reader().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"?");
    client.reader().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"!");
}

/// A client that takes any certificate.
pub(super) struct Client {
    pub(super) versions: Vec<&'static rustls::SupportedProtocolVersion>,
    pub(super) provider: rustls::crypto::CryptoProvider,
    pub(super) alpn: &'static [&'static str],
    pub(super) certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    pub(super) schemes: Option<Vec<SignatureScheme>>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            versions: rustls::ALL_VERSIONS.to_vec(),
            provider: rustls::crypto::aws_lc_rs::default_provider(),
            alpn: &["h2", "http/1.1"],
            certificate: None,
            schemes: None,
        }
    }

    pub(super) fn with(leaf: Option<&Leaf>) -> Self {
        let certificate = leaf.map(|leaf| {
            (vec![leaf.cert.der().clone()], PrivateKeyDer::try_from(leaf.key.serialize_der()).unwrap())
        });
        Self { certificate, ..Self::new() }
    }

    pub(super) fn config(self) -> Arc<ClientConfig> {
        let provider = Arc::new(self.provider);
        let schemes =
            self.schemes.unwrap_or_else(|| provider.signature_verification_algorithms.supported_schemes());
        let verifier = TakeAny { provider: Arc::clone(&provider), schemes };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.certificate {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

#[derive(Debug)]
struct TakeAny {
    provider: Arc<rustls::crypto::CryptoProvider>,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures!(self by self.provider.signature_verification_algorithms);

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
