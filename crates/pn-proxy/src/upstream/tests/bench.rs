//! What the tests stand on: a service over the addresses of a test, and a worker that asks it.

use crate::upstream::send::Answer;
use crate::upstream::service::Service;
use crate::upstream::{Outgoing, Unanswered, Upstreams};
use crate::worker::WorkerEnv;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use pn_core::context::RequestHead;
use pn_core::graph::{ServerNode, ServersNode};
use pn_core::state::{BalanceState, ServerState};
use pn_core::{ErrorKind, ProxyError};
use pn_io::Chunk;
use pn_model::Transport;
use pn_model::service::{Balance, HostHeader, Server, Servers, UpstreamAddress, UpstreamScheme};
use pn_tls::UpstreamTls;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;

/// Runs a test as a worker runs its requests.
pub(super) fn on_worker<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let patient = async { tokio::time::timeout(pn_testkit::PATIENCE, test).await.expect("the test hangs") };
    LocalSet::new().block_on(&runtime, patient)
}

/// A service under test and the worker that asks it.
pub(super) struct Bench {
    pub(super) upstreams: Upstreams,
    pub(super) node: ServersNode,
    env: WorkerEnv,
    label: Arc<str>,
}

/// `http://127.0.0.1:1234` and the like.
pub(in crate::upstream) fn server(url: impl Display) -> Server {
    let url = url.to_string();
    let (scheme, rest) = url.split_once("://").unwrap();
    let scheme = match scheme {
        "http" => UpstreamScheme::Http,
        "h2c" => UpstreamScheme::H2c,
        "https" => UpstreamScheme::Https,
        other => panic!("{other}"),
    };
    let address = match (rest.parse(), rest.strip_prefix("unix:")) {
        (Ok(address), _) => UpstreamAddress::Socket(address),
        (_, Some(path)) => UpstreamAddress::Unix(path.into()),
        _ => {
            let (host, port) = rest.rsplit_once(':').unwrap();
            UpstreamAddress::Name { host: host.to_owned(), port: port.parse().unwrap() }
        }
    };
    Server { url, scheme, address, weight: 1 }
}

pub(in crate::upstream) fn node(servers: Vec<Server>) -> ServersNode {
    let mut transport = Transport::built_in();
    transport.timeouts.connect = Duration::from_secs(10);
    let one = |(index, spec): (usize, &Server)| ServerNode {
        label: spec.url.as_str().into(),
        state: Arc::new(ServerState::default()),
        cookie: format!("s{index}").into(),
        spec: spec.clone(),
    };
    let nodes = servers.iter().enumerate().map(one).collect();
    let spec = Servers {
        servers,
        balance: Balance::RoundRobin,
        sticky: None,
        health_check: None,
        outlier: None,
        retries: None,
        host_header: HostHeader::Preserve,
        transport: None,
    };
    ServersNode {
        spec,
        servers: nodes,
        transport: Arc::new(transport),
        balance: Arc::new(BalanceState::default()),
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) server: String,
    pub(super) retries: u32,
    pub(super) set_cookie: Option<HeaderValue>,
}

impl Bench {
    pub(super) fn new(servers: Vec<Server>) -> Self {
        Self::with(servers, |_| ())
    }

    pub(super) fn with(servers: Vec<Server>, change: impl FnOnce(&mut ServersNode)) -> Self {
        let mut node = node(servers);
        change(&mut node);
        Self { upstreams: Upstreams::default(), node, env: WorkerEnv::for_tests(), label: "test".into() }
    }

    /// Speaks TLS as the transport says.
    pub(super) fn tls(servers: Vec<Server>, change: impl FnOnce(&mut Transport)) -> Self {
        let bench = Self::with(servers, |node| {
            let mut transport = Transport::built_in();
            change(&mut transport);
            node.transport = transport.into();
        });
        let config = UpstreamTls::default().batch().client_config(&bench.node.transport).unwrap();
        let pool = |one: &ServerNode| bench.upstreams.pool(one, &bench.node, Some(&config));
        let service = Service::new(&bench.node, &bench.label, None, pool);
        bench.upstreams.services.borrow_mut().insert(Service::key(&bench.node), service);
        bench
    }

