//! Proves the names of an order (RFC 8555 section 7.5): chooses a challenge for each, has them presented, and looks at
//! the authorizations until the CA has decided. Presenting is the driver's.

use super::super::call::{By, Line};
use super::super::fault::{AcmeFault, FaultKind, Problem};
use super::super::machine::{Challenge, Identifier};
use super::super::wire::{Authorization, Directory, Status, WireChallenge, WireOrder};
use super::{Order, Polls, VALIDATION};
use pn_model::acme::ChallengeKind;
use serde_json::json;

/// A name that is not proven yet.
pub(super) struct Open {
    authorization: String,
    answer_to: String,
    pub(super) challenge: Challenge,
}

impl Open {
    /// Some CAs leave the authorization pending when its challenge has failed, as another one could be tried.
    fn has_failed(&self, authorization: &Authorization) -> bool {
        let mut challenges = authorization.challenges.iter();
        challenges.any(|wire| wire.url == self.answer_to && wire.status == Status::Invalid)
    }
}

impl Order {
    /// How the first name was proven, if one was open.
    pub(super) async fn prove(
        &self,
        line: &Line,
        directory: &Directory,
        order: &WireOrder,
    ) -> Result<Option<ChallengeKind>, AcmeFault> {
        let open = self.open(line, directory, order).await?;
        let first = open.first().map(|open| open.challenge.kind);
        self.prove_these(line, order, open).await?;
        Ok(first)
    }

    pub(super) async fn prove_these(
        &self,
        line: &Line,
        order: &WireOrder,
        open: Vec<Open>,
    ) -> Result<(), AcmeFault> {
        if open.is_empty() {
            return Ok(());
        }
        let challenges: Vec<_> = open.iter().map(|open| open.challenge.clone()).collect();
        let outcome = match line.outside.present(challenges.clone()).await {
            Ok(()) => self.validate(line, order, open).await,
            Err(fault) => Err(fault),
        };
        // A record that persists is what the next order needs.
        let passing: Vec<_> =
            challenges.into_iter().filter(|c| c.kind != ChallengeKind::DnsPersist01).collect();
        if !passing.is_empty() {
            line.outside.withdraw(passing).await;
        }
        outcome
    }

    /// Those that the CA has proven before are passed over.
    pub(super) async fn open(
        &self,
        line: &Line,
        directory: &Directory,
        order: &WireOrder,
    ) -> Result<Vec<Open>, AcmeFault> {
        let mut open = Vec::new();
        for url in &order.authorizations {
            let answer = line.fetch(url, None).await?;
            let authorization: Authorization = answer.json()?;
            match authorization.status {
                Status::Valid => {}
                Status::Pending => {
                    let wildcard = self
                        .is_wildcard(&authorization)
                        .ok_or_else(|| answer.bad("an authorization for a name that was not ordered"))?;
                    open.push(self.choose(line, directory, url, &authorization, wildcard)?);
                }
                _ => return Err(rejected(&[authorization], None)),
            }
        }
        Ok(open)
    }

    /// Some CAs leave `wildcard` out. `None` for a name that is none of ours.
    fn is_wildcard(&self, authorization: &Authorization) -> Option<bool> {
        let exact = &authorization.identifier;
        let below = Identifier::Dns(format!("*.{exact}"));
        let ordered = |name| self.names.contains(name);
        match authorization.wildcard {
            false if ordered(exact) => Some(false),
            _ if ordered(&below) => Some(true),
            _ => None,
        }
    }

    fn choose(
        &self,
        line: &Line,
        directory: &Directory,
        url: &str,
        authorization: &Authorization,
        wildcard: bool,
    ) -> Result<Open, AcmeFault> {
        let usable = |kind: &&ChallengeKind| {
            let address = matches!(authorization.identifier, Identifier::Ip(_));
            (!wildcard || kind.is_dns()) && (!address || !kind.is_dns())
        };
        let offered = |kind: &ChallengeKind| {
            let mut challenges = authorization.challenges.iter();
            challenges.find(|c| c.known() == Some(*kind) && c.status != Status::Invalid).map(|c| (*kind, c))
        };
        let (kind, wire) = self
            .challenges
            .iter()
            .filter(usable)
            .find_map(offered)
            .ok_or_else(|| self.no_challenge(authorization, wildcard))?;
        let challenge = challenge(line, directory, authorization, wildcard, kind, wire)?;
        Ok(Open { authorization: url.to_owned(), answer_to: wire.url.clone(), challenge })
    }

    fn no_challenge(&self, authorization: &Authorization, wildcard: bool) -> AcmeFault {
        let name = &authorization.identifier;
        let offered: Vec<_> = authorization.challenges.iter().map(|c| c.kind.as_str()).take(10).collect();
        let configured: Vec<_> = self.challenges.iter().map(|kind| kind.name()).collect();
        let star = if wildcard { "*." } else { "" };
        let message = format!(
            "`{star}{name}` can be proven by none of the configured challenges ({}); the CA offers {}{}",
            configured.join(", "),
            super::super::fault::shown(&offered.join(", ")),
            if wildcard { ", and a wildcard needs one by DNS: set the issuer's `dns`" } else { "" },
        );
        AcmeFault::new(FaultKind::NoChallenge(name.clone()), message)
    }

