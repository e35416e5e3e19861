//! Root and intermediate: made, kept in their files, loaded with every doubt, renewed.

use super::leaf::{Signer, key_id_of, params, validity};
use crate::error::AcmeError;
use crate::files::{PrivateDir, has_no_room};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;

const ROOT: &str = "root.pem";
const ROOT_CERTIFICATE: &str = "root.crt";
const INTERMEDIATE: &str = "intermediate.pem";

/// A name holds 64 characters (RFC 5280 appendix A.1), of which 35 are ours.
const HOST_CHARACTERS: usize = 29;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// People have to trust it by hand, so it lasts.
const ROOT_LIFETIME: Duration = Duration::from_secs(10 * YEAR.as_secs());
const INTERMEDIATE_LIFETIME: Duration = YEAR;

#[derive(Debug)]
pub(super) struct Authority {
    dir: PrivateDir,
    host: String,
    root: Pair,
}

/// A CA certificate with its key.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) not_before: u64,
    pub(super) not_after: u64,
    /// Subject key identifier: ties what was signed to who signed it.
    pub(super) key_id: Vec<u8>,
    /// Authority key identifier.
    pub(super) signed_by: Vec<u8>,
}

impl Authority {
    pub(super) fn open(dir: PrivateDir, host: &str, now: UnixTime) -> Result<(Self, Signer), AcmeError> {
        let host: String = host.chars().take(HOST_CHARACTERS).collect();
        let root = match load(&dir, ROOT)? {
            // Also when the clock is before its time: a clock that was never set must not cost the root.
            Loaded::Pair(root) if now.as_secs() < root.not_after => *root,
            Loaded::Pair(_) => replace_root(&dir, &host, now, "has expired")?,
            Loaded::Damaged => replace_root(&dir, &host, now, "is damaged")?,
            Loaded::Absent => make_root(&dir, &host, now)?,
        };
        if dir.read(ROOT_CERTIFICATE)?.as_deref() != Some(&root.pem) {
            dir.write(ROOT_CERTIFICATE, &root.pem, true)?;
        }
        let authority = Self { dir, host, root };
        let signer = authority.signer(now)?;
        Ok((authority, signer))
    }

    pub(super) fn root_pem(&self) -> &str {
        &self.root.pem
    }

    pub(super) fn root_path(&self) -> PathBuf {
        self.dir.path_of(ROOT_CERTIFICATE)
    }

    pub(super) fn root_key_id(&self) -> &[u8] {
        &self.root.key_id
    }

    /// When the intermediate is to be renewed: at a third of its life left.
    pub(super) fn renew_at(&self, signer: &Signer) -> u64 {
        // One that ends with its root cannot be renewed past it.
        if signer.intermediate.not_after >= self.root.not_after {
            u64::MAX
        } else {
            signer.intermediate.renew_at()
        }
    }

    /// A new signer when the intermediate is due.
    pub(super) fn refresh(&self, signer: &Signer, now: UnixTime) -> Result<Option<Signer>, AcmeError> {
        if now.as_secs() < self.renew_at(signer) {
            return Ok(None);
        }
        self.make_intermediate(now).map(Some)
    }

    /// The stored intermediate, if it is whole, this root's, and not due. One that is due goes on where the disk takes
    /// no other.
    fn signer(&self, now: UnixTime) -> Result<Signer, AcmeError> {
        let Loaded::Pair(intermediate) = load(&self.dir, INTERMEDIATE)? else {
            return self.make_intermediate(now);
        };
        if intermediate.signed_by != self.root.key_id || !intermediate.is_valid(now) {
            return self.make_intermediate(now);
        }
        let signer = Signer { intermediate: *intermediate };
        if now.as_secs() < self.renew_at(&signer) {
            return Ok(signer);
        }
        match self.make_intermediate(now) {
            Err(AcmeError::Storage { path, source }) if has_no_room(&source) => {
                tracing::error!(file = %path.display(), error = %source, "the internal CA's intermediate is not renewed");
                Ok(signer)
            }
            made => made,
        }
    }

