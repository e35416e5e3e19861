//! Who may have a certificate on demand: names of the list, and those that the `ask` service says yes to. Answers are
//! remembered for a short while, and a service that is not there is left alone for a moment.

use super::transport::{Outgoing, Transport};
use crate::Time;
use crate::life::{MINUTE, OpenIssuer};
use pn_model::limits::{ON_DEMAND_ANSWERS, ON_DEMAND_ASKS};
use pn_model::site::PemSource;
use pn_model::{IssuerName, NodePath};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Seconds that an answer holds.
const ANSWER_HOLDS: u64 = 60;
/// Seconds until a service is asked again that was not there, of whatever name. Others would wait for it in vain.
const REST: u64 = 2;
/// Seconds until the same reason is told of again, and reasons in that time: clients cause them at will, and must not
/// write the log.
const TELL: u64 = MINUTE;
const TOLD: usize = 16;
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
    /// Until when, and why.
    resting: HashMap<IssuerName, (Time, String)>,
    /// When each reason was told of.
    told: HashMap<(IssuerName, String), Time>,
}

/// Why a service did not say anything.
enum Silence {
    /// It is not there, for no name.
    Absent(String),
    /// It does not know, of this name.
    Undecided(String),
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
        let resting = self.answers().resting.get(issuer).cloned();
        if let Some((_, reason)) = resting.filter(|(until, _)| holds(*until, REST, clock())) {
            return Verdict::Unknown(reason);
        }
        match asks.send(name).await {
            Ok(allowed) => {
                self.answers().remember(issuer, name, allowed, clock());
                if allowed { Verdict::Allowed } else { Verdict::Denied }
            }
            Err(Silence::Undecided(reason)) => Verdict::Unknown(reason),
            Err(Silence::Absent(reason)) => {
                self.answers().resting.insert(issuer.clone(), (clock() + REST, reason.clone()));
                Verdict::Unknown(reason)
            }
        }
    }

    /// Whether it is to be told of now that the issuer's names are not decided for this reason.
    pub(super) fn is_news(&self, issuer: &IssuerName, reason: &str, now: Time) -> bool {
        let mut answers = self.answers();
        answers.told.retain(|_, told| holds(*told + TELL, TELL, now));
        let full = answers.told.len() >= TOLD;
        let key = (issuer.clone(), reason.to_owned());
        if full || answers.told.contains_key(&key) {
            return false;
        }
        answers.told.insert(key, now);
        true
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
    async fn send(&self, name: &str) -> Result<bool, Silence> {
        // A name has no character that a query would have to escape.
        let url = format!("{}{name}", self.url);
        let request =
            Outgoing::new(hyper::Method::GET, &url, None, Vec::new()).map_err(Silence::Undecided)?;
        let answer = tokio::time::timeout(ANSWER, self.transport.status(&request)).await;
        let late = |_| Silence::Absent(format!("the `ask` service did not answer within {ANSWER:?}"));
        match answer.map_err(late)?.map_err(Silence::Absent)? {
            200..=299 => Ok(true),
            status @ (429 | 500..=599) => {
                Err(Silence::Undecided(format!("the `ask` service answered {status}")))
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use pn_model::HostPattern;
    use pn_testkit::{Origin, free_port};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    const NOW: Time = 1_800_000_000;

    fn asking(port: u16) -> Rules {
        let open = OpenIssuer {
            issuer: "main".into(),
            sources: Vec::new(),
            hosts: vec![HostPattern::Any],
            taken: BTreeSet::new(),
            ask: Some(format!("http://127.0.0.1:{port}/")),
            allow: Vec::new(),
        };
        Rules::new(open, &[], &NodePath::default()).unwrap()
    }

    /// What is said of each name, asked one after the other within a second.
    fn said(permission: &Permission, rules: &Rules, names: [&str; 2]) -> [Verdict; 2] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clock: crate::storage::Clock = Arc::new(|| NOW);
        names.map(|name| runtime.block_on(permission.ask(rules, name, &clock)))
    }

    #[test]
    fn only_a_service_that_is_not_there_is_left_alone_for_all_names() {
        let origin = Origin::setup().answer(|request| {
            let status = if request.uri().query() == Some("domain=a.test") { 503 } else { 200 };
            hyper::Response::builder().status(status).body(Default::default()).ok()
        });
        let origin = origin.http1();
        let there = asking(origin.addr().port());
        let [first, second] = said(&Permission::new(), &there, ["a.test", "b.test"]);
        assert!(matches!(first, Verdict::Unknown(reason) if reason.contains("503")));
        assert_eq!(second, Verdict::Allowed);

        let port = free_port();
        let permission = Permission::new();
        let [Verdict::Unknown(first), Verdict::Unknown(second)] =
            said(&permission, &asking(port), ["a.test", "b.test"])
        else {
            panic!("nobody is there")
        };
        assert_eq!(first, second);
        let back = Origin::setup().port(port).http1();
        let refused = said(&permission, &asking(port), ["a.test", "b.test"]);
        assert!(refused.iter().all(|verdict| matches!(verdict, Verdict::Unknown(_))), "{refused:?}");
        assert_eq!(back.requests().len(), 0, "within its pause");
    }

    #[test]
    fn each_reason_of_each_issuer_is_told_once_a_minute() {
        let permission = Permission::new();
        for (issuer, reason, at, expected) in [
            ("a", "refused", 0, true),
            ("a", "refused", 59, false),
            ("a", "503", 1, true),
            ("b", "refused", 2, true),
            ("a", "refused", 60, true),
            ("b", "refused", 60, false),
        ] {
            let told = permission.is_news(&issuer.into(), reason, NOW + at);
            assert_eq!(told, expected, "{issuer} {reason} {at}");
        }
        let many = (0..1000).filter(|i| permission.is_news(&"a".into(), &i.to_string(), NOW + 60)).count();
        assert!(many < TOLD, "clients bring them at will: {many}");
    }
}
