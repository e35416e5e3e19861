//! `basic-auth` (RFC 7617): lets in who knows a password. Hashes are checked off the worker and remembered.

mod htpasswd;

#[cfg(any(test, fuzzing))]
pub(crate) use htpasswd::law as htpasswd_law;

use crate::Built;
use base64::Engine;
use htpasswd::{Hash, Users};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use pn_core::{
    BuildContext, BuildError, Env, ErrorKind, Flow, LocalFuture, Middleware, ProxyError, Reply,
    RequestContext,
};
use pn_model::limits::AUTH_CACHE;
use pn_model::middleware::BasicAuth;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

#[derive(Debug)]
struct Basic {
    users: Users,
    challenge: HeaderValue,
    remove_header: bool,
    header_field: Option<HeaderName>,
    known: Arc<Known>,
}

/// Credentials that were right, by a salted digest; outlives reloads that change no user.
#[derive(Debug)]
struct Known {
    salt: [u8; 16],
    /// Two words of each digest.
    slots: Box<[[AtomicU64; 2]]>,
}

struct Credentials {
    user: String,
    password: String,
}

pub(crate) fn build(spec: &BasicAuth, cx: &mut BuildContext<'_>) -> Built {
    let users = Users::parse(spec.users.iter().map(pn_model::Secret::expose))?;
    if users.is_empty() {
        return Err(BuildError::new(["basic-auth"], "there are no users, so that nobody could come in")
            .help("name some with `users`, or a `users-file` with a line each"));
    }
    let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", spec.realm.replace(['"', '\\'], ""));
    let challenge = HeaderValue::from_str(&challenge)
        .map_err(|_| BuildError::new(["basic-auth", "realm"], "a realm has no such characters"))?;
    let header_field = spec.header_field.as_ref().map(HeaderName::try_from).transpose();
    let header_field =
        header_field.map_err(|_| BuildError::new(["basic-auth", "header-field"], "this is no field name"))?;
    let known = cx.state(&users.fingerprint(), Known::default);
    Ok(Arc::new(Basic { users, challenge, remove_header: spec.remove_header, header_field, known }))
}

impl Middleware for Basic {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let Some(given) = credentials(cx) else { return self.refuse() };
        if self.known.has(&given) && self.users.has(&given.user) {
            return self.let_in(cx, &given.user);
        }
        Flow::Await
    }

    fn resume_request<'a>(
        &'a self,
        mut cx: RequestContext,
        env: &'a dyn Env,
    ) -> LocalFuture<'a, (RequestContext, Flow)> {
        Box::pin(async move {
            let Some(given) = credentials(&cx) else { return (cx, self.refuse()) };
            let flow = match self.check(&given, env).await {
                None => Flow::Respond(Box::new(ProxyError::new(ErrorKind::Overloaded).to_reply())),
                Some(false) => self.refuse(),
                Some(true) => {
                    self.known.remember(&given);
                    self.let_in(&mut cx, &given.user)
                }
            };
            (cx, flow)
        })
    }
}

impl Basic {
    /// Whether the password is right; `None` when too many checks wait. An unknown user costs what a known one does.
    async fn check(&self, given: &Credentials, env: &dyn Env) -> Option<bool> {
        let known = self.users.find(&given.user);
        let exists = known.is_some();
        let hash: Hash = known.unwrap_or_else(|| self.users.decoy()).clone();
        let password = given.password.clone();
        let right = Arc::new(AtomicBool::new(false));
        let verdict = Arc::clone(&right);
        env.blocking(Box::new(move || verdict.store(hash.verify(&password), Relaxed))).await?;
        Some(exists && right.load(Relaxed))
    }

    fn let_in(&self, cx: &mut RequestContext, user: &str) -> Flow {
        cx.set_user(user);
        if self.remove_header {
            cx.remove_header(&AUTHORIZATION);
        }
        if let Some(field) = &self.header_field {
            cx.remove_header(field);
            cx.remove_aliases(field);
            if let Ok(user) = HeaderValue::from_str(user) {
                cx.set_header(field, user);
            }
        }
        Flow::Continue
    }

    fn refuse(&self) -> Flow {
        let reply = Reply::text(StatusCode::UNAUTHORIZED, "401 Unauthorized\n");
        Flow::Respond(Box::new(reply.with_header(WWW_AUTHENTICATE, self.challenge.clone())))
    }
}

/// Exactly one field with a user and a password; anything else is nobody.
fn credentials(cx: &RequestContext) -> Option<Credentials> {
    let mut fields = cx.header_all(&AUTHORIZATION);
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let (scheme, token) = field.to_str()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = base64::prelude::BASE64_STANDARD.decode(token.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: password.to_owned() })
}

impl Default for Known {
    fn default() -> Self {
        // Two random keys of a hasher are random bytes without another crate.
        let seed = ahash::RandomState::new();
        let words = [seed.hash_one(1), seed.hash_one(2)];
        let mut salt = [0; 16];
        salt.iter_mut()
            .zip(words.iter().flat_map(|word| word.to_le_bytes()))
            .for_each(|(to, from)| *to = from);
        let slots = (0..AUTH_CACHE.next_power_of_two()).map(|_| Default::default()).collect();
        Self { salt, slots }
    }
}

impl Known {
    fn has(&self, given: &Credentials) -> bool {
        let (slot, digest) = self.place(given);
        slot.is_some_and(|slot| [slot[0].load(Relaxed), slot[1].load(Relaxed)] == digest)
    }

    fn remember(&self, given: &Credentials) {
        if let (Some(slot), digest) = self.place(given) {
            slot[0].store(digest[0], Relaxed);
            slot[1].store(digest[1], Relaxed);
        }
    }

    /// The one slot that these credentials may be in, and what it holds when they are. Half of one digest beside half
    /// of another, which a race may leave, is nobody's.
    fn place(&self, given: &Credentials) -> (Option<&[AtomicU64; 2]>, [u64; 2]) {
        let mut digest = Sha256::new();
        digest.update(self.salt);
        digest.update((given.user.len() as u64).to_le_bytes());
        digest.update(&given.user);
        digest.update(&given.password);
        let digest = digest.finalize();
        let word = |at: usize| {
            digest.iter().skip(at).take(8).fold(0, |word: u64, byte| word << 8 | u64::from(*byte))
        };
        let index = usize::try_from(word(16)).unwrap_or_default() % self.slots.len().max(1);
        (self.slots.get(index), [word(0) | 1, word(8)])
    }
}
