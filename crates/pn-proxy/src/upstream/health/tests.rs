//! Checks against origins that come and go.

use super::{HealthChecks, servers_up};
use crate::upstream::ClientConfigs;
use crate::upstream::tests::{graph, model, server};
use pn_core::{GraphPublisher, Prepared, StateRegistry};
use pn_model::service::{HealthCheck, Probe, Server, StatusRanges};
use pn_testkit::{Origin, RawOrigin, wait_until};
use std::sync::Arc;
use std::time::Duration;

fn every(probe: Probe) -> HealthCheck {
    HealthCheck {
        probe,
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(500),
        passes: 2,
        fails: 2,
        port: None,
    }
}

fn http(path: &str) -> Probe {
    Probe::Http {
        path: path.into(),
        method: "GET".into(),
        host: Some("health.example".into()),
        headers: vec![("X-Check".into(), "1".into())],
        status: StatusRanges(vec![(200, 399)]),
    }
}

struct Running {
    publisher: GraphPublisher,
    state: StateRegistry,
    _checks: HealthChecks,
}

impl Running {
    fn start() -> Self {
        let (publisher, source) = GraphPublisher::new();
        let checks = HealthChecks::start(source, |_| ClientConfigs::default()).unwrap();
        Self { publisher, state: StateRegistry::default(), _checks: checks }
    }

    fn publish(&mut self, servers: Vec<Server>, check: HealthCheck) {
        let model = model(servers, |spec| spec.health_check = Some(check));
        self.publisher.commit(graph(&model, &self.state), Prepared::new(Arc::new(())));
    }

    fn up(&self) -> Vec<bool> {
        let current = self.publisher.current();
        servers_up(current.graph()).map(|(_, _, up)| up).collect()
    }

    #[track_caller]
    fn wait_for(&self, expected: &[bool]) {
        wait_until(&format!("servers up: {expected:?}"), || self.up() == expected);
    }
}

#[test]
fn a_server_goes_out_and_comes_back_with_its_answers() {
    let (fine, failing) = (Origin::http1(), Origin::http1());
    let servers = || [&fine, &failing].map(|origin| server(format!("http://{}", origin.addr()))).to_vec();
    let mut running = Running::start();
    running.publish(servers(), every(http("/health")));
    wait_until("a first check", || !failing.requests().is_empty());
    let asked = failing.last();
    assert_eq!((asked.target.as_str(), asked.header("host")), ("/health", "health.example"));
    assert_eq!(asked.header("x-check"), "1");
    assert_eq!(running.up(), [true, true]);
    failing.fail_with(Some(500));
    running.wait_for(&[true, false]);
    // A change that leaves the check alone leaves the verdict alone.
    running.publish(servers(), every(http("/health")));
    assert_eq!(running.up(), [true, false]);
    failing.fail_with(None);
    running.wait_for(&[true, true]);
    // Without checks nobody is asked any more.
    let model = model(servers(), |_| ());
    running.publisher.commit(graph(&model, &running.state), Prepared::new(Arc::new(())));
    wait_until("the end of the checks", || running.state.alive() == 3);
}

/// Whether a server is found up by this probe. Starts from the opposite.
fn check(name: &str, url: &str, probe: Probe, expected: bool) {
    let mut running = Running::start();
    running.publish(vec![server(url)], HealthCheck { passes: 1, fails: 1, ..every(probe) });
    let current = running.publisher.current();
    let pn_core::graph::ServiceNodeKind::Servers(node) = &current.graph().services()[0].kind else {
        panic!()
    };
    node.servers[0].state.healthy.store(!expected, std::sync::atomic::Ordering::Relaxed);
    wait_until(name, || running.up() == [expected]);
}

/// An HTTP/2 server that answers gRPC's health question with this status.
fn grpc_origin(serving: u8) -> Origin {
    let answer = move |request: &http::Request<bytes::Bytes>| {
        let asked = request.uri().path() == "/grpc.health.v1.Health/Check"
            && request.body().as_ref() == b"\0\0\0\0\x05\x0a\x03app"
            && request.headers().get("te").is_some_and(|value| value == "trailers");
        let message = bytes::Bytes::from(vec![0, 0, 0, 0, 2, 8, serving]);
        let mut response = http::Response::new(message);
        let status = if asked { "0" } else { "12" };
        response.headers_mut().insert("grpc-status", http::HeaderValue::from_static(status));
        Some(response)
    };
    Origin::setup().answer(answer).h2c()
}

#[test]
fn every_kind_of_probe_tells_up_from_down() {
    let plain = Origin::http1();
    let url = format!("http://{}", plain.addr());
    let gone = format!("http://127.0.0.1:{}", pn_testkit::free_port());
    check("tcp up", &url, Probe::Tcp, true);
    check("tcp down", &gone, Probe::Tcp, false);
    check("http up", &url, http("/status/204"), true);
    check("http down", &url, http("/status/404"), false);
    check("http gone", &gone, http("/"), false);
    let quiet = RawOrigin::start(|wire| wire.stall());
    check("http quiet", &format!("http://{}", quiet.addr()), http("/"), false);
    let h2c = Origin::h2c();
    check("h2c up", &format!("h2c://{}", h2c.addr()), http("/"), true);
    let grpc = |service: &str| Probe::Grpc { service: service.into() };
    let (serving, not_serving) = (grpc_origin(1), grpc_origin(2));
    check("grpc up", &format!("h2c://{}", serving.addr()), grpc("app"), true);
    check("grpc up over http", &format!("http://{}", serving.addr()), grpc("app"), true);
    check("grpc unknown", &format!("h2c://{}", serving.addr()), grpc("other"), false);
    check("grpc down", &format!("h2c://{}", not_serving.addr()), grpc("app"), false);
    check("grpc on http/1.1", &url, grpc("app"), false);
}

#[test]
fn another_port_can_be_asked() {
    let (service, health) = (Origin::http1(), Origin::http1());
    let mut running = Running::start();
    let check = HealthCheck { port: Some(health.addr().port()), ..every(http("/health")) };
    running.publish(vec![server(format!("http://{}", service.addr()))], check);
    wait_until("a check", || health.requests().len() > 1);
    assert_eq!(service.connections(), 0);
}
