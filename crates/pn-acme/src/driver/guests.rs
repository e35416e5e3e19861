//! Certificates on demand, from the handshake that asks to the certificate that is renewed for as long as somebody comes:
//! who is asked, what the storage remembers, and when a name is let go again. What is under way is `desk`'s; orders and
//! renewals are those of every certificate.

use super::books;
use super::context::Context;
use super::desk::Next;
use super::door::{Knock, RuleSet, count};
use super::permission::{Rules, Verdict};
use super::wanted::Wanted;
use super::work::trouble;
use crate::Time;
use crate::life::{CertificateId, DAY, Demand, HOUR, Held, MINUTE, PutOff, Standing};
use crate::records::{GuestRecord, Record, load, save};
use crate::storage::{Expected, Key, ON_DEMAND, StorageError};
use pn_model::IssuerName;
use pn_model::limits::ON_DEMAND_NAMES;
use pn_tls::NoCertificate;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;

/// A name that nobody came for in so long is not renewed.
const IDLE: u64 = 30 * DAY;
/// Records that are read at once.
const LOADS: usize = 256;

/// What came of asking for a name.
pub(super) type Asked = (String, IssuerName, Verdict);

impl Context {
    pub(super) fn knocked(self: &Arc<Self>, knock: Knock, jobs: &mut JoinSet<Asked>) {
        let (rules, name, now) = (Arc::clone(&knock.rules), knock.name.clone(), self.now());
        if self.permission.known(&rules, &name, now) == Some(false) {
            count(&self.door.counts.denied);
            return knock.answer(Err(NoCertificate::Denied));
        }
        match self.desk().knocked(knock, now) {
            Next::Nothing => {}
            Next::TurnedAway => count(&self.door.counts.turned_away),
            Next::Ask => {
                jobs.spawn(ask(Arc::clone(self), rules, name));
            }
        }
    }

    pub(super) fn asked(&self, (name, issuer, verdict): Asked) {
        let (counts, now) = (&self.door.counts, self.now());
        match verdict {
            Verdict::Allowed => {
                count(&counts.allowed);
                self.desk().allowed(&name, now);
                self.admit();
            }
            Verdict::Denied => {
                count(&counts.denied);
                tracing::debug!(name, "no certificate on demand: the name is not allowed");
                self.desk().refused(&name, NoCertificate::Denied, now);
            }
            Verdict::Unknown(reason) => {
                count(&counts.unanswered);
                self.tell_unknown(&issuer, &name, &reason, now);
                self.desk().refused(&name, NoCertificate::Unavailable, now);
            }
        }
    }

    fn tell_unknown(&self, issuer: &IssuerName, name: &str, reason: &str, now: Time) {
        if self.permission.is_news(issuer, reason, now) {
            tracing::warn!(
                %issuer,
                name,
                reason,
                "it is not known who may have certificates on demand (told once a minute)"
            );
        }
    }

    /// Hands over to the schedule whose turn it is.
    fn admit(&self) {
        let now = self.now();
        loop {
            let Some((name, issuer)) = self.desk().next(now) else { return };
            let demand = self.door.rules.load().get(&issuer).map(|rules| rules.open.demand(&name));
            if !demand.is_some_and(|demand| self.planner().add(demand, now)) {
                self.desk().rest(&name, now);
            }
        }
    }

    /// After each visit of such a certificate.
    pub(super) fn guest_visited(&self, demand: &Demand) {
        let Some(name) = guest(demand) else { return };
        let now = self.now();
        let standing = self.planner().standing(&demand.id, now);
        match standing {
            Some(Standing::Held) if self.desk().served(name) => count(&self.door.counts.obtained),
            Some(Standing::Waits(until)) if self.desk().is_obtaining(name) => {
                // Tried again when somebody comes after its pause, and not by itself.
                self.planner().remove(&demand.id);
                self.desk().rest(name, until);
                count(&self.door.counts.failed);
            }
            _ => {}
        }
        self.admit();
    }

