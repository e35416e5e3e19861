//! Who is left out: by active checks of each kind, and by the failures of real requests.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use pn_testkit::{
    Authority, DeafPort, Folder, Nginx, Origin, PATIENCE, Peer, Proxy, RawOrigin, Signal, free_port, python,
    python_server, wait_until,
};

use crate::kinds::{Kind, kinds};
use crate::rig::{self, HOST, OK};

/// Every request goes to `up`, none to `down`.
#[track_caller]
fn left_out(proxy: &Proxy, down: &Origin, up: &Origin) {
    let before = rig::shares([down, up]);
    for _ in 0..12 {
        assert_eq!(rig::get(proxy, "/").status, 200);
    }
    assert_eq!(rig::shares([down, up]), [before[0], before[1] + 12]);
}

/// Answers checks with this status, and other requests with 200.
fn checked(status: &Arc<AtomicU16>) -> Origin {
    let status = Arc::clone(status);
    let answer = move |request: &Request<Bytes>| {
        let checked = request.uri().path() == "/healthz";
        let status = if checked { status.load(Ordering::SeqCst) } else { 200 };
        Response::builder().status(status).body(Bytes::new()).ok()
    };
    Origin::setup().answer(answer).http1()
}

#[test]
fn a_server_is_down_while_its_checks_answer_so() {
    // The check's keys beside path and interval, a status that is well, and one that is not.
    let rows = [
        ("", 200, 500),
        ("", 399, 404),
        (", status = [\"500-599\", 404]", 503, 200),
        (", status = 204, method = \"HEAD\"", 204, 200),
        (", host = \"probe.test\", headers = { X-Probe = \"yes\" }", 200, 400),
    ];
    for (keys, well, ill) in rows {
        let statuses = [well, well].map(|status| Arc::new(AtomicU16::new(status)));
        let (first, second) = (checked(&statuses[0]), checked(&statuses[1]));
        let check = format!("health-check = {{ path = \"/healthz\", interval = \"100ms\"{keys} }}");
        let proxy = rig::start(&format!("servers = {:?}\n{check}", [rig::url(&first), rig::url(&second)]));
        let url = rig::url(&first);
        for _ in 0..2 {
            statuses[0].store(ill, Ordering::SeqCst);
            wait_until("the check to find it down", || !rig::is_up(&proxy, &url));
            left_out(&proxy, &first, &second);
            statuses[0].store(well, Ordering::SeqCst);
            wait_until("the check to find it up", || rig::is_up(&proxy, &url));
            let before = rig::shares([&first]);
            for _ in 0..4 {
                assert_eq!(rig::get(&proxy, "/").status, 200);
            }
            assert_eq!(rig::shares([&first]), [before[0] + 2], "{keys}");
        }
        assert!(proxy.log().contains("server is down") && proxy.log().contains("server is up"));
    }
}

#[test]
fn a_check_asks_what_the_configuration_says() {
    let origin = Origin::http1();
    let _proxy = rig::start(&format!(
        "servers = [{:?}]\nhealth-check = {{ path = \"/a?b=c\", method = \"HEAD\", host = \"probe.test\", \
         headers = {{ X-Probe = \"yes\" }}, interval = \"100ms\" }}",
        rig::url(&origin)
    ));
    wait_until("two checks", || origin.requests().len() >= 2);
    let asked = origin.last();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("HEAD", "/a?b=c"));
    assert_eq!((asked.authority.as_str(), asked.header("x-probe")), ("probe.test", "yes"));
    assert!(asked.header("user-agent").starts_with("proxy-now"), "{asked:?}");
}

/// A server whose checks are answered one by one, as the test says.
struct Stepped {
    origin: RawOrigin,
    asked: Arc<AtomicUsize>,
    answers: Sender<u16>,
}

impl Stepped {
    fn start() -> Self {
        let (answers, next) = channel::<u16>();
        let (next, asked) = (Mutex::new(next), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let origin = RawOrigin::start(move |wire| {
            while wire.read_head()?.starts_with("GET /healthz ") {
                count.fetch_add(1, Ordering::SeqCst);
                let status =
                    next.lock().ok().and_then(|next| next.recv_timeout(PATIENCE).ok()).unwrap_or(200);
                wire.send(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))?;
            }
            wire.send(OK)
        });
        Self { origin, asked, answers }
    }

