//! Certificates in use, and when they end.

use super::{Views, time};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    /// Hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Made because a client asked for this name: clients choose how many there are.
    pub on_demand: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct CertificateView {
    names: Vec<String>,
    serial: String,
    not_before: String,
    not_after: String,
    seconds_left: u64,
}

/// Those that end first come first.
pub(super) fn all(views: &Views) -> Vec<CertificateView> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let moment = |seconds: u64| time(UNIX_EPOCH + Duration::from_secs(seconds));
    let mut all = views.process.certificates();
    all.sort_by_key(|certificate| certificate.not_after);
    let view = |certificate: Certificate| CertificateView {
        names: certificate.names,
        serial: certificate.serial,
        not_before: moment(certificate.not_before),
        not_after: moment(certificate.not_after),
        seconds_left: certificate.not_after.saturating_sub(now),
    };
    all.into_iter().map(view).collect()
}
