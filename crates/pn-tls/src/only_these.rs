//! Client certificates of these subjects and names only: what a verified certificate says beside whose root it leads to.

use crate::identity::subject_of;
use crate::pair::ip_of;
use pn_model::tls::ClientName;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::collections::BTreeSet;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A verifier, and who of those that it lets in may come in.
#[derive(Debug)]
pub(crate) struct OnlyThese {
    pub(crate) inner: Arc<dyn ClientCertVerifier>,
    /// As RFC 4514 writes them.
    pub(crate) subjects: BTreeSet<String>,
    pub(crate) names: Vec<ClientName>,
}

impl OnlyThese {
    /// By its subject or one of its names. Names are compared with those of their own kind only.
    fn has(&self, leaf: &CertificateDer<'_>) -> bool {
        let Ok((_, cert)) = X509Certificate::from_der(leaf) else { return false };
        if self.subjects.contains(&subject_of(&cert)) {
            return true;
        }
        let Ok(Some(sans)) = cert.subject_alternative_name() else { return false };
        sans.value.general_names.iter().any(|own| self.names.iter().any(|name| is(own, name)))
    }
}

fn is(own: &GeneralName<'_>, name: &ClientName) -> bool {
    match (own, name) {
        (GeneralName::DNSName(own), ClientName::Host(host)) => host.matches(&own.to_ascii_lowercase()),
        (GeneralName::RFC822Name(own), ClientName::Email(email)) => own == email,
        (GeneralName::URI(own), ClientName::Uri(uri)) => own == uri,
        (GeneralName::URI(own), ClientName::UriBelow(prefix)) => {
            own.strip_prefix(prefix.as_str()).is_some_and(|rest| !rest.is_empty())
        }
        (GeneralName::IPAddress(own), ClientName::Ip(ip)) => ip_of(own) == Some(*ip),
        _ => false,
    }
}

impl ClientCertVerifier for OnlyThese {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        match self.has(end_entity) {
            true => Ok(verified),
            // Told to the client by `access_denied`.
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }
}
