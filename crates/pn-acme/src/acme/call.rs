//! One question to the CA: nonces, signatures, and what is tried again at once. What is asked is in the procedures, what
//! an answer means in `answer`; when a whole procedure is tried again is not decided here.

use super::answer::{Answer, lost, problem_of, refusal, retry_after};
use super::fault::AcmeFault;
use super::jws::{self, AccountKey, SignedAs};
use super::machine::{HttpMethod, HttpRequest, HttpResponse, Time, TransportError};
use super::procedure::Outside;
use super::session::Session;
use super::url::check_url;
use super::wire::Directory;
use std::sync::Arc;

/// A CA may refuse every second nonce and is answered all the same: that all of these are refused is one in a million.
const BAD_NONCES: u32 = 20;
/// Further tries of a question whose answer was lost, or that the CA was too busy for. An outage that lasts longer is
/// for the schedule, not for an order that holds its place.
const RETRIES: u32 = 3;
/// Longest that such a try is waited for. A CA that wants more ends the procedure.
const PATIENCE: u64 = 60;
/// Bytes of a nonce. They are below 100.
const NONCE_BYTES: usize = 512;

/// A procedure's way to the CA, by one account.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) outside: Outside,
    pub(crate) session: Session,
}

/// Who signs a question.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    Account,
    /// The account's key itself, before there is an account.
    AccountKey,
    /// Another key: that of a certificate, or the account's next one.
    Key(&'a AccountKey),
}

/// What the tries of one question have used up.
#[derive(Default)]
struct Tries {
    bad_nonces: u32,
    others: u32,
    /// What was lost may have been granted, and is not asked again.
    once: bool,
}

impl Line {
    pub(crate) fn new(outside: Outside, session: Session) -> Self {
        Self { outside, session }
    }

    pub(crate) async fn directory(&self) -> Result<Arc<Directory>, AcmeFault> {
        if let Some(directory) = self.session.fresh_directory(self.outside.now()) {
            return Ok(directory);
        }
        let answer = self.get(self.session.directory_url()).await?;
        let directory: Arc<Directory> = Arc::new(answer.json()?);
        self.session.set_directory(directory.clone(), self.outside.now());
        Ok(directory)
    }

    /// A question that nobody signs: the directory, and renewal information.
    pub(crate) async fn get(&self, url: &str) -> Result<Answer, AcmeFault> {
        let mut tries = Tries::default();
        loop {
            let request = HttpRequest {
                method: HttpMethod::Get,
                url: url.to_owned(),
                body: None,
                accept: Some("application/json"),
            };
            let outcome = self.exchange(request).await?;
            if let Some(answer) = self.settle(url, outcome, &mut tries).await? {
                return Ok(answer);
            }
        }
    }

    /// A POST-as-GET by the account (RFC 8555 section 6.3).
    pub(crate) async fn fetch(&self, url: &str, accept: Option<&'static str>) -> Result<Answer, AcmeFault> {
        self.signed(url, "", By::Account, accept).await
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        payload: &serde_json::Value,
        by: By<'_>,
    ) -> Result<Answer, AcmeFault> {
        self.signed(url, &payload.to_string(), by, None).await
    }

    /// The same, but not asked again when its answer is lost: it may have been granted.
    pub(crate) async fn post_once(
        &self,
        url: &str,
        payload: &serde_json::Value,
        by: By<'_>,
    ) -> Result<Answer, AcmeFault> {
        let tries = Tries { once: true, ..Tries::default() };
        self.tried(url, &payload.to_string(), by, None, tries).await
    }

    async fn signed(
        &self,
        url: &str,
        payload: &str,
        by: By<'_>,
        accept: Option<&'static str>,
    ) -> Result<Answer, AcmeFault> {
        self.tried(url, payload, by, accept, Tries::default()).await
    }

