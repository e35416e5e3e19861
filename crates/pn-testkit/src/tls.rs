//! TLS for the test's own clients and origins, on the same library as the proxy but none of its code.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};

use crate::certificates::{Authority, Identity};

/// How a client speaks TLS. Sessions are not resumed, so that each connection shows the server's policy of now.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// PEM; `None` trusts anyone.
    roots: Option<String>,
    alpn: Vec<Vec<u8>>,
    identity: Option<Identity>,
    versions: Vec<&'static SupportedProtocolVersion>,
    /// The one configuration of clients that resume: sessions belong to it.
    resuming: Option<Arc<OnceLock<Arc<ClientConfig>>>>,
}

impl TlsOptions {
    pub fn trusting(authority: &Authority) -> Self {
        Self::trusting_pem(authority.root_pem())
    }

    /// Trusts the roots in this PEM text.
    pub fn trusting_pem(roots: impl Into<String>) -> Self {
        Self { roots: Some(roots.into()), ..Self::trusting_anyone() }
    }

    /// Looks at no certificate: for tests of which one is sent.
    pub fn trusting_anyone() -> Self {
        let versions = vec![&version::TLS12, &version::TLS13];
        Self { roots: None, alpn: Vec::new(), identity: None, versions, resuming: None }
    }

    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Answers a request for a client certificate.
    #[must_use]
    pub fn identity(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    #[must_use]
    pub fn only_tls12(mut self) -> Self {
        self.versions = vec![&version::TLS12];
        self
    }

    #[must_use]
    pub fn only_tls13(mut self) -> Self {
        self.versions = vec![&version::TLS13];
        self
    }

    /// Keeps tickets: a connection made with these options, or a clone of them, resumes an earlier one. Comes last.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.resuming = Some(Arc::default());
        self
    }

    pub fn config(&self) -> Arc<ClientConfig> {
        match &self.resuming {
            None => self.build(),
            Some(kept) => Arc::clone(kept.get_or_init(|| self.build())),
        }
    }

    fn build(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&self.versions);
        let builder = builder.expect("versions of the provider");
        let builder = match &self.roots {
            Some(pem) => builder.with_root_certificates(roots(pem)),
            None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider()))),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = chain_and_key(identity);
                builder.with_client_auth_cert(chain, key).expect("a client certificate")
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        if self.resuming.is_none() {
            config.resumption = rustls::client::Resumption::disabled();
        }
        Arc::new(config)
    }
}

/// For an origin: its certificate, the protocols it offers, and whose client certificates it demands.
pub(crate) fn server_config(
    identity: &Identity,
    alpn: &[&str],
    clients: Option<&Authority>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.expect("versions of the provider");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::new(roots(&authority.root_pem()));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.expect("a root for client certificates"))
        }
    };
    let (chain, key) = chain_and_key(identity);
    let mut config = builder.with_single_cert(chain, key).expect("a certificate and its key");
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.expect("PEM of a root")).expect("a root certificate");
    }
    roots
}

fn chain_and_key(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes());
    let chain = chain.collect::<Result<_, _>>().expect("PEM of a certificate");
    (chain, PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).expect("PEM of a key"))
}

/// Takes every certificate, but not every signature: the server has the key of what it sent.
struct Anyone(Arc<CryptoProvider>);

impl fmt::Debug for Anyone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anyone")
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
