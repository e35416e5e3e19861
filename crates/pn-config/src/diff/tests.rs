//! Pairs of configurations and what lies between them.

use super::diff;
use crate::tests::{findings, load_text};
use pn_model::Model;

fn model(text: &str) -> Model {
    let loaded = load_text(text);
    loaded.model.clone().unwrap_or_else(|| panic!("{}", findings(&loaded)))
}

/// What a change of one line of a base means.
fn check(base: &str, from: &str, to: &str, expected: &str) {
    assert!(base.contains(from), "{from}");
    let shown = diff(&model(base), &model(&base.replacen(from, to, 1))).to_string();
    let lines: Vec<_> = shown.lines().collect();
    let (_, changes) = lines.split_last().unwrap();
    assert_eq!(changes.join("\n"), expected, "{from} to {to}");
}

const BASE: &str = r#"
    [sites."a.lan"]
    to = "app"
    tls-policy = "p"
    routes."/x/*" = { use = ["limit", "busy"], to = "app", priority = 0 }
    [services.app]
    servers = ["http://a:1", "http://b:1"]
    sticky = { cookie = "c" }
    health-check = { interval = "5s" }
    transport = "t"
    [transports.t]
    timeouts.connect = "1s"
    protocol = "auto"
    [middlewares.limit]
    rate-limit = { rate = "5/s", burst = 5 }
    [middlewares.busy]
    in-flight = { amount = 5 }
    [tls-policies.p]
    min-version = "1.2"
    [listeners.web]
    address = [":80", ":81"]
    [runtime]
    workers = 1
    history = 5
"#;

#[test]
fn spelling_is_no_change() {
    let same =
        BASE.replace("http://a:1", "http://A:1/").replace("\"5s\"", "\"5000ms\"").replace("a.lan", "A.lan.");
    assert_eq!(diff(&model(BASE), &model(&same)).to_string(), "nothing changes its meaning\n");
}

#[test]
fn what_changes_and_what_survives() {
    check(
        BASE,
        "burst = 5",
        "burst = 6",
        "~ middleware limit: rate-limit\n    rate-limit buckets: start anew",
    );
    check(BASE, "amount = 5", "amount = 6", {
        "~ middleware busy: in-flight\n    counts of requests in flight: kept"
    });
    check(BASE, "amount = 5", "amount = 5, by = \"all\"", {
        "~ middleware busy: in-flight\n    counts of requests in flight: start anew"
    });
    check(BASE, "rate-limit = { rate = \"5/s\", burst = 5 }", "body-limit = \"1MiB\"", {
        "~ middleware limit: rate-limit, body-limit\n    rate-limit buckets: start anew"
    });
    check(BASE, ", \"http://b:1\"", "", {
        "~ service app: servers\n    health and connections of http://b:1: drained, then gone\n    \
         health of the servers that stay: kept\n    connections to the servers that stay: kept\n    \
         sticky clients of the servers that stay: kept"
    });
    check(BASE, "interval = \"5s\"", "interval = \"6s\"", {
        "~ service app: health-check\n    health of the servers that stay: start anew\n    \
         connections to the servers that stay: kept\n    sticky clients of the servers that stay: kept"
    });
    check(BASE, "cookie = \"c\"", "cookie = \"d\"", {
        "~ service app: sticky\n    health of the servers that stay: kept\n    \
         connections to the servers that stay: kept\n    sticky clients of the servers that stay: start anew"
    });
    check(BASE, "connect = \"1s\"", "connect = \"2s\"", {
        "~ transport t: timeouts\n    connections of its services: kept"
    });
    check(BASE, "protocol = \"auto\"", "protocol = \"h1\"", {
        "~ transport t: protocol\n    connections of its services: start anew"
    });
    check(BASE, "min-version = \"1.2\"", "min-version = \"1.3\"", {
        "~ tls-policy p: min-version\n    connections opened under it: drained, then gone"
    });
    check(BASE, ":81", ":82", {
        "~ listener web: address\n    connections of the addresses that go: drained, then gone"
    });
    check(BASE, "[listeners.web]", "[listeners.web]\ntimeouts.header = \"1s\"", {
        "~ listener web: timeouts\n    its connections: kept"
    });
    check(BASE, "[listeners.web]", "[listeners.web]\nprotocols = [\"h1\"]", {
        "~ listener web: protocols\n    connections that are open: drained, then gone"
    });
    check(BASE, "workers = 1", "workers = 2", "~ runtime: workers\n    workers: waits for a restart");
    check(BASE, "history = 5", "history = 6", "~ runtime: history");
    check(BASE, "priority = 0", "priority = 1", "~ route a.lan/x/*: priority");
    check(&format!("{BASE}\n[tls-policies.q]\n"), "tls-policy = \"p\"", "tls-policy = \"q\"", {
        "~ site a.lan: tls-policy\n    connections opened under the old TLS policy: drained, then gone"
    });
}

#[test]
fn nodes_come_and_go() {
    let more = "[sites.\"b.lan\"]\nto = \"@ping\"\n[routes.free]\nrule = \"Host(`b.lan`) && Path(`/f`)\"\nto = \"app\"\n";
    let wide = format!("{BASE}{more}");
    let (old, new) = (model(BASE), model(&wide));
    assert_eq!(
        diff(&old, &new).to_string(),
        "+ site b.lan\n+ route b.lan/*\n+ route free on b.lan\n+ service @ping\n\
         4 added, 0 dropped, 0 altered; all other state goes on\n"
    );
    assert_eq!(
        serde_json::to_string(&diff(&new, &old).changes[0]).unwrap(),
        r#"{"kind":"site","name":"b.lan","what":"dropped"}"#
    );
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let text = |hash: &str| {
        format!(
            "[sites.\"a.lan\"]\nto = \"@ping\"\nuse = [\"m\"]\n[middlewares.m]\nbasic-auth.users = [\"ann:$2y$05${hash}\"]\n"
        )
    };
    let change = diff(&model(&text("one")), &model(&text("two")));
    assert_eq!(change.to_string().lines().next(), Some("~ middleware m: basic-auth"));
    let json = serde_json::to_string(&change).unwrap();
    assert!(
        json.contains(r#""state":[{"of":"passwords that were checked","fate":"reset"}]"#)
            && !json.contains("$2y$")
    );
}
