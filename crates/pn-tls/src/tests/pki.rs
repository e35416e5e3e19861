//! Certificates for the tests.

use pn_model::Secret;
use pn_model::site::{CertificateFiles, PemSource};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, RsaKeySize, SerialNumber, SignatureAlgorithm,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

pub(super) struct Ca(CertifiedIssuer<'static, KeyPair>);

pub(super) struct Leaf {
    pub(super) cert: rcgen::Certificate,
    pub(super) key: KeyPair,
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> PemSource {
        inline(self.0.pem())
    }

    pub(super) fn leaf(&self, names: &[&str]) -> Leaf {
        self.leaf_of(names, &rcgen::PKCS_ECDSA_P256_SHA256, -1, 90)
    }

    /// Valid from and until so many days from now.
    pub(super) fn leaf_of(
        &self,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
        from: i64,
        until: i64,
    ) -> Leaf {
        let now = OffsetDateTime::now_utc();
        self.leaf_until(names, algorithm, now + Duration::days(from), now + Duration::days(until))
    }

    pub(super) fn leaf_until(
        &self,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
        not_before: OffsetDateTime,
        not_after: OffsetDateTime,
    ) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
        (params.not_before, params.not_after) = (not_before, not_after);
        let key = match algorithm == &rcgen::PKCS_RSA_SHA256 {
            true => KeyPair::generate_rsa_for(algorithm, RsaKeySize::_2048).unwrap(),
            false => KeyPair::generate_for(algorithm).unwrap(),
        };
        Leaf { cert: params.signed_by(&key, &self.0).unwrap(), key }
    }

    /// A revocation list that is current for so many days from now.
    pub(super) fn revoking(&self, leaves: &[&Leaf], days: i64) -> PemSource {
        let now = OffsetDateTime::now_utc();
        let revoked = |leaf: &&Leaf| RevokedCertParams {
            serial_number: SerialNumber::from(serial(leaf)),
            revocation_time: now - Duration::days(1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now - Duration::days(10),
            next_update: now + Duration::days(days),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        inline(params.signed_by(&self.0).unwrap().pem().unwrap())
    }
}

impl Leaf {
    pub(super) fn files(&self) -> CertificateFiles {
        CertificateFiles { cert: inline(self.cert.pem()), key: inline(self.key.serialize_pem()) }
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Arc::new(CertifiedKey::from_der(vec![self.cert.der().clone()], key, &provider).unwrap())
    }
}

pub(super) fn inline(pem: impl Into<String>) -> PemSource {
    PemSource::Inline(Secret::new(pem))
}

fn serial(leaf: &Leaf) -> Vec<u8> {
    use x509_parser::prelude::FromDer;
    let (_, cert) = x509_parser::prelude::X509Certificate::from_der(leaf.cert.der()).unwrap();
    cert.raw_serial().to_vec()
}
