//! What is done for one certificate under its lock: an order, or a question when to renew.

use super::accounts::{AccountError, Who, may_be_the_account};
use super::books::{self, Page};
use super::context::Context;
use super::run::{Standing, run};
use super::served;
use super::tally::OrderOutcome;
use super::throttle;
use super::wanted::Issuing;
use crate::Time;
use crate::acme::{
    AcmeFault, CertId, CertificateKey, FaultKind, Identifier, Obtained, Order, RenewalInfo, RenewalWindow,
};
use crate::life::{Attempt, DAY, Demand, Failure, FailureKind, HOUR, PutOff, Tries, Window};
use crate::records::{AriRecord, CertificateRecord, Source, save};
use crate::storage::{Expected, Lease, StorageError};
use pn_model::Secret;
use pn_model::acme::ChallengeKind;
use std::time::Duration;

/// One order at one CA, from its place in the throttle to the stored certificate. `Ok`: the records say what came of it.
pub(super) async fn obtain(
    cx: &Context,
    demand: &Demand,
    page: &Page,
    attempt: &Attempt,
    lease: &Lease,
    standing: &Standing,
) -> Result<(), PutOff> {
    let gone = || PutOff::Trouble("its issuer is not there any more".to_owned());
    let source = demand.issuers.get(attempt.issuer).ok_or_else(gone)?;
    let issuing = cx.wanted.load().issuers.get(&source.issuer).cloned().ok_or_else(gone)?;
    let who = Who {
        directory: &attempt.directory,
        email: issuing.settings.email.as_deref(),
        // Of the real CA; none that has a staging one of ours needs it there.
        eab: issuing.settings.eab.as_ref().filter(|_| !attempt.staging),
    };
    let storage = &*cx.storage;
    let slot = throttle::take_slot(cx, who.directory, who.name(), source.throttle).await;
    slot.map_err(trouble)?.map_err(PutOff::Throttled)?;
    let (before, held) = (&page.facts.tries, page.facts.held.as_ref());
    let begun = before.begun(&demand.id, held, cx.now());
    books::write_tries(storage, demand, &begun, lease).await.map_err(trouble)?;
    let ordered = order(cx, demand, page, attempt, &issuing, &who, standing).await;
    let now = cx.now();
    let made = ordered.and_then(|(obtained, key)| {
        let before = proven_by(page, &issuing);
        let record = certificate(demand, attempt, &issuing, (obtained, before), &key, now);
        // What would be taken for damaged once it is stored would be ordered again at once.
        served::usable(&record, demand).map_err(|reason| unusable(&reason))?;
        Ok(record)
    });
    let outcome = match &made {
        Ok(_) if attempt.staging => OrderOutcome::Rehearsed,
        Ok(_) => OrderOutcome::Issued,
        Err(failure) => failure.kind.into(),
    };
    cx.tally.count(&source.issuer, outcome);
    let tries = match made {
        Ok(_) if attempt.staging => {
            tracing::info!(names = %names(demand), directory = attempt.directory, "the staging CA said yes");
            before.rehearsed(demand, attempt, now)
        }
        Ok(record) => {
            keep(cx, demand, &record, lease).await?;
            Tries::default()
        }
        Err(failure) => {
            let tries = before.failed(demand, held, attempt, &failure, now);
            tell(demand, attempt, &failure, &tries, now);
            tries
        }
    };
    books::write_tries(storage, demand, &tries, lease).await.map_err(trouble)
}

/// Asks the CA when it suggests to renew. What fails is asked again later; the schedule does without.
pub(super) async fn ask(cx: &Context, demand: &Demand, page: Page, lease: &Lease) -> Result<(), PutOff> {
    let (Some(mut record), Some(version)) = (page.record, page.version) else { return Ok(()) };
    let window = match suggestion(cx, demand, &record).await {
        Ok(Some(window)) => window,
        Ok(None) => {
            cx.be_quiet(&demand.id, cx.now() + DAY);
            return Ok(());
        }
        Err(fault) => {
            tracing::debug!(names = %names(demand), error = %fault, "the CA did not say when to renew");
            cx.be_quiet(&demand.id, fault.retry_after.unwrap_or(0).max(cx.now() + 6 * HOUR));
            return Ok(());
        }
    };
    let before = page.facts.held.and_then(|held| held.window);
    let Some(drawn) = Window::draw(window.start, window.end, before, random()) else { return Ok(()) };
    if before.is_none_or(|before| before != drawn) {
        tracing::info!(
            names = %names(demand), renewed_at = drawn.selected, why = window.explanation_url,
            "the CA says when to renew"
        );
    }
    record.ari = Some(AriRecord {
        window_start: drawn.start,
        window_end: drawn.end,
        selected: drawn.selected,
        retry_after: window.retry_after,
        explanation_url: window.explanation_url,
    });
    let saved = save(&*cx.storage, &record.key(), &record, Expected::Version(version), Some(lease)).await;
    saved.map(drop).map_err(trouble)
}

