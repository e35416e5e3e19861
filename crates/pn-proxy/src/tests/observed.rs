//! What operators see of requests: metrics and the access log.

use super::world::{GET, World, listener};
use pn_model::process::AccessLog;
use pn_testkit::{Folder, RawClient, wait_until};
use std::time::Duration;

#[test]
fn requests_and_connections_are_counted() {
    let mut world = World::start(2);
    world.publish([listener("web")], []).unwrap();
    let mut clients: Vec<_> = (0..8).map(|_| world.connect("web")).collect();
    for client in &mut clients {
        assert_eq!(client.send(GET).response().status, 200);
        assert_eq!(client.send("BREW / HTTP/1.1\r\nhost: a.test\r\n\r\n").response().status, 404);
    }
    let series = |name: &str, code: u16, method: &str| {
        format!(
            "traefik_entrypoint_{name}{{code=\"{code}\",method=\"{method}\",protocol=\"http\",entrypoint=\"web\"}} 8\n"
        )
    };
    // An exchange is counted once its last byte is handed over, which is before the client has it, or at the latest
    // when the worker comes back to it.
    wait_until("the requests to be counted", || {
        let page = world.metrics();
        page.contains(&series("requests_total", 200, "GET"))
            && page.contains(&series("requests_total", 404, "EXTENSION_METHOD"))
            && page.contains(&series("request_duration_seconds_count", 200, "GET"))
    });
    assert!(world.metrics().contains("traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 8\n"));
    clients.clear();
    wait_until("the connections to be gone", || {
        world.metrics().contains("traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0\n")
    });
    world.connect("web").send("GET /panic HTTP/1.1\r\nhost: a.test\r\n\r\n").expect_closed();
    wait_until("the panic to be counted", || {
        world.metrics().contains("panics_total{entrypoint=\"web\"} 1\n")
    });
}

#[test]
fn the_access_log_follows_the_graph_and_its_file() {
    let folder = Folder::new();
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let mut world = World::start(2);
    let everything =
        AccessLog { file: Some(path.clone()), status: vec![], min_duration: Duration::ZERO, headers: vec![] };
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();

    world.publish([listener("web")], []).unwrap();
    assert_eq!(world.ask("web").status, 200);
    assert!(!path.exists());

    world.access_log = Some(AccessLog { headers: vec!["user-agent".into()], ..everything.clone() });
    world.publish([listener("web")], []).unwrap();
    let request = GET.replace("host:", "user-agent: tester\r\nauthorization: secret\r\nhost:");
    let ask = || RawClient::ask(world.address("web"), &request).status;
    // Workers come to a new generation one after the other.
    wait_until("a line", || ask() == 200 && lines(&path) > 0);
    let line = std::fs::read_to_string(&path).unwrap();
    for part in ["\"listener\":\"web\"", "\"path\":\"/facts\"", "\"status\":200", "\"user-agent\":\"tester\""]
    {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("secret"));

    std::fs::rename(&path, &moved).unwrap();
    world.plane.reopen_logs();
    wait_until("a line in the new file", || ask() == 200 && lines(&path) > 0);

    world.access_log = Some(AccessLog { status: vec![(400, 499)], ..everything.clone() });
    world.publish([listener("web")], []).unwrap();
    let unknown = "GET /none HTTP/1.1\r\nhost: a.test\r\n\r\n";
    wait_until("only the status that is asked for", || {
        let before = lines(&path);
        world.ask("web");
        RawClient::ask(world.address("web"), unknown);
        wait_until("the refusal", || lines(&path) > before);
        lines(&path) == before + 1
    });

    world.access_log = Some(AccessLog { file: Some("/nonexistent/access.log".into()), ..everything });
    let errors = world.publish([listener("web")], []).unwrap_err();
    assert_eq!(errors[0].at.to_string(), "logs.access.file");
}
