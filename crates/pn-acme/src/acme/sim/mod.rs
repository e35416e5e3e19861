//! A CA that exists in memory and in virtual time, for the tests of this crate: honest and strict where RFC 8555 is
//! clear (signatures, nonces, states, names of the request), and with the faults of real CAs, by a seeded die.
//!
//! ```text
//! let mut ca = SimCa::new(seed);
//! ca.policy.bad_nonces = 50;
//! let outcome = run(&mut machine, &mut ca, &mut now);        // or ca.answer(..) and ca.present(..) by hand
//! ```

mod accounts;
mod issuing;
mod orders;
mod policy;
mod run;
mod states;
mod tests;
pub(crate) mod verify;

pub(crate) use issuing::SimCertificate;
pub(crate) use policy::{Policy, Replaces};
pub(crate) use run::{present_by, run};

use super::machine::{Challenge, HttpMethod, HttpRequest, HttpResponse, Time, TransportError};
use issuing::Authority;
use serde_json::{Value, json};
pub(crate) use states::SimAccount;
use states::{SimAuthorization, SimOrder};
use std::collections::{BTreeMap, BTreeSet};
use verify::Signed;

pub(crate) const BASE: &str = "https://ca.test";
pub(crate) const DIRECTORY: &str = "https://ca.test/directory";

/// The CA and all it knows. What is `pub(crate)` may be looked at and changed between two requests.
pub(crate) struct SimCa {
    /// What its URLs begin with.
    base: &'static str,
    pub(crate) policy: Policy,
    /// What can be found in the world: on any web server or name server of the tests.
    pub(crate) board: Vec<Challenge>,
    pub(crate) accounts: BTreeMap<usize, SimAccount>,
    pub(crate) orders: Vec<SimOrder>,
    pub(crate) certificates: Vec<SimCertificate>,
    pub(crate) requests: u64,
    /// How often the directory was read.
    pub(crate) directories: u64,
    authorizations: Vec<SimAuthorization>,
    authority: Authority,
    nonces: BTreeSet<String>,
    made: usize,
    dice: Dice,
    now: Time,
}

/// What a refusal or an answer consists of before it is wrapped.
type Outcome = Result<HttpResponse, HttpResponse>;

impl SimCa {
    pub(crate) fn new(seed: u64) -> Self {
        Self::at(BASE, seed)
    }

    /// One whose directory is `BASE/directory`.
    pub(crate) fn at(base: &'static str, seed: u64) -> Self {
        Self {
            base,
            policy: Policy::default(),
            board: Vec::new(),
            accounts: BTreeMap::new(),
            orders: Vec::new(),
            certificates: Vec::new(),
            requests: 0,
            directories: 0,
            authorizations: Vec::new(),
            authority: Authority::new(),
            nonces: BTreeSet::new(),
            made: 0,
            dice: Dice(seed),
            now: 0,
        }
    }

    pub(crate) fn answer(
        &mut self,
        request: &HttpRequest,
        now: Time,
    ) -> Result<HttpResponse, TransportError> {
        (self.now, self.requests) = (now, self.requests + 1);
        if self.policy.outages.iter().any(|outage| outage.contains(&now))
            || self.falls(self.policy.unreachable)
        {
            return Err(TransportError("connection refused".to_owned()));
        }
        if self.falls(self.policy.server_errors) {
            return Ok(respond(500, b"<h1>oops</h1>".to_vec()));
        }
        let mut response = self.handle(request).unwrap_or_else(|refusal| refusal);
        if request.method != HttpMethod::Get {
            let nonce = self.new_nonce();
            response.headers.push(("replay-nonce".to_owned(), nonce));
        }
        if self.falls(self.policy.lost_answers) {
            return Err(TransportError("connection reset".to_owned()));
        }
        if self.falls(self.policy.malformed) {
            self.mangle(&mut response);
        }
        Ok(response)
    }

    pub(crate) fn present(&mut self, challenges: &[Challenge]) {
        self.board.extend_from_slice(challenges);
    }

    pub(crate) fn withdraw(&mut self, challenges: &[Challenge]) {
        self.board.retain(|one| !challenges.contains(one));
    }

    /// As after a disaster at the CA.
    pub(crate) fn forget_accounts(&mut self) {
        self.accounts.clear();
    }

    /// A number below `sides`, of the seed.
    pub(crate) fn throw(&mut self, sides: u64) -> u64 {
        self.dice.next() % sides.max(1)
    }

    fn falls(&mut self, percent: u8) -> bool {
        percent > 0 && self.throw(100) < u64::from(percent)
    }

