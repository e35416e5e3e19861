//! One issuer at one directory: reached, an account, the profile, an order for each certificate.

use super::{Trial, TrialOutcome};
use crate::acme::{
    AcmeFault, CertificateKey, ChallengeKind, Deactivate, Directory, DryRan, DryRun, Identifier, Order,
    ReadDirectory, Register, Session,
};
use crate::driver::accounts::stranger;
use crate::driver::run::{Standing, World, run};
use crate::driver::wanted::Issuing;
use crate::life::{Demand, Slots, Throttle};
use crate::storage::Clock;
use pn_model::acme::KeyType;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Orders of one issuer: enough to see every way that names are proven, few for a CA.
const ORDERS: usize = 20;
/// For one certificate: the CA looks at what was presented, from many places.
const CERTIFICATE: Duration = Duration::from_secs(5 * 60);
/// For all of an issuer.
const ALL: Duration = Duration::from_secs(15 * 60);
/// To take back what was begun.
const END: Duration = Duration::from_secs(60);

pub(super) struct Target<'a> {
    pub(super) issuing: &'a Issuing,
    pub(super) clock: &'a Clock,
    pub(super) directory: &'a str,
    pub(super) staging: bool,
}

/// Trials as they end, also where the rest is broken off.
type Told = Mutex<Vec<Trial>>;

