//! How a failure of a server is told: the status, the `Proxy-Status` field (RFC 9209) and the access log.

use std::any::Any;
use std::fmt::Write as _;
use std::time::Duration;

use pn_testkit::{
    Authority, DeafPort, End, Identity, Lifetime, Origin, Proxy, RawClient, RawOrigin, Setup, curl,
    free_port, wait_until,
};

use crate::rig::{self, OK};

/// A server that fails: the text of its service, what the client is told, and what must live meanwhile.
struct Row {
    name: &'static str,
    service: String,
    status: u16,
    error: &'static str,
    _kept: Box<dyn Any>,
}

fn row(name: &'static str, service: String, status: u16, error: &'static str, kept: impl Any) -> Row {
    Row { name, service, status, error, _kept: Box::new(kept) }
}

/// One site, one service, for each row; each is asked and told what it expects, and the proxy serves on.
fn check(rows: &[Row]) {
    let mut config = String::from(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\n[logs]\naccess = { file = \"<dir>/access.log\" }\n\n\
         [sites.\"well.test\"]\nhttps = \"off\"\nrespond = {}\n",
    );
    for (number, Row { service, .. }) in rows.iter().enumerate() {
        write!(
            config,
            "\n[sites.\"r{number}.test\"]\nhttps = \"off\"\nto = \"r{number}\"\n[services.r{number}]\n{service}\n"
        )
        .expect("a string takes text");
    }
    let proxy = Proxy::start(&config);
    for (number, Row { name, status, error, .. }) in rows.iter().enumerate() {
        let host = format!("r{number}.test");
        let reply = proxy.get("web", &host, "/");
        assert_eq!(reply.status, *status, "{name}: {reply:?}");
        assert_eq!(reply.header("proxy-status"), format!("proxy-now; error={error}"), "{name}");
        assert!(!format!("{reply:?}").contains("127.0.0.1"), "{name} tells where servers are: {reply:?}");
        let said = format!("\"error\":\"{error}\"");
        wait_until(&format!("{name} in the access log"), || {
            let log = std::fs::read_to_string(proxy.folder().join("access.log")).unwrap_or_default();
            log.lines().any(|line| line.contains(&host) && line.contains(&said))
        });
    }
    assert_eq!(proxy.get("web", "well.test", "/").status, 200);
    assert!(!proxy.log().contains("panicked"), "{proxy:?}");
}

fn at(url: &str, transport: &str) -> String {
    format!("servers = [{url:?}]\ntransport = {{ {transport} }}")
}

/// A server that has been sent a request answers these bytes and closes.
fn says(bytes: impl Into<Vec<u8>>) -> RawOrigin {
    let bytes = bytes.into();
    RawOrigin::start(move |wire| {
        wire.read_request()?;
        wire.send(&bytes)
    })
}

#[test]
fn servers_that_cannot_be_reached() {
    let (deaf, silent) = (DeafPort::open(), RawOrigin::start(|wire| wire.stall()));
    let deaf_url = format!("http://{}", deaf.addr());
    let silent_tls = rig::raw_url(&silent).replace("http:", "https:");
    let soon = "timeouts = { connect = \"200ms\" }";
    check(&[
        row("a full queue", at(&deaf_url, soon), 504, "connection_timeout", deaf),
        row("a TLS handshake without end", at(&silent_tls, soon), 504, "connection_timeout", silent),
        row(
            "a closed port",
            at(&format!("http://127.0.0.1:{}", free_port()), ""),
            502,
            "connection_refused",
            (),
        ),
        row("no such socket", at("unix:/no/such/socket", ""), 502, "connection_refused", ()),
        row("no such name", at("http://no-such-host.invalid:80", ""), 502, "dns_error", ()),
    ]);
}

#[test]
fn servers_that_answer_badly() {
    let silent = RawOrigin::start(|wire| wire.stall());
    let slow = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send_slowly("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Duration::from_millis(100))
    });
    let closes = RawOrigin::start(|wire| wire.read_request().map(drop));
    let mid_head = says("HTTP/1.1 200 OK\r\nContent-");
    let garbage = says("220 mail.test ESMTP\r\n\r\n");
    let two_lengths = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok");
    let large = says(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000)));
    let h1_only = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        wire.stall()
    });
    let soon = "timeouts = { response-header = \"200ms\" }";
    let plain = |origin: &RawOrigin| at(&rig::raw_url(origin), "");
    check(&[
        row("no answer", at(&rig::raw_url(&silent), soon), 504, "http_response_timeout", silent),
        row("a head in drops", at(&rig::raw_url(&slow), soon), 504, "http_response_timeout", slow),
        row("closes", plain(&closes), 502, "connection_terminated", closes),
        row("closes within the head", plain(&mid_head), 502, "connection_terminated", mid_head),
        row("another protocol", plain(&garbage), 502, "http_protocol_error", garbage),
        row("two lengths", plain(&two_lengths), 502, "http_protocol_error", two_lengths),
        row("a head too large", plain(&large), 502, "http_response_header_section_size", large),
        row(
            "no HTTP/2",
            at(&rig::raw_url(&h1_only).replace("http:", "h2c:"), ""),
            502,
            "http_protocol_error",
            h1_only,
        ),
    ]);
}

