//! Certificates as the admin pages show them: those of handshakes, and those that are looked after, which may not be
//! there yet.

use pn_acme::acme::RevocationReason;
use pn_acme::driver::{CertificateState, CertificateStatus, Driver, RevocationRefusal};
use pn_acme::life::{Asked, CertificateId, Next};
use pn_acme::records::Source as Origin;
use pn_admin::{Begun, Certificate, CertificateSource, Renewal, RevokeError, ServedCertificate};
use pn_tls::{CertificateInfo, Source};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

/// Set once a site wants a certificate of ACME.
pub(super) type Lifecycle = Arc<OnceLock<Driver>>;

/// All of them, each once.
pub(super) fn all(in_use: Vec<CertificateInfo>, driver: Option<&Driver>) -> Vec<Certificate> {
    let managed: Vec<Certificate> =
        driver.map(Driver::status).unwrap_or_default().into_iter().map(managed).collect();
    let known: HashSet<String> =
        managed.iter().filter_map(|one| one.served.as_ref()).map(|served| served.serial.clone()).collect();
    let others = in_use.into_iter().filter(|info| !known.contains(&info.serial)).map(unmanaged);
    let others: Vec<Certificate> = others.collect();
    managed.into_iter().chain(others).collect()
}

pub(super) fn orders(driver: Option<&Driver>) -> Vec<(String, &'static str, u64)> {
    let counts = driver.map(Driver::orders).unwrap_or_default();
    counts.into_iter().map(|((issuer, outcome), n)| (issuer.to_string(), outcome.name(), n)).collect()
}

pub(super) fn renew(driver: Option<&Driver>, id: &str) -> Result<Begun, String> {
    let gone = || "no site wants this certificate any more".to_owned();
    let driver = driver.ok_or_else(gone)?;
    let begun = |result, message: String, at| Ok(Begun { result, message, at });
    match driver.renew(&CertificateId::from_stored(id)) {
        Asked::Begins(attempt) if attempt.staging => {
            let message = format!("tried first at the staging CA, {}", attempt.directory);
            begun("begun", message, None)
        }
        Asked::Begins(attempt) => begun("begun", format!("ordered of {}", attempt.directory), None),
        Asked::UnderWay => begun("under-way", "it is being looked after at this moment".to_owned(), None),
        Asked::Waits(until) => {
            let message = "ordered as soon as the throttle and the CA allow it".to_owned();
            begun("waits", message, Some(until))
        }
        Asked::Trouble(why) => {
            Err(format!("{why}; this is tried again now, and a certificate ordered as soon as it works"))
        }
        Asked::Unread => Err("the certificate store has not been read yet; try again in a moment".to_owned()),
        Asked::Unknown => Err(gone()),
    }
}

pub(super) async fn revoke(
    driver: Option<&Driver>,
    id: &str,
    serial: Option<&str>,
    reason: &str,
) -> Result<Begun, RevokeError> {
    let reasons = || RevocationReason::ALL.map(RevocationReason::name).join(", ");
    let reason = RevocationReason::of_name(reason).ok_or_else(|| {
        RevokeError::Reason(format!("`{reason}` is no reason; choose one of {}", reasons()))
    })?;
    let none = || RevokeError::Unknown("there is no such certificate in the store".to_owned());
    let (id, serial) = (CertificateId::from_stored(id), serial.map(str::to_owned));
    let revoked = driver.ok_or_else(none)?.revoke(id, serial, reason).await;
    let revoked = revoked.map_err(|refusal| match refusal {
        RevocationRefusal::Unknown => none(),
        RevocationRefusal::Silent(_) => RevokeError::Silent(refusal.to_string()),
        RevocationRefusal::Failed(told) => RevokeError::Failed(told),
        other => RevokeError::Refused(other.to_string()),
    })?;
    let follows = match revoked.wanted {
        true => "another one is ordered, and this one served until it is there",
        false => "no site wants another one",
    };
    let message = format!("serial number {}; {follows}", revoked.serial);
    Ok(Begun { result: "revoked", message, at: None })
}

fn managed(status: CertificateStatus) -> Certificate {
    Certificate {
        id: status.id.to_string(),
        names: status.names,
        source: match status.source {
            Some(Origin::Imported) => CertificateSource::Imported,
            _ => CertificateSource::Obtained,
        },
        issuer: Some(status.issuer.to_string()),
        served: status.served.map(served),
        on_demand: status.on_demand,
        renewal: Some(Renewal {
            state: CertificateState::name(status.state),
            directory: status.directory,
            next: match status.next {
                Next::Obtain => "obtain",
                Next::Renew => "renew",
                Next::Ask => "ask",
            },
            next_at: status.next_at,
            failures: status.failures,
            last_error: status.last_error,
            window: status.window.map(|window| [window.start, window.end, window.selected]),
            asked_for: status.asked_for,
        }),
    }
}

fn unmanaged(info: CertificateInfo) -> Certificate {
    Certificate {
        id: info.serial.clone(),
        names: info.names.clone(),
        source: match info.source {
            Some(Source::Acme | Source::OnDemand) => CertificateSource::Obtained,
            Some(Source::InternalCa) => CertificateSource::Internal,
            None => CertificateSource::File,
        },
        issuer: None,
        on_demand: info.on_demand,
        served: Some(served(info)),
        renewal: None,
    }
}

fn served(info: CertificateInfo) -> ServedCertificate {
    ServedCertificate {
        serial: info.serial,
        signed_by: info.signed_by,
        key_type: info.key_type.to_owned(),
        not_before: info.not_before,
        not_after: info.not_after,
    }
}
