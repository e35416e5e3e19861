//! What is counted is what is shown, over workers and changes.

use super::shard::{Finished, Shard, Shards};
use super::{Exposition, Protocol};
use http::{Method, StatusCode};
use pn_core::RouterGraph;
use pn_core::tls::{PolicyId, TlsInfo};
use std::sync::Arc;

const TLS: TlsInfo = TlsInfo {
    version: "TLSv1.3",
    cipher_suite: "TLS_AES_128_GCM_SHA256",
    sni: None,
    policy: PolicyId(0),
    resumed: false,
    client: None,
};

fn exchange(service: Option<&'static str>) -> Finished<'static> {
    Finished {
        entrypoint: "web",
        service,
        route: Some("r"),
        method: &Method::GET,
        status: StatusCode::OK,
        protocol: Protocol::Http,
        tls: None,
        duration: 2_000_000,
        received: 10,
        sent: 100,
    }
}

fn text(shards: &Shards) -> String {
    let mut text = String::new();
    shards.sum().write(&mut Exposition::new(&mut text));
    text
}

fn check(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|own| own == *line), "no `{line}` in\n{text}");
    }
}

#[test]
fn workers_are_summed() {
    let shards = Arc::new(Shards::default());
    let workers = [Shard::new(Arc::clone(&shards)), Shard::new(Arc::clone(&shards))];
    let method = Method::from_bytes(b"BREW").unwrap();
    for worker in &workers {
        worker.reconcile(&RouterGraph::empty());
        worker.finished(&exchange(Some("app")));
        worker.finished(&exchange(None));
        worker.finished(&Finished { method: &method, tls: Some(&TLS), ..exchange(Some("app")) });
        worker.retried("app", 2);
    }
    let open = workers[0].connected("web");
    let labels = "code=\"200\",method=\"GET\",protocol=\"http\",entrypoint=\"web\"";
    let page = text(&shards);
    check(
        &page,
        &[
            "# TYPE traefik_entrypoint_requests_total counter",
            &format!("traefik_entrypoint_requests_total{{{labels}}} 4"),
            &format!("traefik_entrypoint_request_duration_seconds_bucket{{{labels},le=\"0.001\"}} 0"),
            &format!("traefik_entrypoint_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 4"),
            &format!("traefik_entrypoint_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
            &format!("traefik_entrypoint_request_duration_seconds_sum{{{labels}}} 0.008"),
            &format!("traefik_entrypoint_request_duration_seconds_count{{{labels}}} 4"),
            &format!("traefik_entrypoint_requests_bytes_total{{{labels}}} 40"),
            &format!("traefik_entrypoint_responses_bytes_total{{{labels}}} 400"),
            "traefik_service_requests_total{code=\"200\",method=\"EXTENSION_METHOD\",protocol=\"http\",service=\"app\"} 2",
            "traefik_entrypoint_requests_tls_total{tls_version=\"1.3\",tls_cipher=\"TLS_AES_128_GCM_SHA256\",entrypoint=\"web\"} 2",
            "traefik_service_retries_total{service=\"app\"} 4",
            "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 1",
        ],
    );
    assert!(!page.contains("traefik_router_"), "only when asked for");
    drop(open);
    check(&text(&shards), &["traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0"]);
}

#[test]
fn what_a_graph_has_no_more_is_forgotten() {
    let shards = Arc::new(Shards::default());
    let worker = Shard::new(Arc::clone(&shards));
    worker.reconcile(&RouterGraph::empty());
    worker.finished(&exchange(Some("app")));
    assert!(text(&shards).contains("service=\"app\""));
    worker.reconcile(&RouterGraph::empty());
    let page = text(&shards);
    assert!(!page.contains("app") && !page.contains("entrypoint=\"web\""), "{page}");
}

#[test]
fn one_lookup_of_many_is_timed() {
    let shards = Arc::new(Shards::default());
    let worker = Shard::new(Arc::clone(&shards));
    let timed = (0..640).filter(|_| worker.samples_lookup()).count();
    assert_eq!(timed, 10);
    worker.looked_up("web", 300);
    check(
        &text(&shards),
        &[
            "router_lookup_seconds_bucket{listener=\"web\",le=\"0.0000001\"} 0",
            "router_lookup_seconds_bucket{listener=\"web\",le=\"0.0000005\"} 1",
            "router_lookup_seconds_count{listener=\"web\"} 1",
        ],
    );
}