#[test]
fn an_upload_that_goes_on_is_not_a_server_that_keeps_quiet() {
    let origin = Origin::http1();
    let proxy = rig::start(&at(&rig::url(&origin), "timeouts = { response-header = \"500ms\" }"));
    let mut client = RawClient::connect(proxy.addr("web"));
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 16\r\n\r\n");
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(100));
        client.send("xx");
    }
    assert_eq!(client.response().json()["body_length"], 16);
}

#[test]
fn servers_whose_tls_fails() {
    let (authority, other) = (Authority::new(), Authority::named("Other"));
    let roots = format!("roots = [{:?}]", authority.root().display().to_string());
    let good = authority.server(&["127.0.0.1"]);
    let served = |identity: &Identity| Origin::setup().tls(identity, &["h2", "http/1.1"]);
    let of = |origin: &Origin| rig::url(origin).replace("http:", "https:");

    let unknown = served(&other.server(&["127.0.0.1"]));
    let misnamed = served(&authority.server(&["elsewhere.test"]));
    let expired = served(&authority.server_valid(&["127.0.0.1"], Lifetime::Expired));
    let early = served(&authority.server_valid(&["127.0.0.1"], Lifetime::NotYet));
    let renamed = served(&good);
    let plain = Origin::http1();
    let only_h1 = Origin::setup().tls(&good, &["http/1.1"]);
    check(&[
        row("unknown authority", at(&of(&unknown), &roots), 502, "tls_certificate_error", unknown),
        row("another name", at(&of(&misnamed), &roots), 502, "tls_certificate_error", misnamed),
        row("expired", at(&of(&expired), &roots), 502, "tls_certificate_error", expired),
        row("not yet valid", at(&of(&early), &roots), 502, "tls_certificate_error", early),
        row(
            "not the name asked for",
            at(&of(&renamed), &format!("{roots}, server-name = \"app.internal\"")),
            502,
            "tls_certificate_error",
            renamed,
        ),
        row("no TLS", at(&of(&plain), &roots), 502, "tls_protocol_error", plain),
        row(
            "no HTTP/2 by ALPN",
            at(&of(&only_h1), &format!("{roots}, protocol = \"h2\"")),
            502,
            "tls_protocol_error",
            only_h1,
        ),
    ]);
}

#[test]
fn a_server_that_wants_a_certificate_gets_none() {
    let authority = Authority::new();
    let demanding = Origin::setup().mutual_tls(&authority.server(&["127.0.0.1"]), &Authority::named("Staff"));
    let url = rig::url(&demanding).replace("http:", "https:");
    let roots = format!("roots = [{:?}]", authority.root().display().to_string());
    for protocol in ["h1", "h2"] {
        let proxy = rig::start(&at(&url, &format!("{roots}, protocol = {protocol:?}")));
        let reply = rig::get(&proxy, "/");
        // In TLS 1.3 the server says so after the handshake, as an alert that a closed connection may overtake.
        let told =
            ["tls_protocol_error", "connection_terminated"].map(|error| format!("proxy-now; error={error}"));
        assert_eq!(reply.status, 502, "{protocol}");
        assert!(told.iter().any(|one| one == reply.header("proxy-status")), "{protocol}: {reply:?}");
    }
    assert_eq!(demanding.requests().len(), 0);
}

