//! Challenges in the DNS as a presenter, and HTTP for the providers that want it.

use super::presenters::Presenter;
use super::transport::{Outgoing, Transport};
use super::wanted::Around;
use crate::acme::Challenge;
use crate::dns::{DnsError, DnsSolver, HookAnswer, HttpClient, JsonPost};
use crate::storage::{BoxFuture, Clock};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use pn_model::acme::{AcmeIssuer, ChallengeKind, DnsProvider};
use pn_model::{IssuerName, NodePath};
use std::fmt;
use std::sync::Arc;

pub(super) const KINDS: [ChallengeKind; 2] = [ChallengeKind::Dns01, ChallengeKind::DnsPersist01];

pub(super) struct DnsChallenges {
    solver: DnsSolver,
    clock: Clock,
}

impl DnsChallenges {
    /// `None` where the issuer has no challenge of the DNS. `transport` is the issuer's own; a service that writes
    /// records is judged by the system's roots.
    pub(super) fn of(
        issuer: &IssuerName,
        settings: &AcmeIssuer,
        transport: &Arc<Transport>,
        around: &Around,
        at: &NodePath,
    ) -> Result<Option<Self>, String> {
        if !settings.challenges.iter().any(|kind| kind.is_dns()) {
            return Ok(None);
        }
        let solver = match &settings.dns {
            Some(dns) => {
                let asks = matches!(dns.provider, DnsProvider::HttpReq { .. });
                let client = match asks && !settings.roots.is_empty() {
                    true => Arc::new(Transport::new(&[], at).map_err(|error| error.to_string())?),
                    false => Arc::clone(transport),
                };
                let client: Arc<dyn HttpClient> = client;
                DnsSolver::new(issuer, dns, &client, &around.storage)
                    .map_err(|error: DnsError| error.to_string())?
            }
            None => DnsSolver::without_provider(issuer, &around.storage),
        };
        Ok(Some(Self { solver, clock: Arc::clone(&around.clock) }))
    }
}

impl Presenter for DnsChallenges {
    fn present<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let presented = self.solver.present(challenges, (self.clock)()).await;
            presented.map_err(|error| error.to_string())
        })
    }

    fn withdraw<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.solver.withdraw(challenges).await.map_err(|error| error.to_string()) })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.solver.tidy((self.clock)()).await.map_err(|error| error.to_string()) })
    }
}

impl HttpClient for Transport {
    fn post<'a>(&'a self, request: JsonPost<'a>) -> BoxFuture<'a, Result<HookAnswer, String>> {
        Box::pin(async move {
            let mut fields = vec![(CONTENT_TYPE, "application/json")];
            fields.extend(request.authorization.map(|value| (AUTHORIZATION, value)));
            let body = Some(request.body.to_owned());
            let sent = Outgoing::new(hyper::Method::POST, request.url, body, fields)?;
            let answer = self.exchange(&sent).await?;
            let location = answer.headers.into_iter().find(|(name, _)| name == LOCATION.as_str());
            let location = location.map(|(_, value)| value);
            Ok(HookAnswer { status: answer.status, location, body: answer.body })
        })
    }
}

impl fmt::Debug for DnsChallenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsChallenges").field("solver", &self.solver).finish_non_exhaustive()
    }
}
