//! A certificate authority for one test, and certificates of it as PEM files.

use std::fmt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::folder::Folder;

/// An authority with a folder of its own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Folder,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub certificate_pem: String,
    pub key_pem: String,
    serial: u64,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    Current,
    Expired,
    NotYet,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("Test Authority")
    }

    pub fn named(name: &str) -> Self {
        let mut params = params(&[], name, Lifetime::Current);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a root certificate");
        let folder = Folder::new();
        folder.write("root.pem", issuer.pem());
        Self { issuer, folder }
    }

    /// The root certificate's file.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    pub fn root_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server's certificate, P-256, for DNS names or IP addresses.
    pub fn server(&self, names: &[&str]) -> Identity {
        self.server_valid(names, Lifetime::Current)
    }

    pub fn server_valid(&self, names: &[&str], lifetime: Lifetime) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        self.issue(names, "server", lifetime, ExtendedKeyUsagePurpose::ServerAuth, &key)
    }

    /// The same with an RSA key, for those who choose by key type.
    pub fn server_rsa(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        self.issue(names, "server", Lifetime::Current, ExtendedKeyUsagePurpose::ServerAuth, &key)
    }

    /// A client's certificate with this common name.
    pub fn client(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        self.issue(&[], name, Lifetime::Current, ExtendedKeyUsagePurpose::ClientAuth, &key)
    }

    /// The file of what it has revoked; it says anew what that is.
    pub fn revoking(&self, identities: &[&Identity]) -> PathBuf {
        let revoked = |identity: &&Identity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(2120, 1, 1),
            crl_number: SerialNumber::from(identities.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: identities.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).and_then(|list| list.pem()).expect("a list");
        self.folder.write("revoked.crl", list)
    }

    /// The folder of all its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn issue(
        &self,
        names: &[&str],
        common_name: &str,
        lifetime: Lifetime,
        usage: ExtendedKeyUsagePurpose,
        key: &KeyPair,
    ) -> Identity {
        let mut params = params(names, common_name, lifetime);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let number = std::fs::read_dir(self.folder.path()).expect("its own folder").count();
        let serial = number as u64;
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate_pem = params.signed_by(key, &self.issuer).expect("a certificate").pem();
        let key_pem = key.serialize_pem();
        Identity {
            certificate: self.folder.write(&format!("{number}-{common_name}.pem"), &certificate_pem),
            key: self.folder.write(&format!("{number}-{common_name}.key"), &key_pem),
            certificate_pem,
            key_pem,
            serial,
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("root", &self.root()).finish_non_exhaustive()
    }
}

fn params(names: &[&str], common_name: &str, lifetime: Lifetime) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names for a certificate");
    params.distinguished_name.push(DnType::CommonName, common_name);
    let (first, last) = match lifetime {
        Lifetime::Current => (2020, 2120),
        Lifetime::Expired => (2020, 2021),
        Lifetime::NotYet => (2110, 2120),
    };
    (params.not_before, params.not_after) = (date_time_ymd(first, 1, 1), date_time_ymd(last, 1, 1));
    params
}
