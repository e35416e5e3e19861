//! One order from the first request to the chain (RFC 8555 section 7.4). How names are proven is in `prove`; when orders
//! are placed, and what follows a failure, is for the schedule.

mod dry_run;
mod finish;
mod prove;

pub use dry_run::{DryRan, DryRun, ReadDirectory};

use super::answer::Answer;
use super::call::{By, Line};
use super::certificate::CertId;
use super::fault::{AcmeFault, FaultKind};
use super::machine::Identifier;
use super::procedure::Procedure;
use super::session::Session;
use super::wire::{Directory, Status, WireOrder};
use pn_model::acme::ChallengeKind;
use pn_model::limits::ACME_IDENTIFIERS;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds that a CA may take until it has looked at what was presented. Public CAs take seconds; some that look from
/// many places, minutes.
const VALIDATION: u64 = 300;
/// Until an order whose names are all proven is ready.
const READINESS: u64 = 60;
/// Until the certificate is there.
const ISSUANCE: u64 = 300;
/// Seconds between two looks at the same thing where the CA does not say. The last one from then on.
const POLLS: [u64; 7] = [1, 1, 2, 3, 5, 8, 10];

/// Orders one certificate. The session has to have an account.
#[derive(Debug, Clone)]
pub struct Order {
    /// One to [`ACME_IDENTIFIERS`]; wildcards as `*.example.com`.
    pub names: Vec<Identifier>,
    /// In DER, for these names: [`CertificateKey::request`](super::CertificateKey::request).
    pub csr: Vec<u8>,
    /// A profile that the directory has.
    pub profile: Option<String>,
    /// The certificate that this one follows (RFC 9773 section 5). Left out where the CA balks.
    pub replaces: Option<CertId>,
    /// In the order of preference.
    pub challenges: Vec<ChallengeKind>,
    /// Common name of the topmost issuer.
    pub preferred_chain: Option<String>,
}

/// A certificate and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obtained {
    /// The leaf first. It is for the key of the request and for all the names.
    pub chain_pem: String,
    pub order_url: String,
    /// Topmost issuers of the chains that were looked at, the CA's default first. The chain is of the last of them that
    /// matched `preferred_chain`, otherwise of the first.
    pub topmost_issuers: Vec<String>,
    /// No chain is the preferred one.
    pub preferred_missing: bool,
    /// How the first name that was open was proven. `None`: the CA knew all of them.
    pub proven_by: Option<ChallengeKind>,
}

impl Order {
    pub fn machine(self, session: &Session) -> Procedure<Obtained> {
        let session = session.clone();
        Procedure::new(move |outside| async move { self.run(&Line::new(outside, session)).await })
    }

    async fn run(&self, line: &Line) -> Result<Obtained, AcmeFault> {
        let directory = line.directory().await?;
        self.check(line, &directory)?;
        let (url, order) = self.create(line, &directory).await?;
        let proven_by = match order.status {
            Status::Pending => self.prove(line, &directory, &order).await?,
            _ => None,
        };
        let order = self.settled(line, &url, order, Status::Ready, READINESS).await?;
        let order = self.finalize(line, &url, order).await?;
        Ok(Obtained { proven_by, ..self.download(line, url, &order).await? })
    }

    fn check(&self, line: &Line, directory: &Directory) -> Result<(), AcmeFault> {
        line.account()?;
        if !(1..=ACME_IDENTIFIERS).contains(&self.names.len()) {
            let what = format!("an order for {} names; it has one to {ACME_IDENTIFIERS}", self.names.len());
            return Err(AcmeFault::internal(what));
        }
        self.check_profile(directory, line.session.directory_url())
    }

    /// `place`: the directory's URL.
    pub(crate) fn check_profile(&self, directory: &Directory, place: &str) -> Result<(), AcmeFault> {
        let profiles = &directory.meta.profiles;
        match &self.profile {
            Some(profile) if !profiles.contains_key(profile) => {
                let offered: Vec<_> = profiles.keys().map(String::as_str).take(20).collect();
                let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
                let what = format!(
                    "`{place}` has no profile `{profile}` (it has: {offered}); change the issuer's `profile`"
                );
                Err(AcmeFault::new(FaultKind::Profile, what))
            }
            _ => Ok(()),
        }
    }

