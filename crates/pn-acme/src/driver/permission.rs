//! Who may have a certificate on demand: names of the list, and those that the `ask` service says yes to. Answers are
//! remembered for a short while, and a service that does not answer is left alone for a moment.

use super::transport::{Outgoing, Transport};
use crate::Time;
use crate::life::OpenIssuer;
use pn_model::limits::{ON_DEMAND_ANSWERS, ON_DEMAND_ASKS};
use pn_model::site::PemSource;
use pn_model::{IssuerName, NodePath};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Seconds that an answer holds.
const ANSWER_HOLDS: u64 = 60;
/// Seconds until a service is asked again that did not answer.
const REST: u64 = 2;
/// From the connection to the last byte.
const ANSWER: Duration = Duration::from_secs(5);

/// The rules of one issuer, ready to be asked.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) open: OpenIssuer,
    asks: Option<Asks>,
}

#[derive(Debug)]
struct Asks {
    /// Up to the name.
    url: String,
    transport: Transport,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
    /// It is not known: why.
    Unknown(String),
}

/// What was answered of late.
#[derive(Debug)]
pub(super) struct Permission {
    /// Never held while anything else runs.
    answers: Mutex<Answers>,
    at_once: Semaphore,
}

#[derive(Debug, Default)]
struct Answers {
    known: HashMap<(IssuerName, String), (bool, Time)>,
    /// The oldest first.
    order: VecDeque<(IssuerName, String)>,
    resting: HashMap<IssuerName, Time>,
}

impl Rules {
    /// `roots` are for services that are asked without TLS, which need none but the issuer's that are there anyway.
    pub(super) fn new(
        open: OpenIssuer,
        roots: &[PemSource],
        at: &NodePath,
    ) -> Result<Self, pn_tls::TlsError> {
        let Some(ask) = &open.ask else { return Ok(Self { open, asks: None }) };
        let roots = if ask.starts_with("https:") { &[] } else { roots };
        let separator = if ask.contains('?') { '&' } else { '?' };
        let asks = Asks { url: format!("{ask}{separator}domain="), transport: Transport::new(roots, at)? };
        Ok(Self { open, asks: Some(asks) })
    }
}

impl Permission {
    pub(super) fn new() -> Self {
        Self { answers: Mutex::default(), at_once: Semaphore::new(ON_DEMAND_ASKS) }
    }

    /// What is remembered of a name. `None`: nothing that still holds.
    pub(super) fn known(&self, rules: &Rules, name: &str, now: Time) -> Option<bool> {
        let key = (rules.open.issuer.clone(), name.to_owned());
        let answers = self.answers();
        answers
            .known
            .get(&key)
            .filter(|(_, until)| holds(*until, ANSWER_HOLDS, now))
            .map(|(allowed, _)| *allowed)
    }

    /// Whether the name may have a certificate now.
    pub(super) async fn ask(&self, rules: &Rules, name: &str, clock: &crate::storage::Clock) -> Verdict {
        if !rules.open.may_be(name) {
            return Verdict::Denied;
        }
        let Some(asks) = rules.asks.as_ref().filter(|_| !rules.open.allows(name)) else {
            return Verdict::Allowed;
        };
        let Ok(_turn) = self.at_once.acquire().await else {
            return Verdict::Unknown("nobody is asked any more".to_owned());
        };
        match self.known(rules, name, clock()) {
            Some(true) => return Verdict::Allowed,
            Some(false) => return Verdict::Denied,
            None => {}
        }
        let issuer = &rules.open.issuer;
        let resting = self.answers().resting.get(issuer).copied();
        if resting.is_some_and(|until| holds(until, REST, clock())) {
            return Verdict::Unknown("the `ask` service did not answer a moment ago".to_owned());
        }
        match asks.send(name).await {
            Ok(allowed) => {
                self.answers().remember(issuer, name, allowed, clock());
                if allowed { Verdict::Allowed } else { Verdict::Denied }
            }
            Err(reason) => {
                self.answers().resting.insert(issuer.clone(), clock() + REST);
                Verdict::Unknown(reason)
            }
        }
    }

    /// After a change of the configuration.
    pub(super) fn forget(&self) {
        *self.answers() = Answers::default();
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asks {
    /// `Err`: it did not say.
    async fn send(&self, name: &str) -> Result<bool, String> {
        // A name has no character that a query would have to escape.
        let request = Outgoing::new(hyper::Method::GET, &format!("{}{name}", self.url), None, Vec::new())?;
        let answer = tokio::time::timeout(ANSWER, self.transport.exchange(&request)).await;
        let answer = answer.map_err(|_| format!("the `ask` service did not answer within {ANSWER:?}"))??;
        match answer.status {
            200..=299 => Ok(true),
            429 | 500..=599 => Err(format!("the `ask` service answered {}", answer.status)),
            _ => Ok(false),
        }
    }
}

impl Answers {
    fn remember(&mut self, issuer: &IssuerName, name: &str, allowed: bool, now: Time) {
        let key = (issuer.clone(), name.to_owned());
        if self.known.insert(key.clone(), (allowed, now + ANSWER_HOLDS)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > ON_DEMAND_ANSWERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Something that lasts `span` at most: one that ends later was noted before the clock was set back.
fn holds(until: Time, span: u64, now: Time) -> bool {
    now < until && until <= now + span
}
