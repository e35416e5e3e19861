//! The client side: how servers behind the proxy are spoken to over TLS. Configurations are kept by content, so that a
//! reload that leaves a transport unchanged also keeps its sessions.
#![expect(clippy::disallowed_types, reason = "its lock is taken in the prepare step of a change only")]

use crate::client_auth::sha256;
use crate::error::{TlsError, TlsErrorKind};
use crate::pair::load_client_pair;
use crate::pem::{PemReader, name_of};
use crate::signatures::verify_signatures;
use crate::suites;
use pn_model::limits::UPSTREAM_SESSIONS;
use pn_model::transport::UpstreamProtocol;
use pn_model::{NodePath, Transport};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Made once a process; used in the prepare step of a change, never on the request path.
#[derive(Debug, Default)]
pub struct UpstreamTls {
    kept: Mutex<HashMap<[u8; 32], Weak<ClientConfig>>>,
}

/// One prepare step: the system's roots and each file are read at most once in it.
pub struct UpstreamBatch<'a> {
    kept: &'a Mutex<HashMap<[u8; 32], Weak<ClientConfig>>>,
    provider: Arc<CryptoProvider>,
    pem: PemReader,
    system: Option<Result<Arc<RootCertStore>, TlsErrorKind>>,
}

/// How a server's certificate is judged.
enum Trust {
    Roots(Arc<RootCertStore>),
    Nothing,
}

impl UpstreamTls {
    pub fn batch(&self) -> UpstreamBatch<'_> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, config| config.strong_count() > 0);
        let provider = Arc::new(suites::default_provider());
        UpstreamBatch { kept: &self.kept, provider, pem: PemReader::default(), system: None }
    }
}

impl UpstreamBatch<'_> {
    /// The configuration for a transport's TLS servers. The same one for transports of equal content.
    pub fn client_config(&mut self, transport: &Transport) -> Result<Arc<ClientConfig>, TlsError> {
        let trust = self.trust(transport)?;
        let certificate = self.certificate(transport)?;
        let alpn = alpn(transport.protocol);
        let key = key_of(&trust, certificate.as_deref(), alpn);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = kept.get(&key).and_then(Weak::upgrade) {
            return Ok(config);
        }
        let config = Arc::new(make(&self.provider, trust, certificate, alpn).map_err(|error| {
            let kind = TlsErrorKind::Invalid {
                source_name: "the transport's TLS".into(),
                reason: error.to_string(),
            };
            TlsError::new(transport.path.clone(), kind)
        })?);
        kept.insert(key, Arc::downgrade(&config));
        Ok(config)
    }

    fn trust(&mut self, transport: &Transport) -> Result<Trust, TlsError> {
        if transport.insecure_skip_verify {
            return Ok(Trust::Nothing);
        }
        let at = transport.path.child("roots");
        if transport.roots.is_empty() {
            let system = self.system.get_or_insert_with(system_roots).clone();
            return system.map(Trust::Roots).map_err(|kind| TlsError::new(at, kind));
        }
        let mut store = RootCertStore::empty();
        for (i, source) in transport.roots.iter().enumerate() {
            let place = || at.child(format!("[{i}]"));
            let roots = self.pem.certificates(source).map_err(|kind| TlsError::new(place(), kind))?;
            for root in roots {
                store.add(root).map_err(|error| {
                    let kind =
                        TlsErrorKind::Invalid { source_name: name_of(source), reason: error.to_string() };
                    TlsError::new(place(), kind)
                })?;
            }
        }
        Ok(Trust::Roots(Arc::new(store)))
    }

    fn certificate(&mut self, transport: &Transport) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
        let Some(files) = &transport.client_certificate else { return Ok(None) };
        let at: NodePath = transport.path.child("client-certificate");
        let pair = load_client_pair(files, &self.provider, &mut self.pem);
        pair.map(Some).map_err(|kind| TlsError::new(at, kind))
    }
}

/// The name to send and to check for a server at `host` (a name, or an IP address without brackets).
pub fn server_name(transport: &Transport, host: &str) -> Result<ServerName<'static>, TlsError> {
    let name = transport.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| {
        TlsError::new(transport.path.child("server-name"), TlsErrorKind::BadServerName(name.to_owned()))
    })
}

fn alpn(protocol: UpstreamProtocol) -> &'static [&'static str] {
    match protocol {
        UpstreamProtocol::Auto => &["h2", "http/1.1"],
        UpstreamProtocol::H1 => &["http/1.1"],
        UpstreamProtocol::H2 | UpstreamProtocol::H2c => &["h2"],
    }
}

fn system_roots() -> Result<Arc<RootCertStore>, TlsErrorKind> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // Systems carry odd certificates that no verifier reads; the rest is of use.
    let (added, _) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(|| "none were found".into(), ToString::to_string);
        return Err(TlsErrorKind::NoSystemRoots { reason });
    }
    Ok(Arc::new(store))
}

fn make(
    provider: &Arc<CryptoProvider>,
    trust: Trust,
    certificate: Option<Arc<CertifiedKey>>,
    alpn: &[&str],
) -> Result<ClientConfig, Error> {
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Nothing => Arc::new(TrustAll(Arc::clone(provider))),
        Trust::Roots(roots) => WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?,
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match certificate {
        Some(key) => builder.with_client_cert_resolver(Arc::new(OneCertificate(key))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.resumption = Resumption::in_memory_sessions(UPSTREAM_SESSIONS);
    Ok(config)
}

fn key_of(trust: &Trust, certificate: Option<&CertifiedKey>, alpn: &[&str]) -> [u8; 32] {
    let mut parts: Vec<[u8; 32]> = Vec::new();
    if let Trust::Roots(store) = trust {
        parts.extend(store.roots.iter().map(|root| {
            let constraints = root.name_constraints.as_ref().map(AsRef::as_ref).unwrap_or_default();
            sha256(&[root.subject.as_ref(), root.subject_public_key_info.as_ref(), constraints].concat())
        }));
        parts.sort_unstable();
    }
    let mut all = format!("{}/{}/", parts.len(), alpn.join(",")).into_bytes();
    all.extend(parts.into_iter().flatten());
    all.push(u8::from(matches!(trust, Trust::Nothing)));
    for link in certificate.map(|key| key.cert.as_slice()).unwrap_or_default() {
        all.extend(sha256(link));
    }
    sha256(&all)
}

/// Sends its certificate to every server that asks, whatever CAs the server lists.
#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for OneCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// `insecure-skip-verify`: any certificate will do, as long as the server has its key.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
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

    verify_signatures!(self by self.0.signature_verification_algorithms);

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl std::fmt::Debug for UpstreamBatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamBatch")
    }
}
