//! What the simulated CA signs, revokes, and says of renewal.

use super::super::certificate::CertId;
use super::super::machine::{HttpResponse, Identifier, Time};
use super::accounts::json_of;
use super::verify::{Signed, verify};
use super::{Outcome, SimCa, ok, problem, respond, with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer,
    KeyPair, SanType,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// What was issued, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct SimCertificate {
    pub(crate) names: Vec<Identifier>,
    pub(crate) id: CertId,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) chain_pem: String,
    /// The reason's number.
    pub(crate) revoked: Option<u64>,
    account: usize,
    der: Vec<u8>,
}

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The same key, certified by two roots.
    intermediate: Certificate,
    other: Certificate,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Sim Intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let by = |name: &str| {
            let mut root = CertificateParams::default();
            root.distinguished_name.push(DnType::CommonName, name);
            root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.signed_by(&key, &Issuer::new(root, KeyPair::generate().unwrap())).unwrap()
        };
        let (intermediate, other) = (by("Sim Root"), by("Sim Old Root"));
        Self { issuer: Issuer::new(params, key), intermediate, other }
    }
}

impl SimCa {
    pub(super) fn check_request(&self, csr: &[u8], names: &[Identifier]) -> Result<(), HttpResponse> {
        let request = CertificateSigningRequestParams::from_der(&csr.to_vec().into());
        let request = request.map_err(|_| problem(400, "badCSR", "the request cannot be read"))?;
        let held: BTreeSet<_> = request.params.subject_alt_names.iter().filter_map(identifier).collect();
        if held == names.iter().cloned().collect() {
            Ok(())
        } else {
            Err(problem(400, "badCSR", "the request has other names than the order"))
        }
    }

    pub(super) fn issue(&mut self, order: usize) -> usize {
        let order = &self.orders[order];
        let lifetime = order.profile.as_ref().and_then(|name| self.policy.profiles.get(name).copied());
        let (not_before, not_after) = (self.now, self.now + lifetime.unwrap_or(self.policy.lifetime));
        let mut request = CertificateSigningRequestParams::from_der(&order.csr.clone().into()).unwrap();
        request.params.not_before = moment(not_before);
        request.params.not_after = moment(not_after);
        request.params.use_authority_key_identifier_extension = true;
        let leaf = request.signed_by(&self.authority.issuer).unwrap();
        self.certificates.push(SimCertificate {
            names: order.names.clone(),
            id: CertId::of_der(leaf.der()).unwrap(),
            not_before,
            not_after,
            chain_pem: format!("{}{}", leaf.pem(), self.authority.intermediate.pem()),
            revoked: None,
            account: order.account,
            der: leaf.der().to_vec(),
        });
        self.certificates.len() - 1
    }

    pub(super) fn certificate(&self, account: usize, id: &str, alternate: bool) -> Outcome {
        let found = id.parse().ok().and_then(|id: usize| self.certificates.get(id));
        let found = found.filter(|one| one.account == account);
        let found = found.ok_or_else(|| problem(404, "malformed", "no such certificate"))?;
        if alternate {
            let leaf = super::super::pem::encode("CERTIFICATE", &found.der);
            return Ok(respond(200, format!("{leaf}{}", self.authority.other.pem()).into_bytes()));
        }
        let link = format!("<{}/cert/{id}/alt>;rel=\"alternate\"", self.base);
        let response = with(respond(200, found.chain_pem.clone().into_bytes()), "link", link);
        Ok(with(response, "link", format!("<{}/directory>; rel=\"index\"", self.base)))
    }

    pub(super) fn renewal_info(&self, id: &str) -> Outcome {
        let found = self.certificates.iter().find(|one| one.id.to_string() == id);
        let found = found.ok_or_else(|| problem(404, "malformed", "no such certificate"))?;
        let percent = |part: u64| found.not_before + (found.not_after - found.not_before) * part / 100;
        let (start, end) = match found.revoked {
            Some(_) => (found.not_before, found.not_before + 1),
            None => (percent(self.policy.window_at), percent(self.policy.window_at + 2)),
        };
        let text = |time| moment(time).format(&Rfc3339).unwrap();
        let info = json!({"suggestedWindow": {"start": text(start), "end": text(end)}, "explanationURL": "https://ca.test/why"});
        let response = ok(&info);
        Ok(self
            .policy
            .ask_after
            .iter()
            .fold(response, |response, after| with(response, "retry-after", after)))
    }

    pub(super) fn revoke(&mut self, account: Option<usize>, signed: &Signed) -> Outcome {
        let payload = json_of(signed)?;
        let der = payload["certificate"].as_str().and_then(|text| BASE64URL.decode(text).ok());
        let found = self.certificates.iter_mut().find(|one| Some(&one.der) == der.as_ref());
        let found = found.ok_or_else(|| problem(404, "malformed", "no such certificate"))?;
        let by_its_key = || {
            let jwk = signed.header.get("jwk").cloned().unwrap_or_default();
            verify(signed, &jwk) && is_key_of(&found.der, &jwk)
        };
        if account.map_or_else(by_its_key, |account| account == found.account) {
            if found.revoked.is_some() {
                return Err(problem(400, "alreadyRevoked", "it is revoked"));
            }
            found.revoked = Some(payload["reason"].as_u64().unwrap_or(0));
            return Ok(respond(200, Vec::new()));
        }
        Err(problem(403, "unauthorized", "not yours"))
    }
}

/// Of a P-256 key.
fn is_key_of(certificate: &[u8], jwk: &Value) -> bool {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let point = certificate.public_key().subject_public_key.data.to_vec();
    let part =
        |name: &str| jwk[name].as_str().and_then(|text| BASE64URL.decode(text).ok()).unwrap_or_default();
    point == [&[4][..], &part("x"), &part("y")].concat()
}

pub(super) fn thumbprint(jwk: &Value) -> String {
    BASE64URL.encode(Sha256::digest(jwk.to_string()))
}

fn identifier(name: &SanType) -> Option<Identifier> {
    match name {
        SanType::DnsName(name) => Some(Identifier::parse(name.as_str())),
        SanType::IpAddress(address) => Some(Identifier::Ip(*address)),
        _ => None,
    }
}

fn moment(time: Time) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.cast_signed()).unwrap()
}
