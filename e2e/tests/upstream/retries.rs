//! What is asked again at another server, and what must not be.

use std::io;

use pn_testkit::{
    Authority, DeafPort, End, Origin, Proxy, RawClient, RawOrigin, Session, Wire, free_port, request,
};

use crate::rig::{self, HOST, OK};

/// `bad` is asked first: it has nearly all of the turns.
fn bad_first(bad: &str, good: &str, retries: &str) -> Proxy {
    rig::start(&format!(
        "servers = [{{ url = {bad:?}, weight = 1000 }}, {good:?}]\nretries = {{ {retries} }}\n\
         transport = {{ timeouts = {{ connect = \"500ms\", response-header = \"200ms\" }} }}"
    ))
}

fn scripted(script: fn(&mut Wire) -> io::Result<()>) -> RawOrigin {
    RawOrigin::start(script)
}

fn answering(status: u16) -> RawOrigin {
    RawOrigin::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 3\r\n\r\nbad"))
}

/// Servers that fail in one way each.
struct Bad {
    closes: RawOrigin,
    mid_head: RawOrigin,
    resets: RawOrigin,
    busy: RawOrigin,
    silent: RawOrigin,
    untrusted: Origin,
    deaf: DeafPort,
}

impl Bad {
    fn new() -> Self {
        Self {
            closes: scripted(|wire| wire.read_request().map(drop)),
            mid_head: scripted(|wire| {
                wire.read_request()?;
                wire.send("HTTP/1.1 200 OK\r\nContent-Le")
            }),
            resets: scripted(|wire| {
                wire.read_request()?;
                wire.reset()
            }),
            busy: answering(503),
            silent: scripted(|wire| wire.stall()),
            untrusted: Origin::tls(&Authority::new().server(&["127.0.0.1"])),
            deaf: DeafPort::open(),
        }
    }

    fn url(&self, name: &str) -> String {
        match name {
            "closes" => rig::raw_url(&self.closes),
            "mid-head" => rig::raw_url(&self.mid_head),
            "resets" => rig::raw_url(&self.resets),
            "busy" => rig::raw_url(&self.busy),
            "silent" => rig::raw_url(&self.silent),
            "untrusted" => rig::url(&self.untrusted).replace("http:", "https:"),
            "deaf" => format!("http://{}", self.deaf.addr()),
            "no TLS" => rig::raw_url(&self.closes).replace("http:", "https:"),
            "no HTTP/2" => rig::raw_url(&self.closes).replace("http:", "h2c:"),
            "no name" => "http://no-such-host.invalid:80".to_owned(),
            "dead h2c" => format!("h2c://127.0.0.1:{}", free_port()),
            _ => format!("http://127.0.0.1:{}", free_port()),
        }
    }
}