impl Target<'_> {
    pub(super) async fn try_all(&self, demands: &[&Demand], mut stop: watch::Receiver<bool>) -> Vec<Trial> {
        let (standing, told) = (Standing::default(), Told::default());
        let world = World {
            wire: &*self.issuing.wire,
            presenters: &self.issuing.presenters,
            clock: self.clock,
            standing: &standing,
        };
        let session = match stranger(self.directory) {
            Ok(session) => session,
            Err(fault) => return vec![failed("account", &fault)],
        };
        let broken_off = tokio::select! {
            () = self.in_turn(demands, &session, &world, &told) => None,
            () = tokio::time::sleep(ALL) => Some(format!("broken off: all of it may take {} min", ALL.as_secs() / 60)),
            _ = stop.wait_for(|stop| *stop) => Some("broken off".to_owned()),
        };
        if let Some(why) = broken_off {
            add(&told, Trial::new("certificate", TrialOutcome::Skipped, why));
        }
        let ended = timeout(END, async {
            standing.clear().await;
            close(&session, &world).await
        });
        if let Some(fault) = ended.await.unwrap_or_else(|_| Some("no answer in time".to_owned())) {
            let url = session.account_url().unwrap_or_default();
            let message = format!("the throwaway account `{url}` could not be deactivated: {fault}");
            add(&told, Trial::new("account", TrialOutcome::Failed, message));
        }
        told.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn in_turn(&self, demands: &[&Demand], session: &Session, world: &World<'_>, told: &Told) {
        let directory = match run(ReadDirectory.machine(session), world).await {
            Ok(directory) => directory,
            Err(fault) => return add(told, failed("directory", &fault)),
        };
        add(told, Trial::new("directory", TrialOutcome::Passed, reached(&directory)));
        match self.register(&directory, session, world).await {
            Ok(message) => add(told, Trial::new("account", TrialOutcome::Passed, message)),
            Err(trial) => return add(told, *trial),
        }
        if let Some(trial) = self.profile(&directory) {
            let fails = trial.outcome == TrialOutcome::Failed;
            add(told, trial);
            if fails {
                return;
            }
        }
        self.certificates(demands, session, world, told).await;
    }

    async fn register(
        &self,
        directory: &Directory,
        session: &Session,
        world: &World<'_>,
    ) -> Result<String, Box<Trial>> {
        let settings = &self.issuing.settings;
        // Of the real CA: what the staging one would want is not configured.
        let eab = settings.eab.clone().filter(|_| self.directory == settings.directory);
        if eab.is_some() && is_spent_by_use(self.directory) {
            let message = "not tried, nor is what needs an account: this CA takes an `eab` once, and yours is for the \
                           real account";
            return Err(Box::new(Trial::new("account", TrialOutcome::Skipped, message)));
        }
        let bound = match (&eab, directory.meta.external_account_required) {
            (Some(_), true) => ", bound by the issuer's `eab`",
            (Some(_), false) => "; its `eab` was sent, and the CA does not ask for one",
            (None, _) if settings.eab.is_some() => {
                "; not shown: its `eab`, which the staging CA does not know"
            }
            (None, _) => "",
        };
        let email = settings.email.clone();
        let whose = email.as_ref().map(|email| format!(" for {email}")).unwrap_or_default();
        let done = run(Register { email, eab, only_existing: false }.machine(session), world).await;
        done.map_err(|fault| Box::new(failed("account", &fault)))?;
        Ok(format!("a throwaway one was registered{whose}, and deactivated at the end{bound}"))
    }

    fn profile(&self, directory: &Directory) -> Option<Trial> {
        let order = self.order(&[], Vec::new());
        let profile = order.profile.as_ref()?;
        Some(match order.check_profile(directory, self.directory) {
            Ok(()) => Trial::new("profile", TrialOutcome::Passed, format!("`{profile}` is offered")),
            Err(fault) => failed("profile", &fault),
        })
    }

    async fn certificates(&self, demands: &[&Demand], session: &Session, world: &World<'_>, told: &Told) {
        let throttle = &self.issuing.settings.throttle;
        let throttle = Throttle::new(throttle.orders, throttle.per);
        let mut slots = Slots::default();
        for demand in demands.iter().take(ORDERS) {
            while let Err(until) = slots.take(throttle, (self.clock)()) {
                let pause = until.saturating_sub((self.clock)()).max(1);
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
            let tried = timeout(CERTIFICATE, self.certificate(demand, session, world)).await;
            if tried.is_err() {
                world.standing.clear().await;
            }
            let (outcome, message) = match tried {
                Ok(Ok(ran)) => (TrialOutcome::Passed, self.shown(&ran)),
                Ok(Err(message)) => (TrialOutcome::Failed, message),
                Err(_) => (TrialOutcome::Failed, format!("not at its end after {} s", CERTIFICATE.as_secs())),
            };
            add(told, Trial { names: demand.names.clone(), ..Trial::new("certificate", outcome, message) });
        }
        if let Some(rest) = demands.len().checked_sub(ORDERS).filter(|rest| *rest > 0) {
            let message = format!("{rest} more were not tried: {ORDERS} orders are made in one run");
            add(told, Trial::new("certificate", TrialOutcome::Skipped, message));
        }
    }

    async fn certificate(
        &self,
        demand: &Demand,
        session: &Session,
        world: &World<'_>,
    ) -> Result<DryRan, String> {
        let names: Vec<Identifier> = demand.names.iter().map(|name| Identifier::parse(name)).collect();
        let (kind, own) = (self.issuing.settings.key_type, names.clone());
        // RSA takes seconds.
        let made = tokio::task::spawn_blocking(move || CertificateKey::generate(kind)?.request(&own));
        let csr = made.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let order = self.order(&names, csr);
        let provable = self.issuing.presenters.kinds(&[ChallengeKind::Dns01]);
        let machine = DryRun { order, provable, finalize: self.staging }.machine(session);
        run(machine, world).await.map_err(|fault| fault.to_string())
    }

    fn order(&self, names: &[Identifier], csr: Vec<u8>) -> Order {
        let settings = &self.issuing.settings;
        Order {
            names: names.to_vec(),
            csr,
            profile: settings.profile.clone(),
            replaces: None,
            challenges: settings.challenges.clone(),
            preferred_chain: None,
        }
    }

    fn shown(&self, ran: &DryRan) -> String {
        let mut said = vec!["ordered".to_owned()];
        if !ran.proven.is_empty() {
            said.push(format!("proven by dns-01, and the records removed: {}", listed(&ran.proven)));
        }
        if ran.issued {
            said.push(format!(
                "issued for a key of {}, and thrown away",
                key_type(self.issuing.settings.key_type)
            ));
        }
        if !ran.unproven.is_empty() {
            let how = match ran.unproven.iter().any(|(_, kind)| kind.is_dns()) {
                true => "not shown: that the record of the real account is there",
                false => "not shown: that the CA reaches the proxy, which has to run for that",
            };
            said.push(format!("given up before it was proven: {}; {how}", by_kind(&ran.unproven)));
        } else if !ran.issued {
            said.push("given up before a certificate was issued".to_owned());
        }
        said.join("; ")
    }
}

/// `None`: it is closed, or never was.
async fn close(session: &Session, world: &World<'_>) -> Option<String> {
    session.account_url()?;
    run(Deactivate.machine(session), world).await.err().map(|fault| fault.to_string())
}

/// Google's are good for one account.
fn is_spent_by_use(directory: &str) -> bool {
    directory.contains(".pki.goog/")
}

fn reached(directory: &Directory) -> String {
    let profiles: Vec<&str> = directory.meta.profiles.keys().map(String::as_str).take(20).collect();
    let profiles = if profiles.is_empty() { "none".to_owned() } else { profiles.join(", ") };
    let renewal = if directory.renewal_info.is_some() { "yes" } else { "no" };
    format!("reached; profiles: {profiles}; says when to renew (RFC 9773): {renewal}")
}

fn failed(what: &'static str, fault: &AcmeFault) -> Trial {
    Trial::new(what, TrialOutcome::Failed, fault.to_string())
}

fn add(told: &Told, trial: Trial) {
    told.lock().unwrap_or_else(PoisonError::into_inner).push(trial);
}

fn listed(names: &[(String, ChallengeKind)]) -> String {
    names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

fn by_kind(names: &[(String, ChallengeKind)]) -> String {
    names.iter().map(|(name, kind)| format!("{name} by {}", kind.name())).collect::<Vec<_>>().join(", ")
}

fn key_type(kind: KeyType) -> &'static str {
    match kind {
        KeyType::P256 => "P-256",
        KeyType::P384 => "P-384",
        KeyType::Rsa2048 => "RSA 2048",
        KeyType::Rsa3072 => "RSA 3072",
        KeyType::Rsa4096 => "RSA 4096",
    }
}
