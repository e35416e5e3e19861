//! Certificates in use, those that are wanted and not there, when they end, and how their renewal goes.

use super::{Views, time};
use serde::Serialize;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One certificate. Moments are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What it is called by: stays over renewals where they are made here, else the serial number.
    pub id: String,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    pub source: CertificateSource,
    /// The issuer of the configuration that it is of.
    pub issuer: Option<String>,
    /// What clients are shown. `None`: it is wanted, and not there.
    pub served: Option<ServedCertificate>,
    /// Made because a client asked for this name: clients choose how many there are.
    pub on_demand: bool,
    /// Of those that are renewed by ACME.
    pub renewal: Option<Renewal>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCertificate {
    /// Hexadecimal.
    pub serial: String,
    /// Common name of the CA.
    pub signed_by: String,
    /// `p256`, `rsa2048` and the like.
    pub key_type: String,
    pub not_before: u64,
    pub not_after: u64,
}

/// Where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    /// Ordered here.
    Obtained,
    /// Ordered by another program, and renewed here.
    Imported,
    /// Of the internal CA.
    Internal,
    File,
}

/// How the renewal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    pub state: &'static str,
    /// URL of the directory of the CA.
    pub directory: String,
    /// `obtain`, `renew`, or `ask`: the CA, when it suggests to renew.
    pub next: &'static str,
    pub next_at: u64,
    /// Rounds that failed since it went well.
    pub failures: u32,
    pub last_error: Option<String>,
    /// What the CA suggests (RFC 9773): from, until, and the moment of it that was drawn.
    pub window: Option<[u64; 3]>,
    /// Somebody asked for another certificate, which is not there yet.
    pub asked_for: bool,
}

/// A name that does not lead to one certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    None,
    /// Their ids.
    Several(Vec<String>),
}

#[derive(Debug, Serialize)]
pub(super) struct CertificateView {
    id: String,
    names: Vec<String>,
    source: CertificateSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    state: &'static str,
    on_demand: bool,
    #[serde(flatten)]
    served: Option<ServedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal: Option<RenewalView>,
}

#[derive(Debug, Serialize)]
struct ServedView {
    serial: String,
    signed_by: String,
    key_type: String,
    not_before: String,
    not_after: String,
    seconds_left: u64,
}

#[derive(Debug, Serialize)]
struct RenewalView {
    directory: String,
    next: &'static str,
    next_at: String,
    failures: u32,
    last_error: Option<String>,
    window: Option<WindowView>,
    asked_for: bool,
}

#[derive(Debug, Serialize)]
struct WindowView {
    start: String,
    end: String,
    selected: String,
}

impl Certificate {
    pub(crate) fn has_expired(&self, now: u64) -> bool {
        self.served.as_ref().is_some_and(|served| served.not_after <= now)
    }

    fn state(&self, now: u64) -> &'static str {
        match &self.renewal {
            Some(renewal) => renewal.state,
            None if self.has_expired(now) => "expired",
            None => "valid",
        }
    }

    /// How well a name means this one; the greatest does.
    fn is_meant_by(&self, name: &str) -> u8 {
        let serial = self.served.as_ref().map(|served| &*served.serial);
        let wild = |own: &String| {
            let label = own.strip_prefix('*').and_then(|rest| name.strip_suffix(rest));
            label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
        };
        let renewed = u8::from(self.renewal.is_some());
        if self.id == name || serial == Some(name) {
            5
        } else if self.names.iter().any(|own| own == name) {
            3 + renewed
        } else if name.parse::<IpAddr>().is_err() && self.names.iter().any(wild) {
            1 + renewed
        } else {
            0
        }
    }
}

/// Those that are not there come first, then those that end first.
pub(super) fn all(views: &Views) -> Vec<CertificateView> {
    let now = now();
    let mut all = views.process.certificates();
    all.sort_by_cached_key(|one| (one.served.as_ref().map(|served| served.not_after), one.id.clone()));
    all.into_iter().map(|one| view(one, now)).collect()
}

/// The one that is called so: by its id, its serial number, or a name that it is for.
pub(crate) fn find(views: &Views, name: &str) -> Result<Certificate, Unclear> {
    let name = name.to_ascii_lowercase();
    let all = views.process.certificates().into_iter().map(|one| (one.is_meant_by(&name), one));
    let all: Vec<_> = all.filter(|(fit, _)| *fit > 0).collect();
    let best = all.iter().map(|(fit, _)| *fit).max().unwrap_or_default();
    let mut best: Vec<_> = all.into_iter().filter(|(fit, _)| *fit == best).map(|(_, one)| one).collect();
    match best.len() {
        1 => best.pop().ok_or(Unclear::None),
        0 => Err(Unclear::None),
        _ => Err(Unclear::Several(best.into_iter().map(|one| one.id).collect())),
    }
}

pub(super) fn view(one: Certificate, now: u64) -> CertificateView {
    CertificateView {
        state: one.state(now),
        id: one.id,
        names: one.names,
        source: one.source,
        issuer: one.issuer,
        on_demand: one.on_demand,
        served: one.served.map(|served| ServedView {
            serial: served.serial,
            signed_by: served.signed_by,
            key_type: served.key_type,
            not_before: moment(served.not_before),
            not_after: moment(served.not_after),
            seconds_left: served.not_after.saturating_sub(now),
        }),
        renewal: one.renewal.map(|renewal| RenewalView {
            directory: renewal.directory,
            next: renewal.next,
            next_at: moment(renewal.next_at),
            failures: renewal.failures,
            last_error: renewal.last_error,
            window: renewal.window.map(|[start, end, selected]| WindowView {
                start: moment(start),
                end: moment(end),
                selected: moment(selected),
            }),
            asked_for: renewal.asked_for,
        }),
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Certificates may end beyond what a clock can show.
pub(crate) fn moment(seconds: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.min(LAST)));
    at.map(time).unwrap_or_default()
}

/// The last second of the year 9999, which RFC 5280 gives to those that do not end.
const LAST: u64 = 253_402_300_799;

impl std::fmt::Display for Unclear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("there is no such certificate; `proxy-now certs list` shows all"),
            Self::Several(ids) => {
                write!(f, "several certificates are meant; say which by its id: {}", ids.join(", "))
            }
        }
    }
}