    async fn create(&self, line: &Line, directory: &Directory) -> Result<(String, WireOrder), AcmeFault> {
        let url = &directory.new_order;
        // A lost answer may have been that of an order: each counts at the CA, so that the next one is for the schedule.
        let mut answer = line.post_once(url, &self.payload(true), By::Account).await;
        if self.replaces.is_some() && answer.as_ref().is_err_and(may_be_for_replaces) {
            answer = line.post_once(url, &self.payload(false), By::Account).await;
        }
        let answer = answer.map_err(|fault| self.of_name(fault))?;
        Ok((answer.location()?, self.read(&answer)?))
    }

    fn payload(&self, with_replaces: bool) -> Value {
        let mut payload = json!({"identifiers": self.names});
        if let Some(profile) = &self.profile {
            payload["profile"] = profile.as_str().into();
        }
        if let Some(id) = self.replaces.as_ref().filter(|_| with_replaces) {
            payload["replaces"] = id.to_string().into();
        }
        payload
    }

    fn read(&self, answer: &Answer) -> Result<WireOrder, AcmeFault> {
        let order: WireOrder = answer.json()?;
        if order.authorizations.len() > ACME_IDENTIFIERS {
            return Err(answer.bad("an order of more authorizations than names"));
        }
        Ok(order)
    }

    /// Says which name it is about, where the CA refuses one before any was proven.
    fn of_name(&self, mut fault: AcmeFault) -> AcmeFault {
        let problem = fault.problem.as_deref();
        let kinds = ["rejectedIdentifier", "unsupportedIdentifier", "caa", "dns"];
        let about = problem.filter(|problem| kinds.contains(&problem.name()));
        let named = about.map(|problem| problem.subproblems.iter().find_map(|sub| sub.identifier.clone()));
        if let Some(name) = named.and_then(|name| name.or_else(|| self.names.first().cloned())) {
            fault.kind = FaultKind::Rejected(name);
        }
        fault
    }

    /// Looks at the order until it is at least `wanted`.
    async fn settled(
        &self,
        line: &Line,
        url: &str,
        mut order: WireOrder,
        wanted: Status,
        budget: u64,
    ) -> Result<WireOrder, AcmeFault> {
        let mut polls = Polls::new(budget, &order, line.outside.now());
        let mut asked = None;
        loop {
            match order.status {
                status if status == wanted => return Ok(order),
                Status::Valid => return Ok(order),
                Status::Processing if wanted == Status::Ready => return Ok(order),
                Status::Pending | Status::Ready | Status::Processing => {}
                Status::Invalid | Status::Other => return Err(self.invalid(line, url, &order).await),
            }
            if !polls.wait(line, asked).await {
                return Err(late(url, &order, wanted));
            }
            let answer = line.fetch(url, None).await?;
            (order, asked) = (self.read(&answer)?, answer.retry_after());
        }
    }
}

/// Looks at one thing until it has changed, or for so long. Counted by what was waited, so that a clock that jumps
/// neither ends it nor makes it last.
struct Polls {
    left: u64,
    count: usize,
}

impl Polls {
    /// An order that expires earlier is not looked at for longer, unless it is our clock that is wrong.
    fn new(budget: u64, order: &WireOrder, now: u64) -> Self {
        let expires = order.expires.as_deref().and_then(seconds).filter(|&expires| expires > now);
        Self { left: expires.map_or(budget, |expires| budget.min(expires - now)), count: 0 }
    }

    /// `false` when it has lasted long enough. A CA that asks for more is asked a last time at the end.
    async fn wait(&mut self, line: &Line, asked: Option<u64>) -> bool {
        let usual = POLLS.get(self.count).or(POLLS.last()).copied().unwrap_or(1);
        let delay = asked.unwrap_or(usual).max(1).min(self.left);
        if delay == 0 {
            return false;
        }
        self.count += 1;
        self.left -= delay;
        line.outside.wait(delay).await;
        true
    }
}

/// RFC 3339
pub(super) fn seconds(text: &str) -> Option<u64> {
    OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp().try_into().ok()
}

/// CAs say in different ways that they do not want `replaces`: RFC 9773 has `alreadyReplaced`, others `malformed`.
fn may_be_for_replaces(fault: &AcmeFault) -> bool {
    matches!(fault.kind, FaultKind::Refused)
}

fn late(url: &str, order: &WireOrder, wanted: Status) -> AcmeFault {
    let state = format!("{:?}", order.status).to_lowercase();
    let wanted = if wanted == Status::Ready { "every name was proven" } else { "it was finalized" };
    let message = format!("the order `{url}` is still {state}, long after {wanted}; the CA is slow or stuck");
    AcmeFault::new(FaultKind::TimedOut, message)
}
