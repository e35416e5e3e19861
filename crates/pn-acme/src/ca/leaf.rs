//! Signing leaves. Pure computation: a P-256 key and a signature, well below a millisecond.

use super::authority::Pair;
use crate::error::AcmeError;
use pn_model::HostPattern;
use pn_tls::CertifiedKey;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

/// Clients whose clock is slow find the certificate valid all the same.
const BACKDATED: u64 = 3600;

/// A certificate with all that is known of it.
#[derive(Debug, Clone)]
pub struct Issued {
    pub names: Vec<HostPattern>,
    pub key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Seconds since 1970: a third of its life is left then.
    pub renew_at: u64,
}

/// A new certificate with what its file is to hold: key and chain in PEM. Not to be printed.
pub(super) struct Signed {
    pub(super) issued: Issued,
    pub(super) pem: String,
}

/// What signs: the intermediate of this moment.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) intermediate: Pair,
}

impl Signer {
    pub(super) fn issue(
        &self,
        names: &[HostPattern],
        lifetime: Duration,
        now: UnixTime,
    ) -> Result<Signed, AcmeError> {
        let mut params = params();
        params.subject_alt_names = names.iter().map(san).collect::<Result<_, _>>()?;
        params.distinguished_name = common_name(names);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(lifetime, now, self.intermediate.not_after);
        let key = KeyPair::generate().map_err(|error| AcmeError::signing(&error))?;
        let signed = params.signed_by(&key, &self.intermediate.issuer);
        let certificate = signed.map_err(|error| AcmeError::signing(&error))?;
        let pem = format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.intermediate.pem);
        let chain = vec![certificate.der().clone(), self.intermediate.certificate.clone()];
        let secret =
            PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| AcmeError::signing(&error))?;
        let key = pn_tls::certified_key(chain, secret).map_err(AcmeError::Signing)?;
        let not_after = params.not_after.unix_timestamp().cast_unsigned();
        let issued = Issued { names: names.to_vec(), key, not_after, renew_at: renew_at(now, not_after) };
        Ok(Signed { issued, pem })
    }
}

/// Signed by its own key: nobody trusts it, and nobody is meant to.
pub(super) fn self_signed(names: &[HostPattern], now: UnixTime) -> Result<Issued, AcmeError> {
    let mut params = params();
    params.subject_alt_names = names.iter().map(san).collect::<Result<_, _>>()?;
    params.distinguished_name = common_name(names);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = validity(super::DEFAULT_LIFETIME, now, u64::MAX);
    let key = KeyPair::generate().map_err(|error| AcmeError::signing(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| AcmeError::signing(&error))?;
    let secret = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| AcmeError::signing(&error))?;
    let key = pn_tls::certified_key(vec![certificate.der().clone()], secret).map_err(AcmeError::Signing)?;
    let not_after = params.not_after.unix_timestamp().cast_unsigned();
    Ok(Issued { names: names.to_vec(), key, not_after, renew_at: renew_at(now, not_after) })
}

/// A third of the life that begins now is left then. The backdated hour is no part of it.
pub(super) fn renew_at(from: UnixTime, not_after: u64) -> u64 {
    not_after - not_after.saturating_sub(from.as_secs()) / 3
}

/// From an hour ago until `lifetime` from now, or `end` if that is sooner.
pub(super) fn validity(lifetime: Duration, now: UnixTime, end: u64) -> (OffsetDateTime, OffsetDateTime) {
    let until = now.as_secs().saturating_add(lifetime.as_secs()).min(end);
    (moment(now.as_secs().saturating_sub(BACKDATED)), moment(until))
}

pub(super) fn issued_at(not_before: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(not_before + BACKDATED))
}

/// With an empty name. The serial number is drawn from the key, which is new for each certificate.
pub(super) fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
}

fn moment(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds.cast_signed()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn san(host: &HostPattern) -> Result<SanType, AcmeError> {
    let refuse = |reason: &str| AcmeError::Name { name: host.to_string(), reason: reason.to_owned() };
    let text = match host {
        HostPattern::Exact(name) => match name.parse::<IpAddr>() {
            Ok(address) => return Ok(SanType::IpAddress(address)),
            Err(_) => name.clone(),
        },
        HostPattern::OneLabel(_) => host.to_string(),
        HostPattern::AnyDepth(_) | HostPattern::Any => {
            return Err(refuse(
                "a certificate's wildcard stands for one label; it is made when a name is asked for",
            ));
        }
    };
    text.as_str().try_into().map(SanType::DnsName).map_err(|_| refuse("the name is not ASCII"))
}

/// For people: clients only look at the alternative names. The field holds 64 characters (RFC 5280 appendix A.1).
fn common_name(names: &[HostPattern]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let first = names.first().map(ToString::to_string).filter(|first| first.len() <= 64);
    name.push(DnType::CommonName, first.unwrap_or_else(|| "proxy-now".into()));
    name
}

/// The key identifier of a certificate's subject, or of who signed it.
pub(super) fn key_id_of(cert: &X509Certificate<'_>, subject: bool) -> Option<Vec<u8>> {
    cert.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) if subject => Some(id.0.to_vec()),
        ParsedExtension::AuthorityKeyIdentifier(id) if !subject => {
            Some(id.key_identifier.as_ref()?.0.to_vec())
        }
        _ => None,
    })
}