    pub(super) async fn send<B>(&self, asked: Asked<B>) -> Result<Answer, Unanswered>
    where
        B: Body<Data = Chunk, Error = ProxyError> + Unpin + 'static,
    {
        let Asked { head, host, body, peer, local, upgrade, expect_continue, idempotent, trailers } = asked;
        let (head, client_ip) = (&head, CLIENT);
        let outgoing = Outgoing {
            head,
            host,
            body,
            client_ip,
            peer,
            local,
            upgrade,
            expect_continue,
            idempotent,
            trailers,
            interim: crate::conn::Interim::Nobody,
        };
        self.upstreams.send(&self.node, &self.label, outgoing, &self.env).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Whole, ErrorKind> {
        self.ask(get(path)).await
    }

    /// Asks and reads the whole answer.
    pub(super) async fn ask<B>(&self, asked: Asked<B>) -> Result<Whole, ErrorKind>
    where
        B: Body<Data = Chunk, Error = ProxyError> + Unpin + 'static,
    {
        let answer = self.send(asked).await.map_err(|failed| failed.error.kind)?;
        read(answer).await.map_err(|error| error.kind)
    }
}

pub(super) async fn read(answer: Answer) -> Result<Whole, ProxyError> {
    let mut body = answer.body;
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Whole {
        status: answer.head.status.as_u16(),
        body: String::from_utf8(bytes).unwrap(),
        trailers,
        server: answer.server.to_string(),
        retries: answer.retries,
        set_cookie: answer.set_cookie,
    })
}

pub(super) type NoBody = http_body_util::combinators::UnsyncBoxBody<Chunk, ProxyError>;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A request of a test.
pub(super) struct Asked<B> {
    pub(super) head: RequestHead,
    pub(super) host: HeaderValue,
    pub(super) body: B,
    pub(super) peer: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
    pub(super) upgrade: Option<HeaderValue>,
    pub(super) expect_continue: bool,
    pub(super) idempotent: bool,
    pub(super) trailers: bool,
}

impl Asked<NoBody> {
    /// As it is sent.
    pub(super) fn out(&mut self) -> Outgoing<'_, NoBody> {
        let body =
            std::mem::replace(&mut self.body, Empty::new().map_err(|never| match never {}).boxed_unsync());
        Outgoing {
            head: &self.head,
            host: self.host.clone(),
            body,
            client_ip: CLIENT,
            peer: self.peer,
            local: self.local,
            upgrade: self.upgrade.clone(),
            expect_continue: self.expect_continue,
            idempotent: self.idempotent,
            trailers: self.trailers,
            interim: crate::conn::Interim::Nobody,
        }
    }
}

pub(super) fn get(path: &str) -> Asked<NoBody> {
    request(Method::GET, path, Empty::new().map_err(|never| match never {}).boxed_unsync())
}

pub(super) fn request<B>(method: Method, target: &str, body: B) -> Asked<B> {
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    Asked {
        idempotent: method.is_idempotent(),
        head: RequestHead { method, path: path.to_owned(), query, ..RequestHead::default() },
        host: HeaderValue::from_static("app.example"),
        body,
        peer: None,
        local: None,
        upgrade: None,
        expect_continue: false,
        trailers: false,
    }
}

pub(super) fn post(path: &str, body: &'static str) -> Asked<NoBody> {
    let body = http_body_util::Full::new(Chunk::from(body.as_bytes())).map_err(|never| match never {});
    request(Method::POST, path, body.boxed_unsync())
}

pub(super) fn with_header<B>(mut asked: Asked<B>, name: &'static str, value: &str) -> Asked<B> {
    asked.head.headers.append(&HeaderName::from_static(name), &HeaderValue::from_str(value).unwrap());
    asked
}
