//! From a request to an answer: which server, how often, and what is to be blamed on whom.

use super::Upstreams;
use super::attempt::{Failed, Job, Said, attempt};
use super::balance::{self, Tried, Wish};
use super::body::UpstreamBody;
use super::dial::ClientEnds;
use super::h1::Head;
use super::load::InFlight;
use super::payload::BodySlot;
use super::service::{Server, ServerLabel, Service};
use super::tunnel::UpstreamTunnel;
use crate::conn::Interim;
use crate::worker::WorkerEnv;
use http::StatusCode;
use http::header::{COOKIE, HeaderValue};
use http_body::Body;
use pn_core::context::{FieldList, RequestHead};
use pn_core::graph::ServersNode;
use pn_core::{ErrorKind, ProxyError, Side};
use pn_io::Chunk;
use pn_model::service::{Balance, RetryOn};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// How often a request is sent again to a server that says each time that it has not touched it: one that is being
/// restarted may say so on a connection or two.
const UNTOUCHED_MAX: u32 = 3;

/// A request to a service.
pub(crate) struct Outgoing<'a, B> {
    /// Without hop-by-hop fields.
    pub(crate) head: &'a RequestHead,
    /// The client's authority, for `host-header = "preserve"`. Empty when it sent none.
    pub(crate) host: HeaderValue,
    pub(crate) body: B,
    pub(crate) client_ip: IpAddr,
    /// The ends of the client's connection, for a PROXY header.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    /// The protocol to change to: `Upgrade` in HTTP/1.1, `:protocol` in HTTP/2.
    pub(crate) upgrade: Option<HeaderValue>,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expect_continue: bool,
    /// The request may be sent twice without harm.
    pub(crate) idempotent: bool,
    /// The client takes trailers.
    pub(crate) trailers: bool,
    /// Whom interim responses are for.
    pub(crate) interim: Interim,
}

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its framing is checked; hop-by-hop fields are as they came.
    pub(crate) head: Head,
    pub(crate) body: UpstreamBody,
    /// After a `101`, which is also what an HTTP/2 server's agreement to an upgrade looks like here.
    pub(crate) upgrade: Option<Box<UpstreamTunnel>>,
    pub(crate) server: ServerLabel,
    /// Servers that were asked before this one.
    pub(crate) retries: u32,
    /// Keeps the client with the server.
    pub(crate) set_cookie: Option<HeaderValue>,
}

/// Nobody answered.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: ProxyError,
    /// The last server that was asked, if any was.
    pub(crate) server: Option<ServerLabel>,
    pub(crate) retries: u32,
}

/// One request's way through the servers of its service.
struct Way<'a> {
    node: &'a ServersNode,
    service: Rc<Service>,
    upstreams: &'a Upstreams,
    env: &'a WorkerEnv,
    client_ip: IpAddr,
    sticky: Option<Box<str>>,
    tried: Tried,
    /// 0 where nobody looks at it.
    now: u64,
}

impl Upstreams {
    /// Picks a server, sends, and tries others as the service's `retries` say. The head of the answer is there when it
    /// returns. Dropped before, it gives the request up.
    ///
    pub(crate) fn send<'a, B>(
        &'a self,
        node: &'a ServersNode,
        label: &Arc<str>,
        outgoing: Outgoing<'a, B>,
        env: &'a WorkerEnv,
    ) -> impl Future<Output = Result<Answer, Unanswered>> + use<'a, B>
    where
        B: Body<Data = Chunk, Error = ProxyError> + Unpin + 'static,
    {
        let watched = node.spec.outlier.is_some() || node.spec.retries.is_some();
        let now = if watched { env.now() } else { 0 };
        if node.spec.retries.is_some() {
            node.balance.retries.request(now);
        }
        let mut way = Way {
            node,
            service: self.service(node, label),
            upstreams: self,
            env,
            client_ip: outgoing.client_ip,
            sticky: sticky_value(node, &outgoing.head.headers),
            tried: Tried::new(),
            now,
        };
        let mut job = job(node, outgoing);
        async move { way.go(&mut job).await }
    }
}

fn sticky_value(node: &ServersNode, headers: &FieldList) -> Option<Box<str>> {
    let sticky = node.spec.sticky.as_ref()?;
    balance::cookie_value(headers.named(COOKIE.as_str()), &sticky.name).map(Into::into)
}

fn job<'a, B>(node: &ServersNode, outgoing: Outgoing<'a, B>) -> Job<'a>
where
    B: Body<Data = Chunk, Error = ProxyError> + Unpin + 'static,
{
    let timeouts = &node.transport.timeouts;
    Job {
        head: outgoing.head,
        host: outgoing.host,
        slot: BodySlot::new(outgoing.body),
        upgrade: outgoing.upgrade,
        ends: ClientEnds(outgoing.peer.zip(outgoing.local)),
        expect: outgoing.expect_continue,
        te_trailers: outgoing.trailers,
        interim: outgoing.interim,
        idempotent: outgoing.idempotent,
        head_limit: timeouts.response_header,
        body_idle: timeouts.body_idle,
    }
}

