//! Certificates as two files of PEM each, which every other program takes.

use super::material::{certificate, expiry_note};
use super::{Bundle, BundleIssuer, ExchangeError};
use crate::Time;
use crate::storage::certificate_id;
use std::collections::BTreeMap;

/// What an issuer is called that is not known yet.
const UNNAMED: &str = "pem";

/// A chain, leaf first, and its key (PKCS#8, PKCS#1 or SEC1). The CA's directory is still to be said.
pub fn import_pem(chain: &[u8], key: &[u8], now: Time) -> Result<Bundle, ExchangeError> {
    let record = certificate(chain, key, "").map_err(ExchangeError::NotPem)?;
    let mut bundle = Bundle::default();
    if let Some(note) = expiry_note(&record, now) {
        bundle.note(record.names.join(", "), note);
    }
    let certificates = vec![record];
    bundle.issuers.push(BundleIssuer { name: UNNAMED.to_owned(), certificates, ..BundleIssuer::default() });
    Ok(bundle)
}

/// By the name of the file: `ID.crt` holds the chain, `ID.key` the key. A second one for the same names, of another CA,
/// has the CA in its files' names.
pub fn export_pem(bundle: &Bundle) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let all =
        bundle.issuers.iter().flat_map(|issuer| issuer.certificates.iter().map(move |one| (issuer, one)));
    for (issuer, record) in all {
        let mut id = certificate_id(&record.names);
        if files.contains_key(&format!("{id}.crt")) {
            id = format!("{id}-{}", issuer.name);
        }
        files.insert(format!("{id}.crt"), record.chain_pem.clone().into_bytes());
        files.insert(format!("{id}.key"), record.key_pem.expose().as_bytes().to_vec());
    }
    files
}
