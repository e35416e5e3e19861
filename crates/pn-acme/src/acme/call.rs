//! One question to the CA and its answer: nonces, signatures, what is tried again at once, and what a refusal means.
//! What is asked is in the procedures; when a whole procedure is tried again is not decided here.

use super::fault::{AcmeFault, FaultKind, Problem, shown};
use super::jws::{self, AccountKey, SignedAs};
use super::machine::{HttpMethod, HttpRequest, HttpResponse, Time, TransportError};
use super::procedure::Outside;
use super::session::Session;
use super::wire::Directory;
use pn_model::limits::ACME_URL_BYTES;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A CA may refuse every second nonce and is answered all the same: that all of these are refused is one in a million.
const BAD_NONCES: u32 = 20;
/// Further tries of a question whose answer was lost, or that the CA was too busy for. An outage that lasts longer is
/// for the schedule, not for an order that holds its place.
const RETRIES: u32 = 3;
/// Longest that such a try is waited for. A CA that wants more ends the procedure.
const PATIENCE: u64 = 60;
/// Longest that a CA may put us off; Let's Encrypt's longest limit is a week.
const RETRY_AFTER_MAX: u64 = 7 * 24 * 3600;
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

pub(crate) struct Answer {
    url: String,
    response: HttpResponse,
    now: Time,
}

/// What the tries of one question have used up.
#[derive(Default)]
struct Tries {
    bad_nonces: u32,
    others: u32,
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

    async fn signed(
        &self,
        url: &str,
        payload: &str,
        by: By<'_>,
        accept: Option<&'static str>,
    ) -> Result<Answer, AcmeFault> {
        let mut tries = Tries::default();
        loop {
            let nonce = self.nonce(&mut tries).await?;
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
                let problem = problem_of(&response);
                if problem.name() == "badNonce" && tries.bad_nonces < BAD_NONCES {
                    tries.bad_nonces += 1;
                    return Ok(None);
                }
                let after = retry_after(&response, now);
                (refusal(url, response.status, problem, after), delay_of(response.status, after, now, tries))
            }
            Err(error) => (lost(url, &error), Some(2 << tries.others)),
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

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, AcmeFault> {
        serde_json::from_slice(&self.response.body).map_err(|error| {
            let text = shown(&String::from_utf8_lossy(&self.response.body));
            let begin: String = text.chars().take(80).collect();
            AcmeFault::bad_answer(&self.url, &format!("what cannot be read ({error}): `{begin}`"))
        })
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.response.body
    }

    pub(crate) fn bad(&self, what: &str) -> AcmeFault {
        AcmeFault::bad_answer(&self.url, what)
    }

    /// Where the new thing is (RFC 9110 section 10.2.2).
    pub(crate) fn location(&self) -> Result<String, AcmeFault> {
        let location = self.response.header("location").ok_or_else(|| self.bad("no Location"))?;
        let resolved = match location.strip_prefix('/') {
            Some(path) if !path.starts_with('/') => format!("{}{location}", origin(&self.url)),
            _ => location.to_owned(),
        };
        check_url(&resolved, &self.url)?;
        Ok(resolved)
    }

    /// Seconds from now that the CA asks for (RFC 9110 section 10.2.3).
    pub(crate) fn retry_after(&self) -> Option<u64> {
        retry_after(&self.response, self.now).map(|time| time - self.now)
    }

    /// Targets of the links of that relation (RFC 8288).
    pub(crate) fn links(&self, relation: &str) -> impl Iterator<Item = &str> {
        let quoted = format!("rel=\"{relation}\"");
        let plain = format!("rel={relation}");
        let links = self.response.headers.iter().filter(|(name, _)| name == "link");
        links.flat_map(|(_, value)| value.split(',')).filter_map(move |link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            parameters.split(';').any(|p| p.trim() == quoted || p.trim() == plain).then_some(target)
        })
    }
}

/// Everything that is told to a CA goes over TLS, unless its directory itself does not.
pub(crate) fn check_url(url: &str, like: &str) -> Result<(), AcmeFault> {
    let plain = like.starts_with("http://").then(|| url.strip_prefix("http://")).flatten();
    let rest = url.strip_prefix("https://").or(plain).unwrap_or_default();
    let host = !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':', '@']);
    if host && url.len() <= ACME_URL_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let begin: String = shown(url).chars().take(80).collect();
    let what = format!("`{begin}` is not a URL that ACME goes to; it has to begin with `https://`");
    Err(AcmeFault::new(FaultKind::BadAnswer, what))
}

fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end =
        url.bytes().skip(authority).position(|byte| byte == b'/').map_or(url.len(), |at| at + authority);
    url.get(..end).unwrap_or_default()
}

/// RFC 8555 section 6.5.1
fn is_nonce(text: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NONCE_BYTES).contains(&text.len()) && text.bytes().all(base64url)
}

fn problem_of(response: &HttpResponse) -> Problem {
    let text = || String::from_utf8_lossy(&response.body).chars().take(200).collect();
    let mut problem: Problem = serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| Problem { detail: text(), ..Problem::default() });
    if problem.kind.is_empty() {
        problem.kind = "about:blank".to_owned();
    }
    problem
}

/// Seconds, or a date (RFC 9110 section 10.2.3); not before now, and not for ever.
fn retry_after(response: &HttpResponse, now: Time) -> Option<Time> {
    let text = response.header("retry-after")?.trim();
    let date = || {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    };
    let time = text.parse::<u64>().map_or_else(|_| date(), |seconds| Some(now.saturating_add(seconds)))?;
    Some(time.clamp(now, now.saturating_add(RETRY_AFTER_MAX)))
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

fn lost(url: &str, error: &TransportError) -> AcmeFault {
    let message = format!(
        "`{url}` cannot be reached: {}; look at the network, and at the issuer's `roots` if the CA is a private one",
        shown(&error.0)
    );
    AcmeFault::new(FaultKind::Transport, message)
}

fn refusal(url: &str, status: u16, problem: Problem, retry_after: Option<Time>) -> AcmeFault {
    let kind = match (problem.name(), status) {
        ("rateLimited", _) | (_, 429) => FaultKind::RateLimited,
        ("accountDoesNotExist", _) => FaultKind::AccountGone,
        ("userActionRequired", _) => FaultKind::UserAction,
        ("externalAccountRequired", _) => FaultKind::ExternalAccount,
        ("invalidProfile", _) => FaultKind::Profile,
        ("badNonce", _) | (_, 500..) => FaultKind::Transport,
        ("", 300..400) => FaultKind::BadAnswer,
        _ => FaultKind::Refused,
    };
    let place = problem.instance.as_deref().map(|url| format!("; see {}", shown(url))).unwrap_or_default();
    let message = format!("`{url}` refused with {status}: {problem}{place}");
    AcmeFault { kind, problem: Some(Box::new(problem)), retry_after, challenge: None, message }
}
