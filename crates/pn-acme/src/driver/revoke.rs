//! Certificates that their CA is told to take back. Where a site still wants one, another is ordered at once; until it
//! is there, the old one serves.

use super::accounts::Who;
use super::awaited::{self, Silence};
use super::books;
use super::context::Context;
use super::keep::{TTL, keep};
use super::run::{Standing, run};
use super::wanted::Issuing;
use crate::acme::{AccountKey, AcmeFault, RevocationReason, Revoke};
use crate::life::CertificateId;
use crate::records::{CertificateRecord, Source, load, save};
use crate::storage::{CERTIFICATES, Expected, Key, Lease, StorageError, Version};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// What became of a certificate that was to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Hexadecimal.
    pub serial: String,
    /// Whether a site wants it, so that another one is ordered.
    pub wanted: bool,
}

/// Why a certificate was not revoked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RevocationRefusal {
    #[error("there is no such certificate in the store")]
    Unknown,
    #[error("the certificate is being worked on, here or by another node; try again in a minute")]
    Busy,
    /// Somebody else was faster, such as another revocation.
    #[error(
        "the certificate with the serial number {meant} was replaced meanwhile by {stored}, so nothing was revoked; \
         look at it with `certs show`, and ask again if that one is meant"
    )]
    Replaced { meant: String, stored: String },
    #[error(
        "it is of `{0}`, and no issuer of the configuration speaks to that; add one that does, then try again"
    )]
    NoIssuer(String),
    #[error("{0}")]
    Silent(Silence),
    /// The CA or the storage said no.
    #[error("{0}")]
    Failed(String),
}

#[derive(Debug)]
pub(super) struct RevocationOrder {
    pub(super) id: CertificateId,
    /// The certificate that was looked at; `None`: the one that is stored when the order comes.
    pub(super) serial: Option<String>,
    pub(super) reason: RevocationReason,
    pub(super) done: oneshot::Sender<Result<Revoked, RevocationRefusal>>,
}

/// For the lock, while the schedule has it for a moment.
const TRIES: u32 = 20;

pub(super) async fn obey(cx: &Context, order: RevocationOrder) {
    let RevocationOrder { id, serial, reason, done } = order;
    let ca = OnceLock::new();
    let work = async {
        let outcome = under_lock(cx, &id, serial, reason, &ca).await;
        cx.planner().touch(&id, cx.now());
        outcome
    };
    awaited::answer(done, &ca, Box::pin(work)).await;
}

