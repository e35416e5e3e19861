//! How challenges are put where the CA finds them. Those that this process answers itself go to the board that listeners
//! look at and, where the storage is shared, into the storage, so that any node answers.

use crate::acme::{Challenge, ChallengeKind};
use crate::records::{ChallengeRecord, save};
use crate::storage::{BoxFuture, Clock, Expected, Key, Storage};
use crate::tls_alpn_certificate;
use pn_model::Secret;
use pn_tls::CertificateStore;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Answers challenges of one or more kinds.
pub trait Presenter: Send + Sync + fmt::Debug {
    /// Done when the CA would find them. A failure is told to people: it names the place and the remedy.
    fn present<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>>;

    /// Takes back what there is of them. What is not there is no error.
    fn withdraw<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>>;

    /// Takes back what earlier processes left, for presenters whose answers outlive them.
    fn tidy(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// Who presents what.
#[derive(Debug, Clone, Default)]
pub(super) struct Presenters(BTreeMap<ChallengeKind, Arc<dyn Presenter>>);

impl Presenters {
    pub(super) fn with(mut self, kinds: &[ChallengeKind], presenter: &Arc<dyn Presenter>) -> Self {
        self.0.extend(kinds.iter().map(|kind| (*kind, Arc::clone(presenter))));
        self
    }

    /// Those of an issuer's kinds that can be presented, in its order.
    pub(super) fn kinds(&self, wanted: &[ChallengeKind]) -> Vec<ChallengeKind> {
        wanted.iter().copied().filter(|kind| self.0.contains_key(kind)).collect()
    }

    pub(super) async fn present(&self, challenges: &[Challenge]) -> Result<(), String> {
        for (presenter, own) in self.split(challenges)? {
            presenter.present(&own).await?;
        }
        Ok(())
    }

    /// Tries all, and tells the last failure.
    pub(super) async fn withdraw(&self, challenges: &[Challenge]) -> Result<(), String> {
        let mut outcome = Ok(());
        for (presenter, own) in self.split(challenges)? {
            if let Err(error) = presenter.withdraw(&own).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Of orders that are over.
    pub(super) async fn tidy(&self) -> Result<(), String> {
        // The other challenge of the DNS, which stays, has the same presenter.
        match self.0.get(&ChallengeKind::Dns01) {
            Some(presenter) => presenter.tidy().await,
            None => Ok(()),
        }
    }

    fn split(&self, challenges: &[Challenge]) -> Result<Vec<(&Arc<dyn Presenter>, Vec<Challenge>)>, String> {
        let mut kinds: Vec<ChallengeKind> = challenges.iter().map(|challenge| challenge.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let of_kind = |kind: ChallengeKind| {
            let presenter =
                self.0.get(&kind).ok_or_else(|| format!("nothing here presents {}", kind.name()))?;
            let own = challenges.iter().filter(|challenge| challenge.kind == kind);
            Ok((presenter, own.cloned().collect()))
        };
        kinds.into_iter().map(of_kind).collect()
    }
}

/// How long a challenge may stand in a shared storage; orders are over long before.
const STANDS: u64 = 3600;
/// How often nodes look for challenges of others.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// http-01 and tls-alpn-01, answered by the listeners.
pub(super) struct LocalPresenter {
    certificates: Arc<CertificateStore>,
    /// Where other nodes find them; `None`: there are none.
    shared: Option<Arc<dyn Storage>>,
    clock: Clock,
}

impl LocalPresenter {
    pub(super) const KINDS: [ChallengeKind; 2] = [ChallengeKind::Http01, ChallengeKind::TlsAlpn01];

    pub(super) fn new(
        certificates: Arc<CertificateStore>,
        shared: Option<Arc<dyn Storage>>,
        clock: Clock,
    ) -> Self {
        Self { certificates, shared, clock }
    }

    async fn share(&self, storage: &Arc<dyn Storage>, challenges: &[Challenge]) -> Result<(), String> {
        for challenge in challenges {
            let record = ChallengeRecord {
                identifier: challenge.identifier.to_string(),
                token: challenge.token.clone(),
                key_authorization: Secret::new(challenge.key_authorization.clone()),
                expires: (self.clock)() + STANDS,
                unknown: serde_json::Map::new(),
            };
            let saved = save(&**storage, &key_of(challenge), &record, Expected::Any, None).await;
            saved.map_err(|error| error.to_string())?;
        }
        // Until each node has looked.
        tokio::time::sleep(2 * LOOK).await;
        Ok(())
    }
}

impl Presenter for LocalPresenter {
    fn present<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            for challenge in challenges {
                put_up(&self.certificates, challenge)?;
            }
            match &self.shared {
                Some(storage) => self.share(storage, challenges).await,
                None => Ok(()),
            }
        })
    }

    fn withdraw<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for challenge in challenges {
                take_down(&self.certificates, challenge);
                if let Some(storage) = &self.shared
                    && let Err(error) = storage.delete(&key_of(challenge), Expected::Any, None).await
                {
                    outcome = Err(error.to_string());
                }
            }
            outcome
        })
    }
}

pub(super) fn put_up(certificates: &CertificateStore, challenge: &Challenge) -> Result<(), String> {
    let board = certificates.challenges();
    let done = match challenge.kind {
        ChallengeKind::Http01 => board.present_token(&challenge.token, &challenge.key_authorization),
        _ => {
            let name = challenge.identifier.to_string();
            let certificate = tls_alpn_certificate(&name, &challenge.tls_alpn_digest());
            board.present_alpn(&name, certificate.map_err(|error| error.to_string())?)
        }
    };
    done.map_err(|error| error.to_string())
}

pub(super) fn take_down(certificates: &CertificateStore, challenge: &Challenge) {
    let board = certificates.challenges();
    match challenge.kind {
        ChallengeKind::Http01 => board.withdraw_token(&challenge.token),
        _ => board.withdraw_alpn(&challenge.identifier.to_string()),
    }
}

/// By what the CA asks for.
fn key_of(challenge: &Challenge) -> Key {
    match challenge.kind {
        ChallengeKind::Http01 => Key::challenge(challenge.kind.name(), &challenge.token),
        _ => Key::challenge(challenge.kind.name(), &challenge.identifier.to_string()),
    }
}

impl fmt::Debug for LocalPresenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPresenter").field("shared", &self.shared.is_some()).finish_non_exhaustive()
    }
}