    /// Answers the check under way; returns when the next one has come, by when that answer has been judged.
    #[track_caller]
    fn step(&self, status: u16) {
        wait_until("a check", || self.asked.load(Ordering::SeqCst) > 0);
        let before = self.asked.load(Ordering::SeqCst);
        self.answers.send(status).expect("the origin lives");
        wait_until("the next check", || self.asked.load(Ordering::SeqCst) > before);
    }
}

#[test]
fn a_server_changes_sides_after_as_many_answers_in_a_row_as_asked_for() {
    // What the check gets, and whether the server is up after it.
    let rows: [(u32, u32, &[(u16, bool)]); 3] = [
        (1, 1, &[(500, false), (200, true), (500, false), (500, false), (200, true), (200, true)]),
        (
            3,
            2,
            &[
                (200, true),
                (500, true),
                (500, true),
                (200, true),
                (500, true),
                (500, true),
                (500, false),
                (200, false),
                (500, false),
                (200, false),
                (200, true),
                (500, true),
            ],
        ),
        (2, 3, &[(500, true), (500, false), (200, false), (200, false), (500, false), (200, false)]),
    ];
    for (fails, passes, steps) in rows {
        let server = Stepped::start();
        let url = rig::raw_url(&server.origin);
        let proxy = rig::start(&format!(
            "servers = [{url:?}]\nhealth-check = {{ path = \"/healthz\", interval = \"100ms\", timeout = \"20s\", \
             fails = {fails}, passes = {passes} }}"
        ));
        for (number, (status, up)) in steps.iter().enumerate() {
            server.step(*status);
            assert_eq!(rig::is_up(&proxy, &url), *up, "fails {fails}, passes {passes}, after step {number}");
        }
    }
}

#[test]
fn a_server_that_does_not_answer_its_check_is_down() {
    let (silent, deaf) = (RawOrigin::start(|wire| wire.stall()), DeafPort::open());
    let good = Origin::http1();
    for (mode, bad) in [
        ("http", rig::raw_url(&silent)),
        ("http", format!("http://{}", deaf.addr())),
        ("tcp", format!("http://{}", deaf.addr())),
        ("tcp", format!("http://127.0.0.1:{}", free_port())),
        ("grpc", rig::raw_url(&silent)),
        ("grpc", rig::url(&good)),
    ] {
        let proxy = rig::start(&format!(
            "servers = [{bad:?}]\nhealth-check = {{ mode = {mode:?}, interval = \"100ms\", timeout = \"100ms\" }}"
        ));
        wait_until("the check to find it down", || !rig::is_up(&proxy, &bad));
        let reply = rig::get(&proxy, "/");
        assert_eq!(reply.status, 503, "{mode} {bad}");
        assert_eq!(reply.header("proxy-status"), "proxy-now; error=destination_unavailable", "{mode} {bad}");
    }
}

#[test]
fn a_port_that_closes_takes_its_server_out_and_another_that_opens_brings_it_back() {
    // Checked at its own port, or at another one.
    for own in [true, false] {
        let (first, second) = (Origin::http1(), Origin::http1());
        let side = Origin::http1();
        let port = if own { first.addr().port() } else { side.addr().port() };
        let check = format!(
            "health-check = {{ mode = \"tcp\", interval = \"100ms\"{} }}",
            if own { String::new() } else { format!(", port = {port}") }
        );
        let urls = [rig::url(&first), rig::url(&second)];
        let proxy = rig::start(&format!("servers = {urls:?}\n{check}"));
        let mut first = Some(first);
        let mut side = Some(side);
        drop(if own { first.take() } else { side.take() });
        wait_until("the check to find it down", || !rig::is_up(&proxy, &urls[0]));
        if own {
            assert!(rig::is_up(&proxy, &urls[1]));
            let before = rig::shares([&second])[0];
            (0..12).for_each(|_| assert_eq!(rig::get(&proxy, "/").status, 200));
            assert_eq!(rig::shares([&second]), [before + 12]);
        } else {
            wait_until("both to be down", || !rig::is_up(&proxy, &urls[1]));
            assert_eq!(rig::get(&proxy, "/").status, 503);
        }
        let _again = Origin::setup().port(port).http1();
        wait_until("the check to find it up", || urls.iter().all(|url| rig::is_up(&proxy, url)));
        assert_eq!(rig::get(&proxy, "/").status, 200);
    }
}

