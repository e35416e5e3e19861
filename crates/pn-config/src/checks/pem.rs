//! What PEM files hold, as far as a check wants to know.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::FromDer;

/// At least one certificate, and nothing that is none.
pub(super) fn roots(bytes: &[u8]) -> Result<(), String> {
    let mut count = 0;
    for item in CertificateDer::pem_slice_iter(bytes) {
        let der = item.map_err(|error| format!("not PEM: {error}"))?;
        x509_parser::certificate::X509Certificate::from_der(&der)
            .map_err(|_| "a certificate in it is damaged")?;
        count += 1;
    }
    if count == 0 { Err("there is no certificate in it".to_owned()) } else { Ok(()) }
}

/// At least one revocation list.
pub(super) fn revocations(bytes: &[u8]) -> Result<(), String> {
    let mut count = 0;
    for item in CertificateRevocationListDer::pem_slice_iter(bytes) {
        let der = item.map_err(|error| format!("not PEM: {error}"))?;
        x509_parser::revocation_list::CertificateRevocationList::from_der(&der)
            .map_err(|_| "a revocation list in it is damaged")?;
        count += 1;
    }
    if count == 0 { Err("there is no revocation list in it".to_owned()) } else { Ok(()) }
}