async fn suggestion(
    cx: &Context,
    demand: &Demand,
    record: &CertificateRecord,
) -> Result<Option<RenewalWindow>, AcmeFault> {
    let wanted = cx.wanted.load_full();
    let source = demand.issuers.iter().find(|source| source.directory == record.issuer_directory);
    let issuing = source.and_then(|source| wanted.issuers.get(&source.issuer));
    let (Some(issuing), Some(certificate)) = (issuing, CertId::of_pem(&record.chain_pem)) else {
        return Ok(None);
    };
    let session = cx.accounts.reader(&record.issuer_directory).await?;
    let standing = Standing::default();
    run(RenewalInfo { certificate }.machine(&session), &cx.world(issuing, &standing)).await
}

/// With another account once, where the CA does not accept ours any more.
async fn order(
    cx: &Context,
    demand: &Demand,
    page: &Page,
    attempt: &Attempt,
    issuing: &Issuing,
    who: &Who<'_>,
    standing: &Standing,
) -> Result<(Obtained, CertificateKey), Failure> {
    let world = cx.world(issuing, standing);
    let session = cx.accounts.session(who, &*cx.storage, &world).await.map_err(of_account)?;
    let (key, order) = prepare(demand, page, attempt, issuing).await?;
    let first = run(order.clone().machine(&session), &world).await;
    let obtained = match first {
        Err(fault) if may_be_the_account(&fault) => {
            let other = cx.accounts.recover(who, &session, &*cx.storage, &world).await.map_err(of_account)?;
            match other {
                Some(session) => run(order.machine(&session), &world).await,
                None => Err(fault),
            }
        }
        outcome => outcome,
    };
    let obtained = obtained.map_err(|fault| failure(&fault))?;
    if obtained.preferred_missing {
        tracing::warn!(
            names = %names(demand), offered = obtained.topmost_issuers.join(", "),
            "the CA has no chain that ends in the issuer's `preferred-chain`; its default is used"
        );
    }
    Ok((obtained, key))
}

async fn prepare(
    demand: &Demand,
    page: &Page,
    attempt: &Attempt,
    issuing: &Issuing,
) -> Result<(CertificateKey, Order), Failure> {
    let names: Vec<Identifier> = demand.names.iter().map(|name| Identifier::parse(name)).collect();
    let (kind, own) = (issuing.settings.key_type, names.clone());
    // RSA takes seconds.
    let made = tokio::task::spawn_blocking(move || {
        let key = CertificateKey::generate(kind)?;
        key.request(&own).map(|request| (key, request))
    });
    let made = made.await.map_err(|error| internal(&error))?;
    let (key, csr) = made.map_err(|error| internal(&error))?;
    let same_ca = |record: &&CertificateRecord| record.issuer_directory == attempt.directory;
    let before = page.record.as_ref().filter(same_ca).filter(|_| attempt.replaces);
    let order = Order {
        names,
        csr,
        // Staging CAs have the profiles of the real one.
        profile: issuing.settings.profile.clone(),
        replaces: before.and_then(|record| CertId::of_pem(&record.chain_pem)),
        challenges: in_turn(
            issuing.presenters.kinds(&issuing.settings.challenges),
            proven_by(page, issuing),
            page.facts.tries.failures,
        ),
        preferred_chain: issuing.settings.preferred_chain.clone().filter(|_| !attempt.staging),
    };
    Ok((key, order))
}

/// How the certificate that is held was proven, where that was for this issuer.
fn proven_by<'a>(page: &'a Page, issuing: &Issuing) -> Option<&'a str> {
    let own = |record: &&CertificateRecord| record.issuer_directory == issuing.settings.directory;
    page.record.as_ref().filter(own)?.proven_by.as_deref()
}