    async fn validate(&self, line: &Line, order: &WireOrder, mut open: Vec<Open>) -> Result<(), AcmeFault> {
        for one in &open {
            if let Err(fault) = line.post(&one.answer_to, &json!({}), By::Account).await {
                self.still_open(line, one, fault).await?;
            }
        }
        let mut polls = Polls::new(VALIDATION, order, line.outside.now());
        let mut asked = None;
        while !open.is_empty() {
            if !polls.wait(line, asked.take()).await {
                return Err(late(&open));
            }
            let (mut rest, mut failed) = (Vec::new(), Vec::new());
            for one in open {
                let answer = line.fetch(&one.authorization, None).await?;
                let authorization: Authorization = answer.json()?;
                asked = asked.max(answer.retry_after());
                match authorization.status {
                    Status::Valid => {}
                    Status::Pending if !one.has_failed(&authorization) => rest.push(one),
                    _ => failed.push((authorization, one.challenge.kind)),
                }
            }
            if let Some(kind) = failed.first().map(|(_, kind)| *kind) {
                let failed: Vec<_> = failed.into_iter().map(|(authorization, _)| authorization).collect();
                return Err(rejected(&failed, Some(kind)));
            }
            open = rest;
        }
        Ok(())
    }

    /// A challenge whose answer was refused, or lost on the way, may have been taken before: then it is not open any
    /// more, and the authorization says how it ended.
    async fn still_open(&self, line: &Line, one: &Open, fault: AcmeFault) -> Result<(), AcmeFault> {
        let Ok(answer) = line.fetch(&one.authorization, None).await else { return Err(fault) };
        let authorization: Authorization = answer.json()?;
        let mut challenges = authorization.challenges.iter();
        let taken = challenges.any(|c| c.url == one.answer_to && c.status != Status::Pending);
        if authorization.status != Status::Pending || taken { Ok(()) } else { Err(fault) }
    }
}

fn challenge(
    line: &Line,
    directory: &Directory,
    authorization: &Authorization,
    wildcard: bool,
    kind: ChallengeKind,
    wire: &WireChallenge,
) -> Result<Challenge, AcmeFault> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let persists = kind == ChallengeKind::DnsPersist01;
    if !wire.token.bytes().all(is_token)
        || wire.token.len() > TOKEN_BYTES
        || (wire.token.is_empty() && !persists)
    {
        let what = "a challenge whose token is not base64url (RFC 8555 section 8)";
        return Err(AcmeFault::bad_answer(&wire.url, what));
    }
    let named =
        if wire.issuer_domains.is_empty() { &directory.meta.caa_identities } else { &wire.issuer_domains };
    Ok(Challenge {
        kind,
        identifier: authorization.identifier.clone(),
        wildcard,
        token: wire.token.clone(),
        key_authorization: format!("{}.{}", wire.token, line.session.key().thumbprint()),
        account_uri: line.account()?,
        issuer_domains: named.iter().take(ISSUER_DOMAINS).cloned().collect(),
    })
}

/// It is a path segment and a file's name. Tokens are of 43 bytes.
const TOKEN_BYTES: usize = 256;
const ISSUER_DOMAINS: usize = 10;

/// What the CA says of names that it did not find proven.
pub(super) fn rejected(failed: &[Authorization], challenge: Option<ChallengeKind>) -> AcmeFault {
    let mut lines = Vec::new();
    for authorization in failed.iter().take(NAMES_SHOWN) {
        let why = problem(authorization).map_or_else(
            || format!("the CA has it as {:?} and does not say why", authorization.status).to_lowercase(),
            |problem| describe(problem, challenge),
        );
        lines.push(format!("`{}`: {why}", authorization.identifier));
    }
    if failed.len() > NAMES_SHOWN {
        lines.push(format!("and {} more", failed.len() - NAMES_SHOWN));
    }
    let first = failed.first();
    let kind = first.map_or(FaultKind::OrderInvalid, |a| FaultKind::Rejected(a.identifier.clone()));
    let problem = first.and_then(problem).cloned().map(Box::new);
    AcmeFault { problem, challenge, ..AcmeFault::new(kind, lines.join("; ")) }
}

const NAMES_SHOWN: usize = 5;

fn problem(authorization: &Authorization) -> Option<&Problem> {
    authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref())
}

fn describe(problem: &Problem, challenge: Option<ChallengeKind>) -> String {
    let by = challenge.map(|kind| format!(" by {}", kind.name())).unwrap_or_default();
    let also = match problem.name() {
        "unauthorized" => "; something else answered in place of this proxy, or its record",
        _ => "",
    };
    format!("not proven{by}: {problem}{also}")
}

fn late(open: &[Open]) -> AcmeFault {
    let names: Vec<_> =
        open.iter().map(|one| format!("`{}`", one.challenge.identifier)).take(NAMES_SHOWN).collect();
    let message = format!("the CA has not decided about {} within {VALIDATION} s", names.join(", "));
    let challenge = open.first().map(|one| one.challenge.kind);
    AcmeFault { challenge, ..AcmeFault::new(FaultKind::TimedOut, message) }
}
