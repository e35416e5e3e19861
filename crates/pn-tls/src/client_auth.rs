//! Verifiers of client certificates, one for each mode of a policy's `client-auth`.

use crate::error::{TlsError, TlsErrorKind, TlsWarning};
use crate::only_these::OnlyThese;
use crate::pem::{PemReader, name_of};
use crate::signatures::verify_signatures;
use aws_lc_rs::digest;
use pn_model::NodePath;
use pn_model::tls::{ClientAuth, ClientAuthMode};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use std::collections::BTreeSet;
use std::sync::Arc;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// A mode with all it needs, read and checked.
pub(crate) struct ClientDemand {
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
    /// Whether a certificate that was taken has been verified.
    pub(crate) verifies: bool,
    /// Of the mode, who comes in, and the content of roots and revocation lists, in whatever order.
    pub(crate) digest: Vec<u8>,
}

pub(crate) struct Reports<'a> {
    pub(crate) errors: &'a mut Vec<TlsError>,
    pub(crate) warnings: &'a mut Vec<TlsWarning>,
}

impl Reports<'_> {
    pub(crate) fn error(&mut self, at: NodePath, kind: TlsErrorKind) {
        self.errors.push(TlsError::new(at, kind));
    }

    pub(crate) fn warn(&mut self, at: NodePath, message: impl Into<String>) {
        self.warnings.push(TlsWarning { at, message: message.into() });
    }
}

/// `at` is the path of the `client-auth` table. `None` after an error was reported.
pub(crate) fn demand(
    auth: &ClientAuth,
    at: &NodePath,
    provider: &Arc<CryptoProvider>,
    pem: &mut PemReader,
    now: UnixTime,
    reports: &mut Reports<'_>,
) -> Option<ClientDemand> {
    let before = reports.errors.len();
    let roots = roots(auth, at, pem, reports);
    let lists = revocation_lists(auth, at, pem, now, reports);
    let verifies = matches!(auth.mode, ClientAuthMode::VerifyIfGiven | ClientAuthMode::RequireAndVerify);
    let narrowed = !auth.subjects.is_empty() || !auth.names.is_empty();
    if !verifies && narrowed {
        reports.error(at.clone(), TlsErrorKind::UnverifiedNames);
    }
    let unused = !verifies && (!auth.roots.is_empty() || !auth.crls.is_empty());
    if unused {
        reports
            .warn(at.clone(), "this mode verifies nothing, so its roots and revocation lists are not used");
    }
    if verifies && auth.roots.is_empty() {
        reports.error(at.clone(), TlsErrorKind::NoClientRoots);
    }
    if reports.errors.len() > before {
        return None;
    }
    let digest = digest_of(auth, &roots, &lists);
    let verifier = match auth.mode {
        ClientAuthMode::Request => Ok(unverified(provider, false)),
        ClientAuthMode::RequireAny => Ok(unverified(provider, true)),
        ClientAuthMode::VerifyIfGiven => verified(roots, lists, provider, false),
        ClientAuthMode::RequireAndVerify => verified(roots, lists, provider, true),
    };
    let verifier = verifier.map(|verifier| only_these(auth, verifier));
    match verifier {
        Ok(verifier) => Some(ClientDemand { verifier, verifies, digest }),
        Err(reason) => {
            let kind = TlsErrorKind::Invalid { source_name: "the client authentication".into(), reason };
            reports.error(at.clone(), kind);
            None
        }
    }
}

fn roots(
    auth: &ClientAuth,
    at: &NodePath,
    pem: &mut PemReader,
    reports: &mut Reports<'_>,
) -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    for (i, source) in auth.roots.iter().enumerate() {
        let found = pem.certificates(source).and_then(|found| match unusable(&found) {
            Some(reason) => Err(TlsErrorKind::Invalid { source_name: name_of(source), reason }),
            None => Ok(found),
        });
        match found {
            Ok(found) => all.extend(found),
            Err(kind) => reports.error(at.child("roots").child(format!("[{i}]")), kind),
        }
    }
    all
}

