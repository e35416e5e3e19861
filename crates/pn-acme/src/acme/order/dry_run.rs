//! An order that is gone through as far as it can be without the proxy's listeners, and then given up.

use super::super::call::{By, Line};
use super::super::fault::AcmeFault;
use super::super::machine::Challenge;
use super::super::procedure::Procedure;
use super::super::session::Session;
use super::super::wire::{Directory, Status, WireOrder};
use super::prove::Open;
use super::{Order, READINESS};
use pn_model::acme::ChallengeKind;
use serde_json::json;

/// Reads the directory, and nothing else.
#[derive(Debug, Clone)]
pub struct ReadDirectory;

impl ReadDirectory {
    pub fn machine(self, session: &Session) -> Procedure<Directory> {
        let session = session.clone();
        Procedure::new(
            move |outside| async move { Ok((*Line::new(outside, session).directory().await?).clone()) },
        )
    }
}

/// An order of which nothing is to stay.
#[derive(Debug, Clone)]
pub struct DryRun {
    pub order: Order,
    /// Challenges that can be presented here and now.
    pub provable: Vec<ChallengeKind>,
    /// Whether to have a certificate issued once all is proven: at a CA whose certificates are worth nothing.
    pub finalize: bool,
}

/// How far it came. What was not proven was not tried either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRan {
    /// The name, and how it was or would be proven.
    pub proven: Vec<(String, ChallengeKind)>,
    pub unproven: Vec<(String, ChallengeKind)>,
    pub issued: bool,
}

impl DryRun {
    pub fn machine(self, session: &Session) -> Procedure<DryRan> {
        let session = session.clone();
        Procedure::new(move |outside| async move { self.run(&Line::new(outside, session)).await })
    }

    async fn run(self, line: &Line) -> Result<DryRan, AcmeFault> {
        let directory = line.directory().await?;
        self.order.check(line, &directory)?;
        let (url, order) = self.order.create(line, &directory).await?;
        let outcome = self.go_through(line, &directory, &url, &order).await;
        if !outcome.as_ref().is_ok_and(|ran| ran.issued) {
            give_up(line, &order).await;
        }
        outcome
    }

    async fn go_through(
        &self,
        line: &Line,
        directory: &Directory,
        url: &str,
        order: &WireOrder,
    ) -> Result<DryRan, AcmeFault> {
        let open = self.order.open(line, directory, order).await?;
        let (provable, rest): (Vec<Open>, Vec<Open>) =
            open.into_iter().partition(|open| self.provable.contains(&open.challenge.kind));
        let (proven, unproven) = (named(&provable), named(&rest));
        self.order.prove_these(line, order, provable).await?;
        let issued = unproven.is_empty() && self.finalize;
        if issued {
            let order = self.order.settled(line, url, order.clone(), Status::Ready, READINESS).await?;
            let order = self.order.finalize(line, url, order).await?;
            self.order.download(line, url.to_owned(), &order).await?;
        }
        Ok(DryRan { proven, unproven, issued })
    }
}

fn named(open: &[Open]) -> Vec<(String, ChallengeKind)> {
    let name = |challenge: &Challenge| {
        let star = if challenge.wildcard { "*." } else { "" };
        format!("{star}{}", challenge.identifier)
    };
    open.iter().map(|open| (name(&open.challenge), open.challenge.kind)).collect()
}

/// CAs count what is pending (RFC 8555 section 7.5.2). One that does not take it back forgets it in time.
async fn give_up(line: &Line, order: &WireOrder) {
    for url in &order.authorizations {
        if line.post(url, &json!({"status": "deactivated"}), By::Account).await.is_err() {
            return;
        }
    }
}
