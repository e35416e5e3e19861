//! Names of servers and their addresses. Each worker asks for itself, once at a time for a name, and keeps an answer
//! for as long as its TTL says, within bounds. An old answer serves on while a new one is fetched, and when none can be.

use ahash::HashMap;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use pn_core::{ErrorKind, LocalFuture, ProxyError};
use pn_model::limits::{DNS_ADDRESSES, DNS_TTL_MAX, DNS_TTL_MIN};
use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Addresses, and for how long they hold.
pub(super) type Answer = (Vec<IpAddr>, Duration);
type Ask = Box<dyn Fn(Rc<str>) -> LocalFuture<'static, Result<Answer, ProxyError>>>;

pub(super) struct Names {
    ask: Ask,
    known: RefCell<HashMap<Rc<str>, Rc<Known>>>,
}

#[derive(Default)]
struct Known {
    addresses: RefCell<Option<Rc<[IpAddr]>>>,
    until: Cell<Option<Instant>>,
    /// Why the last question had no answer.
    failed: Cell<Option<ErrorKind>>,
    asking: Cell<bool>,
    asked: Notify,
}

impl Names {
    /// Asks as the system is set up to: its name servers, its hosts file.
    pub(super) fn system() -> Rc<Self> {
        let resolver: Rc<OnceCell<Option<TokioResolver>>> = Rc::default();
        Self::new(move |name| {
            let resolver = Rc::clone(&resolver);
            Box::pin(async move { lookup(resolver.get_or_init(resolver_of_system).as_ref(), &name).await })
        })
    }

    pub(super) fn new(
        ask: impl Fn(Rc<str>) -> LocalFuture<'static, Result<Answer, ProxyError>> + 'static,
    ) -> Rc<Self> {
        Rc::new(Self { ask: Box::new(ask), known: RefCell::default() })
    }

    /// The addresses of a name, never none.
    pub(super) async fn resolve(self: &Rc<Self>, name: &str) -> Result<Rc<[IpAddr]>, ProxyError> {
        if is_localhost(name) {
            // RFC 6761 section 6.3: never asked of anybody.
            return Ok(Rc::new([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]));
        }
        let known = self.known(name);
        if known.age() > Age::Usable(Duration::ZERO) {
            self.ask_once(name, &known);
            while known.must_wait() {
                known.asked.notified().await;
            }
        }
        known
            .current()
            .ok_or_else(|| ProxyError::new(known.failed.get().unwrap_or(ErrorKind::DnsError)).unsent())
    }

    /// The addresses known for a name, without waiting; asks again in the background when they are old. `None` for
    /// names that were never resolved here.
    pub(super) fn peek(self: &Rc<Self>, name: &str) -> Option<Rc<[IpAddr]>> {
        let known = Rc::clone(self.known.borrow().get(name)?);
        if known.age() > Age::Usable(Duration::ZERO) {
            self.ask_once(name, &known);
        }
        known.current()
    }

    /// Forgets names that no server has any more.
    pub(super) fn retain(&self, used: impl Fn(&str) -> bool) {
        self.known.borrow_mut().retain(|name, known| known.asking.get() || used(name));
    }

    fn known(&self, name: &str) -> Rc<Known> {
        let mut known = self.known.borrow_mut();
        Rc::clone(known.entry(name.into()).or_default())
    }

    fn ask_once(self: &Rc<Self>, name: &str, known: &Rc<Known>) {
        if known.asking.replace(true) {
            return;
        }
        let (answer, known) = ((self.ask)(name.into()), Rc::clone(known));
        let name: Box<str> = name.into();
        tokio::task::spawn_local(async move { known.learn(&name, answer).await });
    }
}

#[derive(PartialEq, PartialOrd)]
enum Age {
    /// By how much the answer is past its time.
    Usable(Duration),
    /// There is none, or none that may still be asked for.
    Unusable,
}

impl Known {
    fn age(&self) -> Age {
        match self.until.get() {
            Some(until) => Age::Usable(Instant::now().saturating_duration_since(until)),
            None => Age::Unusable,
        }
    }

    fn current(&self) -> Option<Rc<[IpAddr]>> {
        self.addresses.borrow().clone()
    }

    /// Whether there is nothing to go by before the question under way is answered.
    fn must_wait(&self) -> bool {
        let useless = self.addresses.borrow().is_none() || self.age() > Age::Usable(DNS_TTL_MAX);
        self.asking.get() && useless
    }

    async fn learn(&self, name: &str, answer: impl Future<Output = Result<Answer, ProxyError>>) {
        let result = answer.await;
        let holds = match result {
            Ok((addresses, ttl)) if !addresses.is_empty() => {
                *self.addresses.borrow_mut() = Some(addresses.into_iter().take(DNS_ADDRESSES).collect());
                self.failed.set(None);
                ttl.clamp(DNS_TTL_MIN, DNS_TTL_MAX)
            }
            failed => {
                let kind = failed.as_ref().err().map_or(ErrorKind::DnsError, |error| error.kind);
                if self.failed.replace(Some(kind)).is_none() {
                    let old = self.addresses.borrow().is_some();
                    let cause = failed.err().map(|error| error_text(&error)).unwrap_or_default();
                    tracing::warn!(
                        name,
                        cause,
                        old_addresses_serve_on = old,
                        "a server's name does not resolve"
                    );
                }
                DNS_TTL_MIN
            }
        };
        self.until.set(Some(Instant::now() + holds));
        self.asking.set(false);
        self.asked.notify_waiters();
    }
}

fn error_text(error: &ProxyError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn resolver_of_system() -> Option<TokioResolver> {
    let built = TokioResolver::builder_tokio().and_then(|mut builder| {
        // Answers are kept here, where old ones can serve on.
        builder.options_mut().cache_size = 0;
        builder.build()
    });
    built.map_err(|error| tracing::error!(%error, "the system's DNS configuration cannot be used")).ok()
}

async fn lookup(resolver: Option<&TokioResolver>, name: &str) -> Result<Answer, ProxyError> {
    let Some(resolver) = resolver else {
        return Err(ProxyError::new(ErrorKind::DnsError).caused_by("no DNS configuration"));
    };
    let found = resolver.lookup_ip(name).await.map_err(|error| {
        let kind =
            if matches!(error, NetError::Timeout) { ErrorKind::DnsTimeout } else { ErrorKind::DnsError };
        ProxyError::new(kind).caused_by(error)
    })?;
    let ttl = found.valid_until().saturating_duration_since(std::time::Instant::now());
    Ok((found.iter().collect(), ttl))
}

#[cfg(test)]
mod tests;