fn unusable(roots: &[CertificateDer<'_>]) -> Option<String> {
    let mut store = RootCertStore::empty();
    roots.iter().find_map(|root| store.add(root.clone().into_owned()).err()).map(|error| error.to_string())
}

fn revocation_lists(
    auth: &ClientAuth,
    at: &NodePath,
    pem: &mut PemReader,
    now: UnixTime,
    reports: &mut Reports<'_>,
) -> Vec<CertificateRevocationListDer<'static>> {
    let mut all = Vec::new();
    for (i, source) in auth.crls.iter().enumerate() {
        let place = at.child("crls").child(format!("[{i}]"));
        let lists = match pem.revocation_lists(source) {
            Ok(lists) => lists,
            Err(kind) => {
                reports.error(place, kind);
                continue;
            }
        };
        for list in &lists {
            check_list(list, source, &place, now, reports);
        }
        all.extend(lists);
    }
    all
}

fn check_list(
    list: &CertificateRevocationListDer<'_>,
    source: &pn_model::site::PemSource,
    at: &NodePath,
    now: UnixTime,
    reports: &mut Reports<'_>,
) {
    match CertificateRevocationList::from_der(list) {
        Ok((_, parsed)) => {
            let next = parsed.next_update().map(|time| time.timestamp());
            if next.is_some_and(|next| next <= now.as_secs().cast_signed()) {
                let message = format!(
                    "the revocation list in {} is out of date: clients of its CA are refused until it is replaced",
                    name_of(source)
                );
                reports.warn(at.clone(), message);
            }
        }
        Err(error) => {
            let kind = TlsErrorKind::Invalid { source_name: name_of(source), reason: error.to_string() };
            reports.error(at.clone(), kind);
        }
    }
}

/// With revocation lists, a certificate of the chain whose status no current list tells is refused.
fn verified(
    roots: Vec<CertificateDer<'static>>,
    lists: Vec<CertificateRevocationListDer<'static>>,
    provider: &Arc<CryptoProvider>,
    mandatory: bool,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(|error| error.to_string())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .with_crls(lists)
        .enforce_revocation_expiration();
    let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| error.to_string())
}

fn only_these(auth: &ClientAuth, inner: Arc<dyn ClientCertVerifier>) -> Arc<dyn ClientCertVerifier> {
    if auth.subjects.is_empty() && auth.names.is_empty() {
        return inner;
    }
    let subjects = auth.subjects.iter().cloned().collect();
    Arc::new(OnlyThese { inner, subjects, names: auth.names.clone() })
}

fn unverified(provider: &CryptoProvider, mandatory: bool) -> Arc<dyn ClientCertVerifier> {
    Arc::new(AnyCertificate { algorithms: provider.signature_verification_algorithms, mandatory })
}

fn digest_of(
    auth: &ClientAuth,
    roots: &[CertificateDer<'_>],
    lists: &[CertificateRevocationListDer<'_>],
) -> Vec<u8> {
    let mut parts: Vec<[u8; 32]> = roots.iter().map(|der| sha256(der)).collect();
    parts.sort_unstable();
    parts.dedup();
    let mut revoked: Vec<[u8; 32]> = lists.iter().map(|der| sha256(der)).collect();
    revoked.sort_unstable();
    revoked.dedup();
    let names: BTreeSet<String> = auth.names.iter().map(|name| format!("{name:?}")).collect();
    let subjects: BTreeSet<&String> = auth.subjects.iter().collect();
    let only = format!("{subjects:?}/{names:?}");
    let mut all = format!("{:?}/{}/{}/{only}/", auth.mode, parts.len(), revoked.len()).into_bytes();
    all.extend(parts.into_iter().chain(revoked).flatten());
    all
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    out
}

/// Takes every certificate whose key the client has, whoever signed it. What it says is a claim.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
    mandatory: bool,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    verify_signatures!(self by self.algorithms);

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