impl Way<'_> {
    async fn go(&mut self, job: &mut Job<'_>) -> Result<Answer, Unanswered> {
        let mut last: Option<Rc<Server>> = None;
        let mut retries = 0;
        let Some(mut index) = self.choose() else {
            return Err(Unanswered {
                error: ProxyError::new(ErrorKind::NoServer).unsent(),
                server: None,
                retries,
            });
        };
        loop {
            let server = match self.service.servers.get(index) {
                Some(server) => Rc::clone(server),
                None => return Err(self.unanswered(ProxyError::new(ErrorKind::Internal), last, retries)),
            };
            let result = self.ask(job, index, &server).await;
            self.note(index, &result);
            self.tried.push(index);
            last = Some(Rc::clone(&server));
            match self.next(job, &result, retries) {
                Some(next) => {
                    index = next;
                    retries += 1;
                }
                None => {
                    return match result {
                        Ok(said) => Ok(self.answer(index, server, said, retries)),
                        Err(failed) => Err(self.unanswered(failed.error, last, retries)),
                    };
                }
            }
        }
    }

    fn choose(&self) -> Option<usize> {
        let wish = Wish {
            client_ip: self.client_ip,
            sticky: self.sticky.as_deref(),
            tried: &self.tried,
            now: self.now,
        };
        balance::choose(self.node, &self.service.wheel, &self.upstreams.random, &wish)
    }

    /// Asks one server. A kept connection that the server had closed meanwhile is no failure, nor is a request that a server
    /// of HTTP/2 says it has not touched: another connection is tried.
    async fn ask(&self, job: &mut Job<'_>, index: usize, server: &Rc<Server>) -> Result<Said, Failed> {
        let names = &self.upstreams.names;
        let result = attempt(job, server, names, self.load(index), false).await;
        match result {
            Err(failed) if may_go_again(job, &failed) => Box::pin(self.ask_again(job, index, server)).await,
            result => result,
        }
    }

    async fn ask_again(&self, job: &mut Job<'_>, index: usize, server: &Rc<Server>) -> Result<Said, Failed> {
        let mut times = 1;
        loop {
            let result = attempt(job, server, &self.upstreams.names, self.load(index), true).await;
            match result {
                Err(failed) if failed.untouched && job.is_whole() && times < UNTOUCHED_MAX => times += 1,
                result => return result,
            }
        }
    }

    fn load(&self, index: usize) -> Option<InFlight> {
        let counts = matches!(self.node.spec.balance, Balance::LeastConn | Balance::P2c);
        let node = self.node.servers.get(index).filter(|_| counts)?;
        Some(InFlight::new(&node.state))
    }

    fn note(&mut self, index: usize, result: &Result<Said, Failed>) {
        if self.node.spec.outlier.is_none() {
            return;
        }
        let failed = match result {
            Ok(said) => matches!(said.head.status.as_u16(), 502..=504),
            Err(failed) => failed.error.side == Side::Upstream && !is_own_shortage(failed.error.kind),
        };
        if failed {
            // The request may have taken long.
            self.now = self.env.now();
            balance::failed(self.node, &self.service.label, index, self.now);
        }
    }

    /// The server to ask next, if the service's retries say that one is to be asked.
    fn next(&self, job: &Job<'_>, result: &Result<Said, Failed>, retries: u32) -> Option<usize> {
        let rules = self.node.spec.retries.as_ref()?;
        let harmless = match result {
            Ok(said) => job.idempotent && said.tunnel.is_none(),
            Err(failed) => job.idempotent || failed.error.unsent,
        };
        let wanted = rules.on.iter().any(|on| matches_rule(*on, result));
        if retries >= rules.attempts || !wanted || !harmless || !job.is_whole() {
            return None;
        }
        let next = self.choose()?;
        self.node.balance.retries.allow(self.env.now(), rules.budget).then_some(next)
    }

    fn answer(&self, index: usize, server: Rc<Server>, said: Said, retries: u32) -> Answer {
        let known = self.node.servers.get(index).map(|node| &*node.cookie);
        let set_cookie = if known == self.sticky.as_deref() { None } else { server.set_cookie.clone() };
        Answer {
            head: said.head,
            body: said.body,
            upgrade: said.tunnel,
            server: ServerLabel(server),
            retries,
            set_cookie,
        }
    }

    fn unanswered(&self, error: ProxyError, server: Option<Rc<Server>>, retries: u32) -> Unanswered {
        Unanswered { error, server: server.map(ServerLabel), retries }
    }
}

/// Whether the same server can be sent the request once more without harm, and without being told to by the service.
fn may_go_again(job: &Job<'_>, failed: &Failed) -> bool {
    let harmless = failed.error.unsent || job.idempotent;
    job.is_whole() && (failed.untouched || (failed.stale && harmless))
}

/// Failures of this machine or of its own bounds, which say nothing about the server.
fn is_own_shortage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionLimit | ErrorKind::Overloaded | ErrorKind::NoServer)
}

fn matches_rule(on: RetryOn, result: &Result<Said, Failed>) -> bool {
    match (on, result) {
        (RetryOn::Status(status), Ok(said)) => {
            said.head.status == StatusCode::from_u16(status).unwrap_or_default()
        }
        (RetryOn::Connect, Err(failed)) => failed.error.unsent,
        (RetryOn::Reset, Err(failed)) => {
            !failed.error.unsent && failed.error.kind == ErrorKind::ConnectionTerminated
        }
        (RetryOn::Timeout, Err(failed)) => failed.error.kind == ErrorKind::ResponseTimeout,
        _ => false,
    }
}