    fn handle(&mut self, request: &HttpRequest) -> Outcome {
        let path = request.url.strip_prefix(self.base).unwrap_or_default().to_owned();
        let mut segments = path.trim_start_matches('/').split('/');
        let (kind, id) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        match (request.method, kind) {
            (HttpMethod::Get, "directory") => {
                self.directories += 1;
                return Ok(ok(&self.directory()));
            }
            (HttpMethod::Head, "nonce") => return Ok(respond(200, Vec::new())),
            (HttpMethod::Get, "ari") => return self.renewal_info(id),
            (HttpMethod::Post, _) => {}
            _ => return Err(problem(404, "malformed", "no such resource")),
        }
        let signed = self.opened(request)?;
        if kind == "new-account" {
            return self.new_account(&signed);
        }
        if kind == "revoke" && signed.header.get("jwk").is_some() {
            return self.revoke(None, &signed);
        }
        let account = self.account_of(&signed)?;
        match kind {
            "acct" => self.account(account, &signed),
            "key-change" => self.key_change(account, &signed),
            "revoke" => self.revoke(Some(account), &signed),
            "new-order" => self.new_order(account, &signed),
            "order" => self.order(account, id),
            "authz" => self.authorization(account, id, &signed),
            "chall" => self.challenge(account, id, segments.next().unwrap_or_default(), &signed),
            "finalize" => self.finalize(account, id, &signed),
            "cert" => self.certificate(account, id, segments.next() == Some("alt")),
            _ => Err(problem(404, "malformed", "no such resource")),
        }
    }

    /// Checks what RFC 8555 section 6 says of every request, but for whose key it is.
    fn opened(&mut self, request: &HttpRequest) -> Result<Signed, HttpResponse> {
        let malformed = |what| problem(400, "malformed", what);
        let body = request.body.as_deref().ok_or_else(|| malformed("no body"))?;
        let signed = Signed::parse(body).ok_or_else(|| malformed("no JWS"))?;
        if signed.header("url") != Some(request.url.as_str()) {
            return Err(problem(401, "unauthorized", "signed for another URL"));
        }
        let known = signed.header("nonce").is_some_and(|nonce| self.nonces.remove(nonce));
        if !known || self.falls(self.policy.bad_nonces) {
            return Err(problem(400, "badNonce", "the nonce is not good"));
        }
        Ok(signed)
    }

    fn directory(&self) -> Value {
        let url = |path: &str| self.url(path);
        let mut directory = json!({
            "newNonce": url("nonce"), "newAccount": url("new-account"), "newOrder": url("new-order"),
            "revokeCert": url("revoke"), "keyChange": url("key-change"),
            "meta": {
                "termsOfService": url("terms"), "caaIdentities": ["ca.test"],
                "externalAccountRequired": self.policy.eab.is_some(),
                "profiles": self.policy.profiles.keys().map(|name| (name.clone(), url(name))).collect::<BTreeMap<_, _>>(),
            },
        });
        if self.policy.renewal_info {
            directory["renewalInfo"] = url("ari").into();
        }
        directory
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    fn new_nonce(&mut self) -> String {
        self.made += 1;
        let nonce = format!("nonce-{}", self.made);
        self.nonces.insert(nonce.clone());
        // As real ones do, it forgets those that nobody comes with.
        if self.nonces.len() > 10_000 {
            self.nonces.pop_first();
        }
        nonce
    }

    /// As a broken front of the CA does it: cut off, of another type, or another body.
    fn mangle(&mut self, response: &mut HttpResponse) {
        match self.throw(5) {
            0 => response.body.truncate(response.body.len() / 2),
            1 => response.body = b"<html>Bad gateway</html>".to_vec(),
            2 => response.body = b"[null]".to_vec(),
            3 => response.headers.retain(|(name, _)| name == "replay-nonce"),
            _ => {
                let text = String::from_utf8_lossy(&response.body).replace(self.base, "gopher://ca.test");
                response.body = text.into_bytes();
            }
        }
    }
}

/// splitmix64: the same throws for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn respond(status: u16, body: Vec<u8>) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body }
}

fn ok(body: &Value) -> HttpResponse {
    respond(200, body.to_string().into_bytes())
}

fn with(mut response: HttpResponse, name: &str, value: impl ToString) -> HttpResponse {
    response.headers.push((name.to_owned(), value.to_string()));
    response
}

fn problem(status: u16, name: &str, detail: &str) -> HttpResponse {
    let body =
        json!({"type": format!("urn:ietf:params:acme:error:{name}"), "detail": detail, "status": status});
    respond(status, body.to_string().into_bytes())
}