#[test]
fn as_many_connections_as_a_pool_may_have() {
    let origin = RawOrigin::start(|wire| {
        loop {
            if wire.read_head()?.starts_with("GET /hold ") {
                return wire.stall();
            }
            wire.send(OK)?;
        }
    });
    let proxy = rig::start(&at(&rig::raw_url(&origin), "pool = { connections-per-server = 1 }"));
    let mut held = RawClient::connect(proxy.addr("web"));
    held.send("GET /hold HTTP/1.1\r\nHost: app.test\r\n\r\n");
    origin.wait_for("GET /hold");
    let reply = rig::get(&proxy, "/");
    assert_eq!(
        (reply.status, reply.header("proxy-status")),
        (503, "proxy-now; error=connection_limit_reached")
    );
    drop(held);
    wait_until("the place to be free again", || rig::get(&proxy, "/").status == 200);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_body_that_pauses_too_long_is_cut_off_where_the_client_sees_it() {
    let begun = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", false),
    ];
    for (begun, pauses) in begun {
        let origin = RawOrigin::start(move |wire| {
            wire.read_request()?;
            wire.send(begun)?;
            if pauses { wire.stall() } else { Ok(()) }
        });
        let service = at(&rig::raw_url(&origin), "timeouts = { body-idle = \"200ms\" }");
        let config =
            format!("{}\n[logs]\naccess = {{ file = \"<dir>/access.log\" }}\n", rig::config(&service));
        let proxy = Proxy::start(&config);
        let mut client = RawClient::connect(proxy.addr("web"));
        let (end, came) = client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").end();
        let came = String::from_utf8_lossy(&came).into_owned();
        assert_ne!(end, End::Open, "{came}");
        assert!(came.contains("part") && !came.contains("\r\n0\r\n"), "{came}");
        let error = if pauses { "connection_read_timeout" } else { "http_response_incomplete" };
        wait_until("the access log", || {
            let log = std::fs::read_to_string(proxy.folder().join("access.log")).unwrap_or_default();
            log.contains(&format!("\"error\":\"{error}\"")) && log.contains("\"status\":200")
        });
        wait_until("the connection to the server to end", || origin.open_connections() == 0);
    }
}

/// A network of its own, where 127.0.0.1 takes questions of DNS and never answers: nobody reads the socket that is handed
/// on to the proxy.
const SILENT: &str = "ip link set lo up && mount --bind \"$0\" /etc/resolv.conf && exec python3 -c '\
    import os, socket, sys\n\
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    silent.bind((\"127.0.0.1\", 53))\n\
    os.set_inheritable(silent.fileno(), True)\n\
    os.execv(sys.argv[1], sys.argv[1:])\n' \"$@\"";

#[test]
fn a_name_server_that_does_not_answer() {
    let setup = Setup::new().file("resolv.conf", "nameserver 127.0.0.1\n");
    let resolv = setup.folder().join("resolv.conf").display().to_string();
    let within = ["-rmn", "setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", SILENT, &resolv];
    let mut setup = setup.started_by("unshare", &within);
    let peer = setup.launch(
        &["run", "site.toml"],
        r#"
        [listeners.web]
        address = "unix:<dir>/web.sock"
        [sites."name.test"]
        https = "off"
        to = "name"
        [services.name]
        servers = ["http://app.example:80"]
        transport = { timeouts = { connect = "300ms" } }
        [admin]
        address = "unix:<dir>/admin.sock"
        "#,
    );
    let socket = std::path::Path::new(&resolv).with_file_name("web.sock").display().to_string();
    wait_until("the listener", || {
        assert!(peer.is_running(), "{peer:?}");
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    let told = curl(&["-i", "--unix-socket", &socket, "http://name.test/"]).expect_success();
    assert!(told.starts_with("HTTP/1.1 504 "), "{told}");
    assert!(told.contains("proxy-status: proxy-now; error=dns_timeout\r\n"), "{told}");
}
