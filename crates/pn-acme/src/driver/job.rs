//! One visit of a certificate: a look at what is stored, or what the schedule says under its lock.

use super::books::{self, Page};
use super::context::Context;
use super::keep::{TTL, keep};
use super::run::Standing;
use super::sweep;
use super::work::{self, trouble};
use crate::life::{Decision, Demand, PutOff, Visit, VisitKind};
use crate::records::CertificateRecord;
use crate::storage::Lease;

/// To its end, whatever comes of it; the planner is told.
pub(super) async fn visit(cx: &Context, visit: &Visit) {
    let done = match visit.kind {
        VisitKind::Look => Ok(()),
        VisitKind::Act => act(cx, visit).await,
    };
    let page = match done {
        Ok(()) => look_again(cx, visit).await,
        Err(put_off) => Err(put_off),
    };
    let now = cx.now();
    match page {
        Ok(page) => cx.planner().visited(visit, page.facts, now),
        Err(put_off) => {
            if let PutOff::Trouble(error) = &put_off
                && let Some(unsaid) = cx.loudness.may_tell(now)
            {
                let names = work::names(&visit.demand);
                tracing::error!(%names, error, unsaid, "certificate not looked after");
            }
            cx.planner().put_off(visit, put_off, now);
        }
    }
}

/// Published only if it is wanted still. One that others are about to obtain, while handshakes wait for it here, is not
/// put off for as long as if it had failed.
async fn look_again(cx: &Context, visit: &Visit) -> Result<Page, PutOff> {
    let mut page = read(cx, &visit.demand).await?;
    if let Some(record) = page.record.take().filter(|_| cx.planner().wants(visit)) {
        show(cx, &visit.demand, &page, &record).await;
    }
    let waits = visit.demand.on_demand && page.facts.held.is_none() && page.facts.tries.failures > 0;
    if waits && visit.kind == VisitKind::Look && is_locked(cx, visit).await? {
        return Err(PutOff::Elsewhere);
    }
    Ok(page)
}

async fn is_locked(cx: &Context, visit: &Visit) -> Result<bool, PutOff> {
    match cx.storage.lock(&lock_of(visit), TTL).await.map_err(trouble)? {
        Some(lease) => cx.storage.unlock(lease).await.map(|()| false).map_err(trouble),
        None => Ok(true),
    }
}

fn lock_of(visit: &Visit) -> String {
    format!("certificate-{}", visit.demand.id)
}

/// What is stored, published where it is new.
pub(super) async fn look(cx: &Context, demand: &Demand) -> Result<Page, PutOff> {
    let mut page = read(cx, demand).await?;
    if let Some(record) = &page.record {
        show(cx, demand, &page, record).await;
    }
    page.record = None;
    Ok(page)
}

/// To handshakes, to those who clear away what nobody wants, and to people once it has ended.
async fn show(cx: &Context, demand: &Demand, page: &Page, record: &CertificateRecord) {
    if let Some(key) = &page.key {
        cx.publish(demand, record, key);
    }
    if let Some(version) = page.version {
        sweep::unmark(cx, record, version).await;
    }
    cx.shelf.tell_of_the_end(demand, page.facts.tries.last_error.as_deref(), cx.now());
}

async fn read(cx: &Context, demand: &Demand) -> Result<Page, PutOff> {
    let wanted = cx.wanted.load_full();
    let mut page = books::open(cx, demand, &wanted).await.map_err(trouble)?;
    if let Some(held) = &mut page.facts.held {
        held.ask_at = held.ask_at.map(|at| at.max(cx.quiet_until(&demand.id)));
    }
    Ok(page)
}

async fn act(cx: &Context, visit: &Visit) -> Result<(), PutOff> {
    let Some(lease) = cx.storage.lock(&lock_of(visit), TTL).await.map_err(trouble)? else {
        return Err(PutOff::Elsewhere);
    };
    let standing = Standing::default();
    let done = keep(&*cx.storage, &lease, Box::pin(under_lease(cx, visit, &lease, &standing))).await;
    standing.clear().await;
    cx.storage.unlock(lease).await.map_err(trouble)?;
    done.unwrap_or_else(|given_up| Err(PutOff::Trouble(given_up.to_string())))
}

/// Another node may have done it meanwhile: decided anew from what is stored now.
async fn under_lease(cx: &Context, visit: &Visit, lease: &Lease, standing: &Standing) -> Result<(), PutOff> {
    let page = read(cx, &visit.demand).await?;
    let decision = cx.planner().decide(visit, &page.facts, cx.now());
    match decision {
        Decision::Obtain(attempt) => {
            cx.permitted(&visit.demand, page.facts.held.as_ref()).await?;
            work::obtain(cx, &visit.demand, &page, &attempt, lease, standing).await
        }
        Decision::Ask => work::ask(cx, &visit.demand, page, lease).await,
        Decision::Wait { .. } => Ok(()),
    }
}