async fn under_lock(
    cx: &Context,
    id: &CertificateId,
    serial: Option<String>,
    reason: RevocationReason,
    ca: &OnceLock<String>,
) -> Result<Revoked, RevocationRefusal> {
    let meant = match serial {
        Some(serial) => serial,
        None => find(cx, id).await?.0.info().map_err(RevocationRefusal::Failed)?.serial,
    };
    let lock = format!("certificate-{id}");
    for _ in 0..TRIES {
        if let Some(lease) = cx.storage.lock(&lock, TTL).await.map_err(failed)? {
            let outcome = keep(&*cx.storage, &lease, revoke(cx, id, &meant, reason, &lease, ca)).await;
            cx.storage.unlock(lease).await.map_err(failed)?;
            return outcome.unwrap_or_else(|lost| Err(RevocationRefusal::Failed(lost.to_string())));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(RevocationRefusal::Busy)
}

async fn revoke(
    cx: &Context,
    id: &CertificateId,
    meant: &str,
    reason: RevocationReason,
    lease: &Lease,
    ca: &OnceLock<String>,
) -> Result<Revoked, RevocationRefusal> {
    let (mut record, version, wanted) = find(cx, id).await?;
    let info = record.info().map_err(RevocationRefusal::Failed)?;
    if info.serial != meant {
        return Err(RevocationRefusal::Replaced { meant: meant.to_owned(), stored: info.serial });
    }
    let issuing = issuing(cx, &record.issuer_directory)
        .ok_or_else(|| RevocationRefusal::NoIssuer(record.issuer_directory.clone()))?;
    ca.get_or_init(|| record.issuer_directory.clone());
    match tell_ca(cx, &record, &issuing, reason).await {
        // Asked before, and the answer was lost.
        Err(fault) if is(&fault, "alreadyRevoked") => {}
        outcome => outcome.map_err(|fault| RevocationRefusal::Failed(fault.to_string()))?,
    }
    tracing::warn!(
        names = record.names.join(", "),
        serial = info.serial,
        reason = reason.name(),
        wanted,
        "certificate revoked"
    );
    record.revoked_at = Some(cx.now());
    save(&*cx.storage, &record.key(), &record, Expected::Version(version), Some(lease))
        .await
        .map_err(failed)?;
    Ok(Revoked { serial: info.serial, wanted })
}

/// The one that serves, or one that is only stored any more.
async fn find(
    cx: &Context,
    id: &CertificateId,
) -> Result<(CertificateRecord, Version, bool), RevocationRefusal> {
    let wanted = cx.wanted.load_full();
    let demand = cx.planner().demand_of(id);
    if let Some(demand) = demand {
        let page = books::open(cx, &demand, &wanted).await.map_err(failed)?;
        let (record, version) = page.record.zip(page.version).ok_or(RevocationRefusal::Unknown)?;
        return Ok((record, version, true));
    }
    let keys = cx.storage.list(CERTIFICATES).await.map_err(failed)?;
    let own = |key: &&Key| key.segments().last() == Some(id.as_str());
    let mut newest: Option<(CertificateRecord, Version)> = None;
    let mut unknown = RevocationRefusal::Unknown;
    for key in keys.iter().filter(own) {
        let (record, version) = match load::<CertificateRecord>(&*cx.storage, key).await {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(error) => {
                unknown = failed(error);
                continue;
            }
        };
        if newest.as_ref().is_none_or(|(newest, _)| newest.obtained_at < record.obtained_at) {
            newest = Some((record, version));
        }
    }
    newest.map(|(record, version)| (record, version, false)).ok_or(unknown)
}

fn issuing(cx: &Context, directory: &str) -> Option<Arc<Issuing>> {
    let wanted = cx.wanted.load_full();
    wanted.issuers.values().find(|issuing| issuing.settings.directory == directory).cloned()
}

/// By the account, which ordered it; where it was another one, by the certificate's own key (RFC 8555 section 7.6).
async fn tell_ca(
    cx: &Context,
    record: &CertificateRecord,
    issuing: &Issuing,
    reason: RevocationReason,
) -> Result<(), AcmeFault> {
    let standing = Standing::default();
    let world = cx.world(issuing, &standing);
    let settings = &issuing.settings;
    let who =
        Who { directory: &settings.directory, email: settings.email.as_deref(), eab: settings.eab.as_ref() };
    let certificate = record.leaf().map_err(AcmeFault::internal)?.to_vec();
    let own = AccountKey::from_pem(record.key_pem.expose()).ok();
    let by = |by_key| Revoke { certificate: certificate.clone(), reason, by_key };
    let session = cx.accounts.session(&who, &*cx.storage, &world).await;
    let session = session.map_err(AcmeFault::internal)?;
    match run(by(None).machine(&session), &world).await {
        Err(fault) if own.is_some() && (record.source == Source::Imported || is(&fault, "unauthorized")) => {
            run(by(own).machine(&session), &world).await
        }
        outcome => outcome,
    }
}

fn is(fault: &AcmeFault, problem: &str) -> bool {
    fault.problem.as_ref().is_some_and(|told| told.name() == problem)
}

impl From<Silence> for RevocationRefusal {
    fn from(silence: Silence) -> Self {
        Self::Silent(silence)
    }
}

fn failed(error: StorageError) -> RevocationRefusal {
    RevocationRefusal::Failed(error.to_string())
}