    /// Whether the certificate may be ordered now. One that is held is renewed only while somebody comes for it, and may
    /// have it still.
    pub(super) async fn permitted(&self, demand: &Demand, held: Option<&Held>) -> Result<(), PutOff> {
        let Some(name) = guest(demand) else { return Ok(()) };
        let now = self.now();
        let issuer = demand.issuers.first().map(|source| &source.issuer);
        let rules = issuer.and_then(|issuer| self.door.rules.load().get(issuer).cloned());
        let Some(rules) = rules else { return Err(PutOff::NotWanted(now + HOUR)) };
        let verdict = match held {
            Some(_) if self.is_idle(name, &rules.open.issuer, &demand.id, now).await? => Verdict::Denied,
            _ => self.permission.ask(&rules, name, &self.clock).await,
        };
        let valid = held.filter(|held| held.is_valid(now));
        match (verdict, valid) {
            (Verdict::Allowed, _) => Ok(()),
            (Verdict::Unknown(reason), _) => {
                self.tell_unknown(&rules.open.issuer, name, &reason, now);
                if held.is_none() {
                    self.planner().remove(&demand.id);
                    self.desk().rest(name, now + MINUTE);
                }
                Err(PutOff::NotWanted(now + 10 * MINUTE))
            }
            (Verdict::Denied, Some(held)) => Err(PutOff::NotWanted(held.not_after.min(now + HOUR))),
            (Verdict::Denied, None) => {
                tracing::info!(name, "certificate on demand is not kept any more");
                self.let_go(name, demand).await.map_err(trouble)?;
                Err(PutOff::NotWanted(now + HOUR))
            }
        }
    }

    async fn is_idle(
        &self,
        name: &str,
        issuer: &IssuerName,
        id: &CertificateId,
        now: Time,
    ) -> Result<bool, PutOff> {
        let recent = |used: Time| used.saturating_add(IDLE) > now;
        if self.certificates.last_used(name).is_some_and(recent) {
            return Ok(false);
        }
        // Others may have served it.
        let key = Key::on_demand(id.as_str());
        let record = load::<GuestRecord>(&*self.storage, &key).await;
        let then = "its certificate is kept, as if somebody had just come";
        match self.damage.mind(&key, record, then).map_err(trouble)? {
            Some(record) => Ok(!record.is_some_and(|(record, _)| recent(record.used))),
            None => {
                self.record(name, issuer, now).await.map_err(trouble)?;
                Ok(false)
            }
        }
    }