#[test]
fn another_server_is_asked_only_where_that_is_harmless() {
    // How the first server fails, what is retried, the request and its body, what the client gets, and whether the
    // other server was asked.
    let rows = [
        ("dead", "connect", "GET", "", 200, true),
        ("dead", "connect", "POST", "a body", 200, true),
        ("dead", "reset", "GET", "", 502, false),
        ("dead h2c", "connect", "POST", "a body", 200, true),
        ("no name", "connect", "POST", "a body", 200, true),
        ("untrusted", "connect", "POST", "a body", 200, true),
        ("deaf", "connect", "POST", "a body", 200, true),
        ("no TLS", "connect", "POST", "a body", 200, true),
        ("no HTTP/2", "reset", "GET", "", 200, true),
        ("no HTTP/2", "reset", "POST", "a body", 502, false),
        ("closes", "reset", "GET", "", 200, true),
        ("closes", "reset", "HEAD", "", 200, true),
        ("closes", "reset", "DELETE", "", 200, true),
        ("closes", "reset", "POST", "", 502, false),
        ("closes", "reset", "POST", "a body", 502, false),
        ("closes", "reset", "PATCH", "a body", 502, false),
        ("closes", "reset", "PUT", "a body", 502, false),
        ("closes", "connect", "GET", "", 502, false),
        ("mid-head", "reset", "GET", "", 200, true),
        ("mid-head", "reset", "POST", "a body", 502, false),
        ("resets", "reset", "GET", "", 200, true),
        ("resets", "reset", "POST", "a body", 502, false),
        ("busy", "503", "GET", "", 200, true),
        ("busy", "503", "POST", "", 503, false),
        ("busy", "502", "GET", "", 503, false),
        ("silent", "timeout", "GET", "", 200, true),
        ("silent", "timeout", "POST", "a body", 504, false),
        ("silent", "reset", "GET", "", 504, false),
    ];
    let bad = Bad::new();
    for (first, on, method, body, status, asked) in rows {
        let row = format!("{first}, on {on}: {method} {body}");
        let good = Origin::http1();
        let on = if on.starts_with('5') { on.to_owned() } else { format!("{on:?}") };
        let proxy = bad_first(&bad.url(first), &rig::url(&good), &format!("on = [{on}]"));
        let reply = Session::http1(proxy.addr("web")).send(request(method, HOST, "/").map(|_| body.into()));
        assert_eq!(reply.status, status, "{row}: {reply:?}");
        assert_eq!(good.requests().len(), usize::from(asked), "{row}");
        if asked {
            assert_eq!(good.last().body, body, "{row}");
        }
        let retries = proxy.metrics().sum("traefik_service_retries_total", &[("service", "app")]);
        assert_eq!(retries > 0.5, asked, "{row}");
    }
}

#[test]
fn a_response_that_has_begun_is_not_asked_for_again() {
    for begun in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    ] {
        let bad = RawOrigin::start(move |wire| {
            wire.read_request()?;
            wire.send(begun)
        });
        let good = Origin::http1();
        let proxy = bad_first(
            &rig::raw_url(&bad),
            &rig::url(&good),
            "on = [\"connect\", \"reset\", \"timeout\", 502]",
        );
        let mut client = RawClient::connect(proxy.addr("web"));
        let (end, came) = client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).end();
        let came = String::from_utf8_lossy(&came);
        // What came is the first server's, and shows that it is not whole.
        assert!(
            came.starts_with("HTTP/1.1 200 ") && came.contains("part") && !came.contains("\r\n0\r\n"),
            "{came}"
        );
        assert_ne!(end, End::Open);
        assert_eq!((bad.connections(), good.requests().len()), (1, 0));
    }
}

#[test]
fn a_kept_connection_that_the_server_has_closed_is_replaced_without_any_retries() {
    let origin = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send(OK)?;
        // The second request of a connection is taken and gets no answer.
        if wire.number() == 0 { wire.read_head().map(drop) } else { wire.stall() }
    });
    let proxy = rig::start(&format!("servers = [{:?}]", rig::raw_url(&origin)));
    assert_eq!([0, 1].map(|_| rig::get(&proxy, "/").status), [200, 200]);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn attempts_are_bounded_by_number_by_servers_and_by_budget() {
    for (count, attempts, expected) in [(4, 2, 3), (2, 5, 2), (1, 5, 1), (4, 3, 4)] {
        let busy: Vec<RawOrigin> = (0..count).map(|_| answering(503)).collect();
        let urls: Vec<String> = busy.iter().map(rig::raw_url).collect();
        let proxy =
            rig::start(&format!("servers = {urls:?}\nretries = {{ attempts = {attempts}, on = [503] }}"));
        assert_eq!(rig::get(&proxy, "/").status, 503);
        let asked: usize = busy.iter().map(|origin| origin.all_received().matches("GET / ").count()).sum();
        assert_eq!(asked, expected, "{count} servers, {attempts} further attempts");
    }

    // One a second over ten seconds is always allowed; more are a share of the requests.
    let good = Origin::http1();
    let proxy = bad_first(&format!("http://127.0.0.1:{}", free_port()), &rig::url(&good), "budget = 0.0");
    let statuses: Vec<u16> = (0..40).map(|_| rig::get(&proxy, "/").status).collect();
    assert_eq!(statuses[..10], [200; 10], "{statuses:?}");
    assert!(statuses.contains(&502), "the budget bounds nothing: {statuses:?}");
}
