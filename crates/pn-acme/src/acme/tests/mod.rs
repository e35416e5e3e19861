//! The procedures against the simulated CA. Every test that throws dice prints its seed when it fails.

mod account;
mod dry_run;
mod faults;
mod orders;
mod strict;

use super::sim::{self, DIRECTORY, SimCa};
use super::*;

/// 2026-01-01
const BEGIN: Time = 1_767_225_600;

/// A CA, an account, and the time.
struct Scene {
    _seed: Seed,
    ca: SimCa,
    session: Session,
    now: Time,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let session = Session::new(DIRECTORY, AccountKey::generate(KeyType::P256).unwrap(), None).unwrap();
        Self { _seed: Seed(seed), ca: SimCa::new(seed), session, now: BEGIN }
    }

    fn registered(seed: u64) -> Self {
        let mut scene = Self::new(seed);
        let machine = Register::default().machine(&scene.session);
        scene.run(machine).unwrap();
        scene
    }

    fn run<T>(&mut self, mut machine: Procedure<T>) -> Result<T, AcmeFault> {
        sim::run(&mut machine, &mut self.ca, &mut self.now)
    }

    /// One action of a machine that is not alone.
    fn carry_out(&mut self, action: Action) -> Input {
        match action {
            Action::Send(request) => return Input::Answer(self.ca.answer(&request, self.now)),
            Action::Wait { .. } => return Input::Elapsed,
            Action::Present(challenges) => self.ca.present(&challenges),
            Action::Withdraw(challenges) => self.ca.withdraw(&challenges),
        }
        Input::Presented(Ok(()))
    }

    fn order(&mut self, order: Order) -> Result<Obtained, AcmeFault> {
        let machine = order.machine(&self.session);
        self.run(machine)
    }
}

/// Said when a test fails while it is there.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

/// An order by every kind of challenge, by DNS last.
fn order(names: &[&str]) -> Order {
    let names: Vec<_> = names.iter().map(|name| Identifier::parse(name)).collect();
    let csr = CertificateKey::generate(KeyType::P256).unwrap().request(&names).unwrap();
    let challenges = vec![
        ChallengeKind::TlsAlpn01,
        ChallengeKind::Http01,
        ChallengeKind::Dns01,
        ChallengeKind::DnsPersist01,
    ];
    Order { names, csr, profile: None, replaces: None, challenges, preferred_chain: None }
}
