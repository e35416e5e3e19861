//! What a request costs in allocations, from the client's socket to the server's and back: none, once a worker is warm.

use super::world::listener;
use crate::conn::{self, Accepted, Ends};
use crate::cx::WorkerCx;
use crate::listener::Gate;
use crate::metrics::{Shard, Shards};
use crate::upstream::Upstreams;
use crate::worker::WorkerEnv;
use allocation_counter::measure;
use pn_core::plane::Prepared;
use pn_core::{Factories, GraphPublisher, StateRegistry, compile};
use pn_io::reactor::Socket;
use pn_model::service::{Balance, HostHeader, Server, Servers, UpstreamAddress, UpstreamScheme};
use pn_model::site::{CertificateSource, HttpsMode, Route, RouteMatch, Site};
use pn_model::{HostPattern, Model, NodePath, Service, ServiceKind};
use pn_testkit::RawOrigin;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// As browsers send them, with names that no standard knows.
const REQUEST: &[u8] = b"GET /static/app.js?v=3 HTTP/1.1\r\nHost: app.test:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux \
    x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: \
    gzip, deflate, br, zstd\r\nReferer: http://app.test:8080/\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef; \
    theme=dark\r\nSec-Fetch-Mode: no-cors\r\nX-Requested-With: XMLHttpRequest\r\nX-Trace: 0af7651916cd43dd\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/javascript\r\nX-Served-By: one\r\nETag: \"a\"\r\n\
    Content-Length: 12\r\n\r\nconsole.log;";
const WARM: usize = 300;
const COUNTED: usize = 2_000;
/// What timers and the test itself may want meanwhile, whatever the number of requests.
const ODD: u64 = 10;

fn model(origin: &RawOrigin) -> Model {
    let web = listener("web");
    let spec = Server {
        url: format!("http://{}", origin.addr()),
        scheme: UpstreamScheme::Http,
        address: UpstreamAddress::Socket(origin.addr()),
        weight: 1,
    };
    let servers = Servers {
        servers: vec![spec],
        balance: Balance::RoundRobin,
        sticky: None,
        health_check: None,
        outlier: None,
        retries: None,
        host_header: HostHeader::Preserve,
        transport: None,
    };
    let path = NodePath::of(["sites", "app.test"]);
    let kind = ServiceKind::Servers(servers);
    let app = Service { name: "app".into(), kind, middlewares: Vec::new(), path: path.clone() };
    let route = Route {
        name: "app.test/*".into(),
        matcher: RouteMatch::Native {
            path: pn_model::path::PathPattern::any(),
            conditions: pn_model::rule::Conditions::default(),
        },
        priority: 0,
        middlewares: Vec::new(),
        to: "app".into(),
        fall_through: false,
        path: path.clone(),
    };
    let site = Site {
        name: "app.test".into(),
        hosts: vec![HostPattern::Exact("app.test".into())],
        listeners: vec![web.name.clone()],
        https: HttpsMode::Off,
        certificate: CertificateSource::None,
        san_group: String::new(),
        tls_policy: None,
        routes: vec![route],
        implied: false,
        path,
    };
    let web = pn_model::Listener { middlewares: Vec::new(), ..web };
    Model {
        listeners: [(web.name.clone(), web)].into(),
        sites: [(site.name.clone(), site)].into(),
        services: [(app.name.clone(), app)].into(),
        ..Model::default()
    }
}

/// A worker's context for a graph that nobody has prepared.
fn worker(model: &Model) -> Rc<WorkerCx> {
    let compiled = compile(model, &Factories::default(), &StateRegistry::default()).unwrap();
    let (mut publisher, source) = GraphPublisher::new();
    publisher.commit(compiled.graph, Prepared::new(Arc::new(())));
    let current = source.reader().current().clone();
    let meter = Shard::new(Arc::<Shards>::default());
    let (upstreams, env) = (Upstreams::default(), WorkerEnv::for_tests());
    let worker = WorkerCx::new(0, current.clone(), upstreams, meter, env, Arc::default());
    worker.set_current(current);
    Rc::new(worker)
}

/// Asks so often, and says when it is warm and when it is done.
fn ask(mut client: TcpStream, told: &mpsc::UnboundedSender<()>) {
    let mut answer = vec![0; 4 << 10];
    for number in 0..WARM + COUNTED {
        if number == WARM {
            told.send(()).unwrap();
        }
        client.write_all(REQUEST).unwrap();
        let mut have = 0;
        while !answer[..have].ends_with(b"console.log;") {
            have += client.read(&mut answer[have..]).unwrap();
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    told.send(()).unwrap();
}

#[test]
fn a_request_allocates_nothing_once_its_worker_is_warm() {
    let origin = RawOrigin::start(|wire| {
        loop {
            wire.read_request()?;
            wire.send(RESPONSE)?;
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = LocalSet::new();
    let worker = local.block_on(&runtime, async { worker(&model(&origin)) });
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let (stream, peer) = door.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let (told, mut heard) = mpsc::unbounded_channel();
    let asking = std::thread::spawn(move || ask(client, &told));
    local.block_on(&runtime, async {
        let listener = Arc::clone(&worker.current().graph().listeners()[0]);
        let name = listener.spec.name.clone();
        let tie = worker.ties.tie(name, Arc::new(Gate::default()).force(), worker.meter.connected("web"));
        let ends = Ends { peer: Some(peer), local: stream.local_addr().ok() };
        let accepted = Accepted { stream: Socket::try_from(stream).unwrap(), ends, tie };
        tokio::task::spawn_local(conn::run(Rc::clone(&worker), listener, accepted));
        heard.recv().await.unwrap();
    });
    let counted = measure(|| {
        local.block_on(&runtime, async { heard.recv().await.unwrap() });
    });
    asking.join().unwrap();
    assert!(counted.count_total < ODD, "in {COUNTED} requests: {counted:?}");
}