    fn make_intermediate(&self, now: UnixTime) -> Result<Signer, AcmeError> {
        let mut params = ca_params(format!("proxy-now internal CA intermediate {}", self.host), 0);
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(INTERMEDIATE_LIFETIME, now, self.root.not_after);
        let key = KeyPair::generate().map_err(|error| AcmeError::signing(&error))?;
        let certificate =
            params.signed_by(&key, &self.root.issuer).map_err(|error| AcmeError::signing(&error))?;
        let intermediate = store(&self.dir, INTERMEDIATE, &certificate, &key)?;
        Ok(Signer { intermediate })
    }
}

impl Pair {
    fn is_valid(&self, now: UnixTime) -> bool {
        (self.not_before..self.not_after).contains(&now.as_secs())
    }

    /// At a third of its life left.
    pub(super) fn renew_at(&self) -> u64 {
        self.not_after - self.not_after.saturating_sub(self.not_before) / 3
    }
}

enum Loaded {
    Absent,
    /// Not whole, or key and certificate do not belong together.
    Damaged,
    Pair(Box<Pair>),
}

fn load(dir: &PrivateDir, name: &str) -> Result<Loaded, AcmeError> {
    if !dir.path_of(name).exists() {
        return Ok(Loaded::Absent);
    }
    let text = dir.read(name)?;
    Ok(text.and_then(|text| parse(&text)).map_or(Loaded::Damaged, |pair| Loaded::Pair(Box::new(pair))))
}

/// `None` for whatever is not one CA certificate with its own key.
fn parse(text: &str) -> Option<Pair> {
    let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
    pn_tls::certified_key(vec![certificate.clone()], key.clone_key()).ok()?;
    let key = KeyPair::try_from(&key).ok()?;
    let (_, cert) = x509_parser::parse_x509_certificate(&certificate).ok()?;
    let key_id = key_id_of(&cert, true)?;
    let signed_by = key_id_of(&cert, false).unwrap_or_default();
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok();
    let (not_before, not_after) = (seconds(cert.validity().not_before)?, seconds(cert.validity().not_after)?);
    if !cert.is_ca() {
        return None;
    }
    let issuer = Issuer::from_ca_cert_der(&certificate, key).ok()?;
    let pem = certificate_pem(text)?.to_owned();
    Some(Pair { issuer, pem, not_before, not_after, key_id, signed_by, certificate })
}

/// The part of a file that is its certificate, which comes first.
fn certificate_pem(text: &str) -> Option<&str> {
    const END: &str = "-----END CERTIFICATE-----\n";
    text.split_inclusive(END).next().filter(|part| part.starts_with("-----BEGIN CERTIFICATE"))
}

fn replace_root(dir: &PrivateDir, host: &str, now: UnixTime, why: &str) -> Result<Pair, AcmeError> {
    let path = dir.path_of(ROOT);
    tracing::error!(path = %path.display(), "the internal CA's root {why}: it is put aside, and a new one has to be trusted");
    dir.set_aside(ROOT)?;
    make_root(dir, host, now)
}

fn make_root(dir: &PrivateDir, host: &str, now: UnixTime) -> Result<Pair, AcmeError> {
    let year =
        OffsetDateTime::from_unix_timestamp(now.as_secs().cast_signed()).map_or(1970, OffsetDateTime::year);
    let mut params = ca_params(format!("proxy-now internal CA {host} {year}"), 1);
    (params.not_before, params.not_after) = validity(ROOT_LIFETIME, now, u64::MAX);
    let key = KeyPair::generate().map_err(|error| AcmeError::signing(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| AcmeError::signing(&error))?;
    store(dir, ROOT, &certificate, &key)
}

/// Writes both into one file, and goes on with what a later start would read from it.
fn store(dir: &PrivateDir, name: &str, certificate: &Certificate, key: &KeyPair) -> Result<Pair, AcmeError> {
    let text = format!("{}{}", certificate.pem(), key.serialize_pem());
    dir.write(name, &text, true)?;
    parse(&text).ok_or_else(|| AcmeError::Signing("what was made cannot be read back".into()))
}

fn ca_params(name: String, path_length: u8) -> CertificateParams {
    let mut params = params();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}
