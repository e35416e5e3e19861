//! Bodies that go from socket to socket unread: whole, counted as any others, and never whole when they are not.

use super::world::{World, listener};
use crate::wire::{PASSED, WORTH_PASSING};
use pn_io::PoolConfig;
use pn_model::path::PathPattern;
use pn_model::rule::Conditions;
use pn_model::service::{Balance, HostHeader, Server, Servers, UpstreamAddress, UpstreamScheme};
use pn_model::site::{CertificateSource, HttpsMode, Route, RouteMatch, Site};
use pn_model::{
    HostPattern, Listener, ListenerName, NodePath, RouteName, Service, ServiceKind, ServiceName, SiteName,
};
use pn_testkit::{End, RawClient, RawOrigin};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";
pub(super) const BODY: usize = 6 << 20;
const IDLE: Duration = Duration::from_millis(300);

fn world(origin: SocketAddr, body_idle: Duration) -> World {
    world_with([origin], |web, _| web.timeouts.body_idle = body_idle)
}

/// These servers behind one listener.
pub(super) fn world_with(
    origins: impl IntoIterator<Item = SocketAddr>,
    change: impl FnOnce(&mut Listener, &mut Servers),
) -> World {
    let mut world = World::start(1);
    let servers = origins.into_iter().map(server).collect();
    let mut servers = Servers {
        servers,
        balance: Balance::RoundRobin,
        sticky: None,
        health_check: None,
        outlier: None,
        retries: None,
        host_header: HostHeader::Preserve,
        transport: None,
    };
    let mut web = listener("web");
    change(&mut web, &mut servers);
    world.services = vec![Service {
        name: ServiceName::new("app"),
        kind: ServiceKind::Servers(servers),
        middlewares: Vec::new(),
        path: NodePath::of(["services", "app"]),
    }];
    world.publish([web], [site()]).unwrap();
    world
}

fn server(origin: SocketAddr) -> Server {
    Server {
        url: format!("http://{origin}"),
        scheme: UpstreamScheme::Http,
        address: UpstreamAddress::Socket(origin),
        weight: 1,
    }
}

fn site() -> Site {
    let matcher = RouteMatch::Native {
        path: PathPattern::SegmentPrefix(String::new()),
        conditions: Conditions::default(),
    };
    Site {
        name: SiteName::new("a.test"),
        hosts: vec![HostPattern::Exact("a.test".to_owned())],
        listeners: vec![ListenerName::new("web")],
        https: HttpsMode::Off,
        certificate: CertificateSource::None,
        san_group: String::new(),
        tls_policy: None,
        routes: vec![Route {
            name: RouteName::new("a.test"),
            matcher,
            priority: 0,
            middlewares: Vec::new(),
            to: ServiceName::new("app"),
            fall_through: false,
            path: NodePath::of(["sites", "a.test"]),
        }],
        implied: false,
        path: NodePath::of(["sites", "a.test"]),
    }
}

/// Each of them keeps as much waiting as it can, in pieces that the server sent at once; more of them than there are
/// buffers to read into.
#[test]
fn clients_that_take_nothing_leave_others_memory_to_read_into() {
    let origin = RawOrigin::start(|wire| {
        loop {
            if wire.read_head()?.starts_with("GET /fast ") {
                wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfast")?;
                continue;
            }
            wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let chunk = format!("1388\r\n{}\r\n", "x".repeat(5_000));
            loop {
                wire.send(chunk.repeat(50))?;
            }
        }
    });
    let world = world(origin.addr(), Duration::from_secs(60));
    let slow: Vec<_> = (0..2 * PoolConfig::default().large_slabs)
        .map(|_| {
            let mut client = RawClient::connect(world.address("web"));
            client.small_window().send(GET);
            client.read_until("\r\n\r\n");
            client
        })
        .collect();
    let fast = world.connect("web").send(GET.replace("GET /", "GET /fast")).response();
    assert_eq!((fast.status, fast.text().as_str()), (200, "fast"));
    assert_eq!(origin.open_connections(), slow.len() + 1);
}

pub(super) fn body() -> Vec<u8> {
    (0..BODY).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

/// Answers each request of a connection with a head and so many bytes of a body that is said to be whole, then does
/// what `then` says.
fn origin(
    sent: usize,
    then: impl Fn(&mut pn_testkit::Wire) -> io::Result<()> + Send + Sync + 'static,
) -> RawOrigin {
    RawOrigin::start(move |wire| {
        loop {
            wire.read_head()?;
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"))?;
            wire.send(&body()[..sent])?;
            then(wire)?;
        }
    })
}

#[test]
fn a_large_body_passes_unread_and_its_connections_go_on() {
    let origin = origin(BODY, |_| Ok(()));
    let world = world(origin.addr(), IDLE);
    let mut client = world.connect("web");
    for round in 1..=3 {
        let response = client.send(GET).response();
        assert!((response.status, &response.body) == (200, &body()), "round {round}");
    }
    assert_eq!(origin.connections(), 1, "given back each time");
    assert!(
        PASSED.load(Relaxed) > 3 * (BODY as u64 - 4 * WORTH_PASSING),
        "{} of it passed",
        PASSED.load(Relaxed)
    );
    drop(client);
    let counted = format!("{}", 3 * BODY);
    pn_testkit::wait_until("the bytes to be counted", || world.metrics().contains(&counted));
}

/// To a client of HTTP/1.0, whose response ends with the connection as well.
#[test]
fn a_body_that_ends_with_its_connection_passes_unread() {
    let origin = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.send("HTTP/1.1 200 OK\r\n\r\n")?;
        wire.send(body())
    });
    let world = world(origin.addr(), Duration::from_secs(10));
    let mut client = world.connect("web");
    let (end, bytes) = client.send("GET / HTTP/1.0\r\nhost: a.test\r\n\r\n").end();
    assert!(end == End::Closed && bytes.ends_with(&body()), "{end:?}, {} bytes", bytes.len());
    assert!(PASSED.load(Relaxed) > BODY as u64 / 2, "{} of it passed", PASSED.load(Relaxed));
    // What HTTP/1.1 must frame is framed.
    let response = world.connect("web").send(GET).response();
    assert!(response.header("transfer-encoding") == "chunked" && response.body == body());
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    for (sent, reset) in [(BODY / 2, false), (BODY / 2, true), (BODY - 1, false)] {
        let origin = origin(sent, move |wire| {
            if reset {
                wire.reset()
            } else {
                wire.close_write().and_then(|()| Err(io::ErrorKind::BrokenPipe.into()))
            }
        });
        let (end, bytes) = world(origin.addr(), IDLE).connect("web").send(GET).end();
        assert_ne!(end, End::Open);
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        assert!(bytes.len() - head <= sent, "{} bytes of {sent}, reset: {reset}", bytes.len() - head);
    }
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let origin = origin(BODY, |_| Ok(()));
    let world = world(origin.addr(), IDLE);
    let mut client = RawClient::connect(world.address("web"));
    client.small_window().send(GET);
    // As much as the kernel has room for, and then nothing: the server's connection ends with the client's.
    pn_testkit::wait_until("both connections to end", || {
        origin.connections() == 1 && origin.open_connections() == 0
    });
}