/// The answer of one call of `test.Echo/Unary` through the proxy, by a client of grpcio.
fn call(proxy: &Proxy) -> String {
    let target = proxy.addr("web").to_string();
    python("grpc_client.py", &[&target, "--authority", HOST, "--call", "Unary"])
        .finish(PATIENCE)
        .expect_success()
}

#[test]
fn a_grpc_server_is_down_while_its_health_service_says_so() {
    let authority = Authority::new();
    let identity = authority.server(&["127.0.0.1"]);
    let paths =
        [&identity.certificate, &identity.key, &authority.root()].map(|path| path.display().to_string());
    let tls = ["--cert", &paths[0], "--key", &paths[1]];
    let roots = format!("transport = {{ roots = [{:?}] }}\n", paths[2]);
    let rows: [(&str, &[&str], &str, &str); 3] = [
        ("h2c", &[], "", ""),
        ("h2c", &[], ", grpc-service = \"test.Echo\"", ""),
        ("https", &tls, "", &roots),
    ];
    for (scheme, arguments, keys, transport) in rows {
        let start = |name: &str| -> (Peer, String) {
            let named = ["--name", name, "--service", "test.Echo"];
            let (peer, address) = python_server("grpc_server.py", &[&named, arguments].concat());
            (peer, format!("{scheme}://{address}"))
        };
        let ((red, red_url), (_green, green_url)) = (start("red "), start("green "));
        let proxy = rig::start(&format!(
            "servers = {:?}\n{transport}health-check = {{ mode = \"grpc\", interval = \"100ms\"{keys} }}",
            [&red_url, &green_url]
        ));
        for signal in [Signal::USR1, Signal::USR2, Signal::USR1] {
            red.signal(signal);
            let up = signal == Signal::USR2;
            wait_until("the check to see it", || rig::is_up(&proxy, &red_url) == up);
            let answers = format!("{}{}", call(&proxy), call(&proxy));
            assert_eq!(answers.contains("red 1"), up, "{scheme}{keys}: {answers}");
            assert!(
                answers.contains("green 1") && rig::is_up(&proxy, &green_url),
                "{scheme}{keys}: {answers}"
            );
        }
    }
}

#[test]
fn a_grpc_service_that_the_server_does_not_know_is_down() {
    let (_peer, address) = python_server("grpc_server.py", &[]);
    let url = format!("h2c://{address}");
    let proxy = rig::start(&format!(
        "servers = [{url:?}]\nhealth-check = {{ mode = \"grpc\", grpc-service = \"none.Such\", interval = \"100ms\" }}"
    ));
    wait_until("the check to find it down", || !rig::is_up(&proxy, &url));
    assert_eq!(rig::get(&proxy, "/").status, 503);
}

#[test]
fn checks_go_the_way_of_requests() {
    let (folder, authority) = (Folder::new(), Authority::new());
    for Kind { name, origin, url, transport, version } in kinds(&folder, &authority) {
        let proxy = rig::start(&format!(
            "servers = [{url:?}]\ntransport = {{ {transport} }}\n\
             health-check = {{ path = \"/healthz\", interval = \"100ms\" }}"
        ));
        wait_until("a check", || !origin.requests().is_empty());
        let asked = origin.last();
        assert_eq!((asked.target.as_str(), asked.version.as_str()), ("/healthz", version), "{name}");
        assert_eq!(rig::get(&proxy, "/").status, 200, "{name}");
        for (status, up) in [(Some(500), false), (None, true)] {
            origin.fail_with(status);
            wait_until("the check to see it", || rig::is_up(&proxy, &url) == up);
            assert_eq!(rig::get(&proxy, "/").status, if up { 200 } else { 503 }, "{name}");
        }
    }
}

