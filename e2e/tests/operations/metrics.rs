//! Metrics by the names and labels that Traefik's dashboards and alerts ask for, and what they count.

use std::collections::BTreeSet;

use pn_testkit::{
    Load, Metrics, Origin, PATIENCE, Proxy, RawClient, Session, h2load, python_server, request, wait_until,
};
use proxy_now_e2e::{Front, LISTENERS};

use crate::WEB;

type Labels<'a> = &'a [(&'a str, &'a str)];

#[track_caller]
fn check(metrics: &Metrics, rows: &[(&str, Labels<'_>, f64)]) {
    for (name, labels, expected) in rows {
        let found = metrics.sum(name, labels);
        assert!((found - expected).abs() < 1e-9, "{name} {labels:?} is {found}, not {expected}");
    }
}

#[test]
fn requests_are_counted_where_and_how_traefik_counts_them() {
    let (front, origin) = (Front::new(), Origin::http1());
    let config = two_services(&origin);
    let proxy = front.setup(&["app.test"]).start(&config);
    let (plain, secure) = eleven_requests(&front, &proxy);
    let get200: Labels<'_> =
        &[("entrypoint", "web"), ("code", "200"), ("method", "GET"), ("protocol", "http")];
    wait_until("the last request to be counted", || {
        let metrics = proxy.metrics();
        metrics.sum("traefik_entrypoint_requests_total", &[("entrypoint", "web")]) > 8.5
            && metrics.sum("traefik_entrypoint_requests_total", &[("entrypoint", "secure")]) > 1.5
    });
    let metrics = proxy.metrics();
    let (entry, service, router) = (
        "traefik_entrypoint_requests_total",
        "traefik_service_requests_total",
        "traefik_router_requests_total",
    );
    check(
        &metrics,
        &[
            (entry, get200, 3.0),
            (entry, &[("code", "404"), ("entrypoint", "web")], 2.0),
            (entry, &[("code", "502"), ("entrypoint", "web")], 1.0),
            (entry, &[("method", "POST")], 1.0),
            (entry, &[("method", "EXTENSION_METHOD")], 1.0),
            (entry, &[("method", "BREW")], 0.0),
            (entry, &[("protocol", "sse")], 1.0),
            (entry, &[("entrypoint", "secure"), ("code", "200")], 2.0),
            (entry, &[], 11.0),
            // Nobody's host has no service.
            (service, &[("service", "app")], 9.0),
            (service, &[("service", "gone"), ("code", "502")], 1.0),
            (service, &[], 10.0),
            (router, &[], 10.0),
            ("traefik_entrypoint_requests_bytes_total", &[("method", "POST")], 500.0),
            ("traefik_entrypoint_responses_bytes_total", get200, 3000.0),
            (
                "traefik_service_responses_bytes_total",
                &[("service", "app"), ("code", "200"), ("method", "GET"), ("protocol", "http")],
                3000.0 + secure_bytes(),
            ),
            ("traefik_entrypoint_request_duration_seconds_count", get200, 3.0),
            ("traefik_entrypoint_request_duration_seconds_count", &[], 11.0),
            ("traefik_entrypoint_request_duration_seconds_bucket", &[("le", "+Inf")], 11.0),
            (
                "traefik_entrypoint_requests_tls_total",
                &[("tls_version", "1.3"), ("entrypoint", "secure")],
                2.0,
            ),
            ("traefik_entrypoint_requests_tls_total", &[], 2.0),
            ("traefik_service_retries_total", &[("service", "gone")], 1.0),
            ("traefik_service_server_up", &[("service", "app")], 1.0),
            ("traefik_open_connections", &[("entrypoint", "web"), ("protocol", "TCP")], 1.0),
            ("traefik_open_connections", &[("entrypoint", "secure")], 1.0),
            ("traefik_config_reloads_total", &[], 1.0),
            ("config_last_reload_success", &[], 1.0),
            ("config_reloads_total", &[("result", "accepted")], 1.0),
        ],
    );
    for name in
        ["traefik_config_last_reload_success", "traefik_tls_certs_not_after", "process_start_time_seconds"]
    {
        assert!(metrics.sum(name, &[]) > 1.7e9, "{name} is a time");
    }
    drop((plain, secure));
    wait_until("the connections to be gone", || proxy.metrics().sum("traefik_open_connections", &[]) < 0.5);
    origin.fail_with(Some(500));
    wait_until("the server to be down", || {
        proxy.metrics().sum("traefik_service_server_up", &[("service", "app")]) < 0.5
    });
}

/// One that is watched, and one whose servers are not there.
fn two_services(origin: &Origin) -> String {
    format!(
        "{LISTENERS}[metrics]\nroute-labels = true\n[sites.\"app.test\"]\nto = \"app\"\n\
         routes.\"/gone\" = {{ to = \"gone\" }}\n\
         [services.app]\nservers = [\"http://{}\"]\nhealth-check = {{ path = \"/status/200\", interval = \"100ms\", timeout = \"90ms\" }}\n\
         [services.gone]\nservers = [\"http://127.0.0.1:<port:a>\", \"http://127.0.0.1:<port:b>\"]\nretries = {{ attempts = 1 }}\n",
        origin.addr()
    )
}

/// Nine over plain HTTP/1.1, two over TLS.
fn eleven_requests(front: &Front, proxy: &Proxy) -> (Session, Session) {
    let mut plain = Session::http1(proxy.addr("web"));
    for _ in 0..3 {
        assert_eq!(plain.get("app.test", "/bytes/1000").status, 200);
    }
    let post = request("POST", "app.test", "/a").map(|_| bytes::Bytes::from(vec![b'x'; 500]));
    plain.send(post);
    plain.get("app.test", "/status/404");
    plain.get("app.test", "/gone");
    plain.get("nobody.test", "/");
    plain.send(request("BREW", "app.test", "/status/200"));
    assert_eq!(plain.get("app.test", "/sse/2").status, 200);
    let mut secure = Session::tls(proxy.addr("secure"), "app.test", &front.tls(&["h2"]));
    for _ in 0..2 {
        secure.get("app.test", "/status/200");
    }
    (plain, secure)
}

/// `as asked` of two answers over TLS.
fn secure_bytes() -> f64 {
    2.0 * 9.0
}

#[test]
fn a_websocket_is_counted_by_its_protocol_and_open_while_it_is() {
    let (_server, address) = python_server("ws_server.py", &[]);
    let config = format!("{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nto = \"http://{address}\"\n");
    let proxy = Proxy::start(&config);
    let ask = "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut tunnels = [RawClient::connect(proxy.addr("web")), RawClient::connect(proxy.addr("web"))];
    for tunnel in &mut tunnels {
        assert_eq!(tunnel.send(ask).response().status, 101);
    }
    check(&proxy.metrics(), &[("traefik_open_connections", &[("entrypoint", "web")], 2.0)]);
    drop(tunnels);
    wait_until("both to be counted", || {
        proxy
            .metrics()
            .sum("traefik_entrypoint_requests_total", &[("protocol", "websocket"), ("code", "101")])
            > 1.5
    });
    wait_until("them to be gone", || proxy.metrics().sum("traefik_open_connections", &[]) < 0.5);
}

#[test]
fn no_request_is_lost_or_counted_twice_under_load_and_over_reloads() {
    let config = |mark: u32| {
        format!(
            "{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nrespond = {{ body = \"{mark}\" }}\n[runtime]\nworkers = 2\n"
        )
    };
    let mut proxy = Proxy::start(&config(0));
    let url = format!("http://{}/", proxy.addr("web"));
    let load = h2load(&["-n4000", "-c8", "-m4", "-H", ":authority: app.test", &url]);
    for round in 1..=5 {
        proxy.reload_accepted(&config(round));
    }
    let load = Load::of_h2load(load, PATIENCE);
    load.expect_clean();
    let done = f64::from(u32::try_from(load.done).expect("few"));
    wait_until("the last request", || proxy.metrics().sum("traefik_entrypoint_requests_total", &[]) >= done);
    check(
        &proxy.metrics(),
        &[
            ("traefik_entrypoint_requests_total", &[("code", "200"), ("entrypoint", "web")], 4000.0),
            ("traefik_entrypoint_request_duration_seconds_count", &[], 4000.0),
            ("config_generation", &[], 6.0),
        ],
    );
}

#[test]
fn every_sample_has_a_type_and_every_histogram_adds_up() {
    let proxy = Proxy::start(&format!("{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nrespond = {{}}\n"));
    proxy.get("web", "app.test", "/");
    let reply = proxy.ask_admin("GET", "/metrics");
    assert!(reply.header("content-type").starts_with("text/plain"), "{:?}", reply.headers);
    let text = reply.text();
    let kinds: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let named: BTreeSet<&str> = kinds.iter().map(|(name, _)| *name).collect();
    assert_eq!(named.len(), kinds.len(), "a family comes once");
    let metrics = Metrics::parse(&text);
    for name in metrics.names() {
        let suffixes = ["_bucket", "_sum", "_count"];
        let base =
            suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).filter(|base| named.contains(base));
        assert!(named.contains(base.unwrap_or(name)), "{name} has no type");
    }
    for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "histogram") {
        let (all, count) = (
            metrics.sum(&format!("{name}_bucket"), &[("le", "+Inf")]),
            metrics.sum(&format!("{name}_count"), &[]),
        );
        assert!((all - count).abs() < 1e-9, "{name}: {all} and {count}");
    }
}