    async fn let_go(&self, name: &str, demand: &Demand) -> Result<(), StorageError> {
        self.desk().forget(name);
        self.planner().remove(&demand.id);
        self.unpublish(&demand.id, name);
        let mut keys: Vec<Key> =
            demand.issuers.iter().map(|source| books::certificate_key(source, demand)).collect();
        keys.extend([Key::schedule(demand.id.as_str()), Key::on_demand(demand.id.as_str())]);
        self.delete(&keys).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StorageError> {
        for key in keys {
            self.storage.delete(key, Expected::Any, None).await?;
        }
        Ok(())
    }

    /// Now and then: writes down who was used, and clears away what nobody came for.
    pub(super) async fn look_after_guests(self: Arc<Self>) {
        let news = self.desk().news(|name| self.certificates.last_used(name), DAY);
        let now = self.now();
        for (name, issuer) in news {
            tell_failure(&self.record(&name, &issuer, now).await);
        }
        let mut gone = self.desk().stale(now.saturating_sub(IDLE));
        gone.iter().for_each(|name| self.desk().forget(name));
        gone.extend(self.desk().evicted());
        for name in gone {
            let id = CertificateId::of(&[name]);
            // A certificate that it may have had has ended, or is found again when somebody comes.
            tell_failure(&self.delete(&[Key::schedule(id.as_str()), Key::on_demand(id.as_str())]).await);
        }
    }

    async fn record(&self, name: &str, issuer: &IssuerName, used: Time) -> Result<(), StorageError> {
        let record = GuestRecord {
            name: name.to_owned(),
            issuer: issuer.to_string(),
            used,
            unknown: serde_json::Map::new(),
        };
        save(&*self.storage, &record.key(), &record, Expected::Any, None).await.map(drop)
    }

    /// Reads which names were allowed in earlier days, once.
    pub(super) async fn remember_guests(&self, wanted: &Wanted) {
        if wanted.open.is_empty() || self.remembered.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.read_guests().await {
            tracing::error!(%error, "certificates on demand of earlier days are found when clients ask for them");
        }
    }

    async fn read_guests(&self) -> Result<(), StorageError> {
        let keys = self.storage.list(ON_DEMAND).await?;
        if keys.len() > ON_DEMAND_NAMES {
            tracing::warn!(
                names = keys.len(),
                most = ON_DEMAND_NAMES,
                "not all names on demand are kept in mind"
            );
        }
        let most = keys.get(..ON_DEMAND_NAMES.min(keys.len())).unwrap_or_default();
        for some in most.chunks(LOADS) {
            for (key, stored) in some.iter().zip(self.storage.load_many(some).await?) {
                let record = stored.and_then(|found| found.map(|one| GuestRecord::of(key, &one)).transpose());
                match record {
                    Ok(Some(record)) => {
                        let issuer = IssuerName::new(record.issuer);
                        self.desk().remember(record.name, issuer, record.used);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a name on demand is found again when a client asks for it");
                    }
                }
            }
        }
        Ok(())
    }

    /// Of the names that were allowed, those that these rules are for.
    pub(super) fn guests(&self, rules: &RuleSet) -> Vec<Demand> {
        let of = |(name, issuer): (String, IssuerName)| -> Option<Demand> {
            rules.get(&issuer).filter(|rules| rules.open.may_be(&name)).map(|rules| rules.open.demand(&name))
        };
        self.desk().recorded().into_iter().filter_map(of).collect()
    }

    /// The guests among the certificates that are looked after from now on: those that have one, or are about to.
    pub(super) fn settle_guests(&self, wanted: &Wanted) -> Vec<Demand> {
        self.permission.forget();
        self.door.rules.store(Arc::clone(&wanted.open));
        let own: BTreeSet<&CertificateId> = wanted.demands.iter().map(|demand| &demand.id).collect();
        let mut guests = self.guests(&wanted.open);
        guests.retain(|demand| !own.contains(&demand.id));
        guests.retain(|demand| {
            guest(demand).is_some_and(|name| {
                let has = self.shelf.has(demand);
                if has {
                    self.desk().served(name);
                }
                has || self.desk().is_obtaining(name)
            })
        });
        let kept: BTreeSet<&str> = guests.iter().filter_map(guest).collect();
        let mut desk = self.desk();
        for (name, _) in desk.wanted() {
            if !kept.contains(name.as_str()) {
                desk.rest(&name, 0);
            }
        }
        drop(desk);
        guests
    }
}

/// The name, when it is one that a client brought.
pub(super) fn guest(demand: &Demand) -> Option<&str> {
    demand.names.first().filter(|_| demand.on_demand).map(String::as_str)
}

/// Asks whether a name may have a certificate, and writes down that it may.
async fn ask(cx: Arc<Context>, rules: Arc<Rules>, name: String) -> Asked {
    let issuer = rules.open.issuer.clone();
    let verdict = cx.permission.ask(&rules, &name, &cx.clock).await;
    if verdict != Verdict::Allowed {
        return (name, issuer, verdict);
    }
    match cx.record(&name, &issuer, cx.now()).await {
        Ok(()) => (name, issuer, verdict),
        Err(error) => (name, issuer, Verdict::Unknown(error.to_string())),
    }
}

fn tell_failure(done: &Result<(), StorageError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "what is remembered of a name on demand was not brought up to date");
    }
}
