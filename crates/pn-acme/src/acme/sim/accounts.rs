//! Accounts of the simulated CA (RFC 8555 section 7.3).

use super::super::machine::HttpResponse;
use super::states::SimAccount;
use super::verify::{Signed, verify};
use super::{Outcome, SimCa, ok, problem, with};
use aws_lc_rs::hmac;
use serde_json::{Value, json};

impl SimCa {
    pub(super) fn new_account(&mut self, signed: &Signed) -> Outcome {
        let jwk = signed.header.get("jwk").cloned().ok_or_else(|| problem(400, "malformed", "no key"))?;
        if !verify(signed, &jwk) {
            return Err(problem(401, "unauthorized", "bad signature"));
        }
        let payload = json_of(signed)?;
        if let Some((&id, account)) = self.accounts.iter().find(|(_, account)| account.jwk == jwk) {
            return Ok(with(ok(&shown(account)), "location", self.url(&format!("acct/{id}"))));
        }
        if payload["onlyReturnExisting"] == true {
            return Err(problem(400, "accountDoesNotExist", "no account has this key"));
        }
        if payload["termsOfServiceAgreed"] != true {
            return Err(problem(403, "userActionRequired", "agree to the terms"));
        }
        self.check_binding(&payload, &jwk, signed.header("url").unwrap_or_default())?;
        self.made += 1;
        let account = SimAccount { jwk, contact: payload["contact"].clone(), status: "valid" };
        let mut response = with(ok(&shown(&account)), "location", self.url(&format!("acct/{}", self.made)));
        response.status = 201;
        self.accounts.insert(self.made, account);
        Ok(response)
    }

    fn check_binding(&self, payload: &Value, jwk: &Value, url: &str) -> Result<(), HttpResponse> {
        let Some((kid, secret)) = &self.policy.eab else { return Ok(()) };
        let refused = || problem(403, "externalAccountRequired", "bind the account to one of ours");
        let binding = Signed::of(&payload["externalAccountBinding"]).ok_or_else(refused)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let right = hmac::verify(&key, &binding.message, &binding.signature).is_ok()
            && binding.header("kid") == Some(kid)
            && binding.header("url") == Some(url)
            && serde_json::from_slice::<Value>(&binding.payload).is_ok_and(|inner| inner == *jwk);
        if right { Ok(()) } else { Err(refused()) }
    }

    pub(super) fn account_of(&self, signed: &Signed) -> Result<usize, HttpResponse> {
        let gone = || problem(400, "accountDoesNotExist", "no such account");
        let kid = signed.header("kid").ok_or_else(|| problem(400, "malformed", "no kid"))?;
        let id = kid.strip_prefix(self.base).and_then(|path| path.strip_prefix("/acct/"));
        let id = id.and_then(|id| id.parse().ok()).ok_or_else(gone)?;
        let account = self.accounts.get(&id).ok_or_else(gone)?;
        match account.status {
            "valid" if verify(signed, &account.jwk) => Ok(id),
            "valid" => Err(problem(401, "unauthorized", "bad signature")),
            _ => Err(problem(403, "unauthorized", "the account is deactivated")),
        }
    }

    pub(super) fn account(&mut self, id: usize, signed: &Signed) -> Outcome {
        let payload = json_of(signed)?;
        let account = self.accounts.get_mut(&id).unwrap();
        if let Some(contact) = payload.get("contact") {
            account.contact = contact.clone();
        }
        if payload["status"] == "deactivated" {
            account.status = "deactivated";
        }
        Ok(ok(&shown(account)))
    }

    pub(super) fn key_change(&mut self, id: usize, signed: &Signed) -> Outcome {
        let inner = Signed::of(&json_of(signed)?).ok_or_else(|| problem(400, "malformed", "no inner JWS"))?;
        let jwk = inner.header.get("jwk").cloned().unwrap_or_default();
        let payload = json_of(&inner)?;
        if self.accounts.values().any(|account| account.jwk == jwk) {
            return Err(problem(409, "malformed", "another account has the key"));
        }
        let url = self.url(&format!("acct/{id}"));
        let account = self.accounts.get_mut(&id).unwrap();
        let right = verify(&inner, &jwk)
            && inner.header("nonce").is_none()
            && inner.header("url") == signed.header("url")
            && payload["account"] == url
            && payload["oldKey"] == account.jwk;
        if !right {
            return Err(problem(400, "malformed", "not what section 7.3.5 wants"));
        }
        account.jwk = jwk;
        Ok(ok(&json!({})))
    }
}

fn shown(account: &SimAccount) -> Value {
    json!({"status": account.status, "contact": account.contact, "orders": "https://ca.test/orders"})
}

pub(super) fn json_of(signed: &Signed) -> Result<Value, HttpResponse> {
    if signed.payload.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&signed.payload).map_err(|_| problem(400, "malformed", "no JSON"))
}
