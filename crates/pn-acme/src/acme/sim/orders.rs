//! Orders and authorizations of the simulated CA (RFC 8555 sections 7.4 and 7.5).

use super::super::machine::{HttpResponse, Identifier};
use super::accounts::json_of;
use super::issuing::thumbprint;
use super::states::{SimAuthorization, SimChallenge, SimOrder};
use super::verify::Signed;
use super::{Outcome, Replaces, SimCa, ok, problem, with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use pn_model::acme::ChallengeKind;
use serde_json::{Value, json};

impl SimCa {
    pub(super) fn new_order(&mut self, account: usize, signed: &Signed) -> Outcome {
        let payload = json_of(signed)?;
        let names: Vec<Identifier> = serde_json::from_value(payload["identifiers"].clone())
            .map_err(|_| problem(400, "malformed", "no identifiers"))?;
        self.check_limit()?;
        if let Some(name) = names.iter().find(|name| self.policy.refused.contains(name)) {
            return Err(problem(400, "rejectedIdentifier", &format!("not for {name}")));
        }
        let profile = payload["profile"].as_str().map(str::to_owned);
        if profile.as_ref().is_some_and(|name| !self.policy.profiles.contains_key(name)) {
            return Err(problem(400, "invalidProfile", "no such profile"));
        }
        let replaces = payload["replaces"].as_str().map(str::to_owned);
        if replaces.is_some() && self.policy.replaces == Replaces::Refused {
            return Err(problem(409, "alreadyReplaced", "it was replaced"));
        }
        let authorizations = names.iter().map(|name| self.authorization_for(account, name)).collect();
        let order = SimOrder {
            account,
            names,
            made_at: self.now,
            status: "pending",
            profile,
            replaces,
            certificate: None,
            authorizations,
            csr: Vec::new(),
            valid_at: 0,
        };
        self.orders.push(order);
        let id = self.orders.len() - 1;
        let mut response =
            with(self.order(account, &id.to_string())?, "location", self.url(&format!("order/{id}")));
        response.status = 201;
        Ok(response)
    }

    fn check_limit(&self) -> Result<(), HttpResponse> {
        let Some((count, per)) = self.policy.orders_per else { return Ok(()) };
        let since = self.now.saturating_sub(per);
        let mut recent = self.orders.iter().filter(|order| order.made_at > since);
        let free_at = recent.next().map(|first| first.made_at + per);
        if recent.count() + 1 < count || free_at.is_none() {
            return Ok(());
        }
        let wait = free_at.unwrap_or_default().saturating_sub(self.now);
        Err(with(problem(429, "rateLimited", "too many orders"), "retry-after", wait))
    }

    fn authorization_for(&mut self, account: usize, name: &Identifier) -> usize {
        let text = name.to_string();
        let wildcard = text.starts_with("*.");
        let identifier = Identifier::parse(text.trim_start_matches("*."));
        let now = self.now;
        let known = self.authorizations.iter().rposition(|one| {
            one.account == account
                && one.identifier == identifier
                && one.wildcard == wildcard
                && one.status == "valid"
                && one.valid_until > now
        });
        if let Some(id) = known {
            return id;
        }
        let offered = self.policy.offered.clone();
        let challenges = offered.into_iter().map(|kind| self.new_challenge(kind)).collect();
        self.authorizations.push(SimAuthorization {
            account,
            identifier,
            wildcard,
            status: "pending",
            valid_until: 0,
            challenges,
        });
        self.authorizations.len() - 1
    }

    fn new_challenge(&mut self, kind: ChallengeKind) -> SimChallenge {
        self.made += 1;
        let token = format!("token-{}", self.made);
        SimChallenge { kind, token, status: "pending", look_at: None }
    }

    pub(super) fn order(&mut self, account: usize, id: &str) -> Outcome {
        let id = self.owned_order(account, id)?;
        self.advance_order(id);
        let order = &self.orders[id];
        let urls: Vec<_> = order.authorizations.iter().map(|id| self.url(&format!("authz/{id}"))).collect();
        let mut shown = json!({
            "status": order.status, "identifiers": order.names, "authorizations": urls,
            "finalize": self.url(&format!("finalize/{id}")), "expires": "2999-01-01T00:00:00Z",
        });
        if let Some(certificate) = order.certificate {
            shown["certificate"] = self.url(&format!("cert/{certificate}")).into();
        }
        if let Some(replaces) = order.replaces.as_ref().filter(|_| self.policy.replaces == Replaces::Echoed) {
            shown["replaces"] = replaces.as_str().into();
        }
        if order.status == "invalid" && !self.policy.silent {
            shown["error"] =
                json!({"type": "urn:ietf:params:acme:error:unauthorized", "detail": "a name is not proven"});
        }
        Ok(self.later(ok(&shown), order.status == "pending" || order.status == "processing"))
    }

    fn later(&self, response: HttpResponse, unfinished: bool) -> HttpResponse {
        match &self.policy.poll_after {
            Some(after) if unfinished => with(response, "retry-after", after),
            _ => response,
        }
    }

    fn owned_order(&self, account: usize, id: &str) -> Result<usize, HttpResponse> {
        let id: Option<usize> = id.parse().ok();
        let order = id.filter(|&id| self.orders.get(id).is_some_and(|order| order.account == account));
        order.ok_or_else(|| problem(404, "malformed", "no such order"))
    }

    fn advance_order(&mut self, id: usize) {
        for authorization in self.orders[id].authorizations.clone() {
            self.advance_authorization(authorization);
        }
        let order = &self.orders[id];
        let states: Vec<_> = order.authorizations.iter().map(|&id| self.authorizations[id].status).collect();
        match order.status {
            "pending" if self.policy.stuck => {}
            "pending" if states.contains(&"invalid") => self.orders[id].status = "invalid",
            "pending" if states.iter().all(|state| *state == "valid") => self.orders[id].status = "ready",
            "processing" if self.now >= order.valid_at => {
                self.orders[id].certificate = Some(self.issue(id));
                self.orders[id].status = "valid";
            }
            _ => {}
        }
    }

    /// How many authorizations are still to be proven.
    pub(crate) fn pending(&self) -> usize {
        self.authorizations.iter().filter(|one| one.status == "pending").count()
    }

    pub(super) fn authorization(&mut self, account: usize, id: &str, signed: &Signed) -> Outcome {
        let id: usize = id.parse().map_err(|_| problem(404, "malformed", "no such authorization"))?;
        if self.authorizations.get(id).is_none_or(|one| one.account != account) {
            return Err(problem(404, "malformed", "no such authorization"));
        }
        if json_of(signed)?["status"] == "deactivated" {
            self.authorizations[id].status = "deactivated";
        }
        self.advance_authorization(id);
        let one = &self.authorizations[id];
        let challenges =
            one.challenges.iter().enumerate().map(|(index, challenge)| self.shown(id, index, challenge));
        let mut shown = json!({
            "identifier": one.identifier, "status": one.status, "challenges": challenges.collect::<Vec<_>>(),
        });
        if one.wildcard {
            shown["wildcard"] = true.into();
        }
        Ok(self.later(ok(&shown), one.status == "pending"))
    }

    /// Looks at the world when it is time to.
    fn advance_authorization(&mut self, id: usize) {
        let one = &self.authorizations[id];
        let due = |challenge: &SimChallenge| {
            challenge.status == "processing" && challenge.look_at.is_some_and(|at| self.now >= at)
        };
        let Some(index) = one.challenges.iter().position(due) else { return };
        let outcome = if self.finds(one, &one.challenges[index]) { "valid" } else { "invalid" };
        let (valid_until, lingering) = (self.now + self.policy.reuse, self.policy.lingering);
        let one = &mut self.authorizations[id];
        one.challenges[index].status = outcome;
        if outcome == "valid" || !lingering {
            (one.status, one.valid_until) = (outcome, valid_until);
        }
    }

    fn finds(&self, one: &SimAuthorization, challenge: &SimChallenge) -> bool {
        let account = &self.accounts.get(&one.account);
        let Some(account) = account else { return false };
        let expected = format!("{}.{}", challenge.token, thumbprint(&account.jwk));
        let uri = self.url(&format!("acct/{}", one.account));
        let is_it = |presented: &super::Challenge| {
            presented.kind == challenge.kind
                && presented.identifier == one.identifier
                && if presented.kind == ChallengeKind::DnsPersist01 {
                    presented.account_uri == uri && (presented.wildcard || !one.wildcard)
                } else {
                    presented.key_authorization == expected
                }
        };
        !self.policy.unprovable.contains(&one.identifier) && self.board.iter().any(is_it)
    }

    pub(super) fn challenge(&mut self, account: usize, id: &str, index: &str, signed: &Signed) -> Outcome {
        let absent = || problem(404, "malformed", "no such challenge");
        let id: usize = id.parse().map_err(|_| absent())?;
        let index: usize = index.parse().map_err(|_| absent())?;
        let look_at = self.now + self.policy.validation;
        let one = self.authorizations.get_mut(id).filter(|one| one.account == account).ok_or_else(absent)?;
        let challenge = one.challenges.get_mut(index).ok_or_else(absent)?;
        if signed.payload != b"{}" {
            return Err(problem(400, "malformed", "an answer is an empty object"));
        }
        if one.status != "pending" || challenge.status != "pending" {
            return Err(problem(400, "malformed", "the challenge is not pending"));
        }
        (challenge.status, challenge.look_at) = ("processing", Some(look_at));
        let challenge = challenge.clone();
        Ok(ok(&self.shown(id, index, &challenge)))
    }

    pub(super) fn finalize(&mut self, account: usize, id: &str, signed: &Signed) -> Outcome {
        let number = self.owned_order(account, id)?;
        self.advance_order(number);
        if self.orders[number].status != "ready" {
            return Err(problem(403, "orderNotReady", "the order is not ready"));
        }
        let payload = json_of(signed)?;
        let csr = payload["csr"].as_str().and_then(|text| BASE64URL.decode(text).ok());
        let csr = csr.ok_or_else(|| problem(400, "badCSR", "no request"))?;
        self.check_request(&csr, &self.orders[number].names)?;
        let order = &mut self.orders[number];
        (order.status, order.csr, order.valid_at) = ("processing", csr, self.now + self.policy.issuance);
        self.order(account, id)
    }

    fn shown(&self, id: usize, index: usize, challenge: &SimChallenge) -> Value {
        let mut shown = json!({
            "type": challenge.kind.name(), "url": self.url(&format!("chall/{id}/{index}")), "status": challenge.status,
        });
        if challenge.kind == ChallengeKind::DnsPersist01 {
            shown["issuer-domain-names"] = json!(["ca.test"]);
        } else {
            shown["token"] = challenge.token.as_str().into();
        }
        if challenge.status == "invalid" {
            shown["error"] =
                json!({"type": "urn:ietf:params:acme:error:unauthorized", "detail": "found something else"});
        }
        shown
    }
}