#[test]
fn checks_send_the_header_that_the_server_waits_for() {
    let nginx =
        Nginx::start("server { listen 127.0.0.1:<port> proxy_protocol; location / { return 200 ok; } }");
    for version in ["v1", "v2"] {
        let url = format!("http://{}", nginx.addr());
        let proxy = rig::start(&format!(
            "servers = [{url:?}]\ntransport = {{ proxy-protocol = {version:?} }}\n\
             health-check = {{ path = \"/healthz\", interval = \"100ms\", passes = 2, status = [\"500-599\"] }}"
        ));
        // It is asked and answers, though not what is called well here.
        wait_until("an answer to a check", || proxy.log().contains("status 200"));
        proxy.stop();
        let proxy = rig::start(&format!(
            "servers = [{url:?}]\ntransport = {{ proxy-protocol = {version:?} }}\n\
             health-check = {{ path = \"/healthz\", interval = \"100ms\" }}"
        ));
        assert_eq!(rig::get(&proxy, "/").text(), "ok", "{version}");
        assert!(rig::is_up(&proxy, &url) && !proxy.log().contains("server is down"), "{proxy:?}");
    }
}

#[test]
fn checks_and_what_they_found_outlive_a_reload_that_leaves_them_alone() {
    let origins = rig::named(["red", "green"]);
    let check = "health-check = { path = \"/healthz\", interval = \"100ms\" }\n";
    let config = rig::config(&format!("{}{check}", rig::servers(&origins)));
    let mut proxy = Proxy::start(&config);
    origins[0].fail_with(Some(500));
    let url = rig::url(&origins[0]);
    wait_until("the check to find it down", || !rig::is_up(&proxy, &url));
    proxy.reload_accepted(&format!("{config}[sites.\"other.test\"]\nhttps = \"off\"\nrespond = {{}}\n"));
    assert!(!rig::is_up(&proxy, &url), "the reload made it healthy");
    left_out(&proxy, &origins[0], &origins[1]);
}

#[test]
fn failures_of_requests_eject_a_server() {
    // What the server answers, and how many requests it gets before it is left alone: all of its turns, or the bound.
    for (status, expected) in [(502, 3), (503, 3), (504, 3), (500, 12), (404, 12), (200, 12)] {
        let origins = rig::named(["red", "green"]);
        let outlier = "outlier = { failures = 3, window = \"1h\", eject = \"1h\" }";
        let proxy = rig::start(&format!("{}{outlier}", rig::servers(&origins)));
        origins[0].fail_with(Some(status));
        for _ in 0..24 {
            rig::get(&proxy, "/");
        }
        assert_eq!(rig::shares(&origins), [expected, 24 - expected], "{status}");
        assert_eq!(proxy.log().contains("server ejected"), expected == 3, "{status}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_ejected_too() {
    let breaking = RawOrigin::start(|wire| wire.read_head().map(drop));
    for bad in [format!("http://127.0.0.1:{}", free_port()), rig::raw_url(&breaking)] {
        let good = Origin::http1();
        let proxy = rig::start(&format!(
            "servers = {:?}\noutlier = {{ failures = 2, window = \"1h\", eject = \"1h\" }}",
            [&bad, &rig::url(&good)]
        ));
        let statuses: Vec<u16> = (0..20).map(|_| rig::get(&proxy, "/").status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 2, "{bad} {statuses:?}");
        assert_eq!(rig::shares([&good]), [18], "{bad}");
    }
}

#[test]
fn an_ejected_server_comes_back_and_the_last_one_is_never_ejected() {
    let origins = rig::named(["red", "green"]);
    let outlier = "outlier = { failures = 2, window = \"1h\", eject = \"300ms\" }";
    let proxy = rig::start(&format!("{}{outlier}", rig::servers(&origins)));
    origins[0].fail_with(Some(503));
    wait_until("the server to be ejected", || {
        rig::get(&proxy, "/");
        proxy.log().contains("server ejected")
    });
    origins[0].fail_with(None);
    let before = rig::shares([&origins[0]])[0];
    wait_until("the server to be asked again", || {
        assert_eq!(rig::get(&proxy, "/").status, 200);
        rig::shares([&origins[0]])[0] > before + 2
    });

    let alone = Origin::http1();
    alone.fail_with(Some(503));
    let proxy = rig::start(&format!("{}{outlier}", rig::servers(std::slice::from_ref(&alone))));
    for _ in 0..12 {
        let reply = rig::get(&proxy, "/");
        // What the server itself answered.
        assert_eq!((reply.status, reply.header("proxy-status")), (503, ""));
    }
    assert_eq!(rig::shares([&alone]), [12]);
}