/// What worked before comes first, and what failed by one challenge is tried by another next time: something before the
/// proxy may let only one through.
fn in_turn(mut kinds: Vec<ChallengeKind>, worked: Option<&str>, failures: u32) -> Vec<ChallengeKind> {
    let at = kinds.iter().position(|kind| Some(kind.name()) == worked);
    if let Some(first) = at.and_then(|at| kinds.get_mut(..=at)) {
        first.rotate_right(1);
    }
    let first = failures as usize % kinds.len().max(1);
    kinds.rotate_left(first);
    kinds
}

/// Stores what was obtained. The disk may be full for a while: an order is worth some patience.
async fn keep(
    cx: &Context,
    demand: &Demand,
    record: &CertificateRecord,
    lease: &Lease,
) -> Result<(), PutOff> {
    let mut last = None;
    for pause in PAUSES {
        match save(&*cx.storage, &record.key(), record, Expected::Any, Some(lease)).await {
            Ok(_) => {
                tracing::info!(names = %names(demand), issuer = record.issuer_directory, "certificate obtained");
                return Ok(());
            }
            Err(error) => {
                let over = matches!(error, StorageError::Lost(_) | StorageError::TooLarge { .. });
                last = Some(error);
                if over {
                    break;
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
    let error = last.map(|error| error.to_string()).unwrap_or_default();
    tracing::error!(
        names = %names(demand), error,
        "a certificate was obtained and cannot be stored: it serves until this process ends"
    );
    match served::usable(record, demand) {
        Ok(key) => cx.publish(demand, record, &key),
        Err(error) => tracing::error!(names = %names(demand), error, "a certificate cannot be used"),
    }
    Err(PutOff::Trouble(error))
}

const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::ZERO,
];

fn certificate(
    demand: &Demand,
    attempt: &Attempt,
    issuing: &Issuing,
    (obtained, before): (Obtained, Option<&str>),
    key: &CertificateKey,
    now: Time,
) -> CertificateRecord {
    CertificateRecord {
        // A CA that still knew all the names says nothing of what works.
        proven_by: obtained.proven_by.map(ChallengeKind::name).or(before).map(str::to_owned),
        names: demand.names.clone(),
        issuer_directory: attempt.directory.clone(),
        key_pem: Secret::new(key.to_pem()),
        chain_pem: obtained.chain_pem,
        obtained_at: now,
        replaced_by: None,
        profile: issuing.settings.profile.clone(),
        ari: None,
        source: Source::Obtained,
        revoked_at: None,
        ocsp: None,
        unwanted_since: None,
        unknown: serde_json::Map::new(),
    }
}

fn tell(demand: &Demand, attempt: &Attempt, failure: &Failure, tries: &Tries, now: Time) {
    let held = demand.issuers.iter().map(|source| tries.holds(&source.directory, now).unwrap_or(0)).min();
    let again = tries.next.max(held.unwrap_or(0)).saturating_sub(now);
    tracing::warn!(
        names = %names(demand), directory = attempt.directory, staging = attempt.staging,
        failures = tries.failures, error = failure.message,
        "certificate not obtained; next try in {again} s"
    );
}

fn of_account(error: AccountError) -> Failure {
    match error {
        AccountError::Acme(fault) => failure(&fault),
        other => Failure { kind: FailureKind::Unavailable, retry_after: None, message: other.to_string() },
    }
}

fn failure(fault: &AcmeFault) -> Failure {
    let kind = match fault.kind {
        FaultKind::RateLimited => FailureKind::RateLimited,
        FaultKind::Transport | FaultKind::TimedOut | FaultKind::BadAnswer => FailureKind::Unavailable,
        _ => FailureKind::Refused,
    };
    Failure { kind, retry_after: fault.retry_after, message: fault.to_string() }
}

fn unusable(reason: &str) -> Failure {
    let message = format!("the CA's certificate cannot be used: {reason}");
    Failure { kind: FailureKind::Refused, retry_after: None, message }
}

fn internal(error: &impl ToString) -> Failure {
    Failure { kind: FailureKind::Unavailable, retry_after: None, message: error.to_string() }
}

pub(super) fn trouble(error: StorageError) -> PutOff {
    PutOff::Trouble(error.to_string())
}

pub(super) fn names(demand: &Demand) -> String {
    demand.names.join(", ")
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // A generator that fails gives the beginning of the window, which is as good.
    aws_lc_rs::rand::fill(&mut bytes).map(|()| u64::from_le_bytes(bytes)).unwrap_or_default()
}