    async fn tried(
        &self,
        url: &str,
        payload: &str,
        by: By<'_>,
        accept: Option<&'static str>,
        mut tries: Tries,
    ) -> Result<Answer, AcmeFault> {
        // Nonces are had as often as it takes: nothing comes of them.
        let mut for_nonces = Tries::default();
        loop {
            let nonce = self.nonce(&mut for_nonces).await?;
            let body = Some(self.sign(url, payload, by, &nonce)?);
            let request = HttpRequest { method: HttpMethod::Post, url: url.to_owned(), body, accept };
            let outcome = self.exchange(request).await?;
            if let Some(answer) = self.settle(url, outcome, &mut tries).await? {
                return Ok(answer);
            }
        }
    }

    fn sign(&self, url: &str, payload: &str, by: By<'_>, nonce: &str) -> Result<String, AcmeFault> {
        let key = self.session.key();
        let signed = match by {
            By::Key(key) => jws::sign(key, SignedAs::Key, Some(nonce), url, payload),
            By::AccountKey => jws::sign(&key, SignedAs::Key, Some(nonce), url, payload),
            By::Account => jws::sign(&key, SignedAs::Account(&self.account()?), Some(nonce), url, payload),
        };
        signed.map_err(AcmeFault::internal)
    }

    async fn nonce(&self, tries: &mut Tries) -> Result<String, AcmeFault> {
        let url = self.directory().await?.new_nonce.clone();
        // Another procedure of the account may be quicker to take the one that came, which is seldom.
        for _ in 0..=2 * RETRIES {
            if let Some(nonce) = self.session.take_nonce(self.outside.now()) {
                return Ok(nonce);
            }
            let (method, body) = (HttpMethod::Head, None);
            let request = HttpRequest { method, url: url.clone(), body, accept: None };
            let outcome = self.exchange(request).await?;
            self.settle(&url, outcome, tries).await?;
        }
        Err(AcmeFault::bad_answer(&url, "no nonce (RFC 8555 section 6.5)"))
    }

    async fn exchange(
        &self,
        request: HttpRequest,
    ) -> Result<Result<HttpResponse, TransportError>, AcmeFault> {
        check_url(&request.url, self.session.directory_url())?;
        let outcome = self.outside.send(request).await;
        if let Ok(response) = &outcome
            && let Some(nonce) = response.header("replay-nonce")
            && is_nonce(nonce)
        {
            self.session.keep_nonce(nonce, self.outside.now());
        }
        Ok(outcome)
    }

    /// The answer; `None` when the question is to be asked again, now.
    async fn settle(
        &self,
        url: &str,
        outcome: Result<HttpResponse, TransportError>,
        tries: &mut Tries,
    ) -> Result<Option<Answer>, AcmeFault> {
        let now = self.outside.now();
        let (fault, delay) = match outcome {
            Ok(response) if (200..300).contains(&response.status) => {
                return Ok(Some(Answer { url: url.to_owned(), response, now }));
            }
            Ok(response) => {
                if response.status == 404 {
                    // The CA may have moved what its directory names.
                    self.session.forget_directory();
                }
                let problem = problem_of(&response);
                if problem.name() == "badNonce" && tries.bad_nonces < BAD_NONCES {
                    tries.bad_nonces += 1;
                    return Ok(None);
                }
                let after = retry_after(&response, now);
                (refusal(url, response.status, problem, after), delay_of(response.status, after, now, tries))
            }
            Err(error) => (lost(url, &error), (!tries.once).then_some(2 << tries.others)),
        };
        match delay.filter(|&delay| tries.others < RETRIES && delay <= PATIENCE) {
            Some(delay) => {
                tries.others += 1;
                self.outside.wait(delay).await;
                Ok(None)
            }
            None => Err(fault),
        }
    }
}

/// RFC 8555 section 6.5.1
fn is_nonce(text: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NONCE_BYTES).contains(&text.len()) && text.bytes().all(base64url)
}

/// How long until the question may be asked again; `None`: not by this procedure.
fn delay_of(status: u16, after: Option<Time>, now: Time, tries: &Tries) -> Option<u64> {
    let asked = after.map(|time| (time - now).max(1));
    match status {
        429 => asked,
        500.. => Some(asked.unwrap_or(2 << tries.others)),
        _ => None,
    }
}
