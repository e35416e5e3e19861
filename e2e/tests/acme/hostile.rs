//! CAs that answer with whatever does harm: each fails with its reason, in bounds, and sites are served meanwhile.

use std::io;

use pn_testkit::{Authority, Proxy, RawOrigin, Wire};

use crate::place::{LISTENERS, Place, patiently};

/// More than any answer may have, many times over, and still sent in seconds.
const CHUNKS: usize = 4096;
/// Of all attacks together, in KiB.
const GROWTH: u64 = 64 << 10;

type Script = fn(&mut Wire) -> io::Result<()>;

fn json(wire: &mut Wire, fields: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    wire.send(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{fields}content-length: {length}\r\n\r\n{body}"
    ))
}

fn directory(nonce: &str) -> String {
    format!(
        r#"{{"newNonce":"{nonce}","newAccount":"{nonce}","newOrder":"{nonce}","revokeCert":"{nonce}","keyChange":"{nonce}"}}"#
    )
}

/// What the CA of each site does, and what the site's failure says.
const ATTACKS: &[(&str, Script, &str)] = &[
    ("a body without end", endless_body, "above 1 MiB"),
    ("a head without end", endless_head, "message head is too large"),
    (
        "a page",
        |wire| wire.send("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"),
        "cannot be read",
    ),
    (
        "a redirect",
        |wire| wire.send("HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        "refused with 301; redirects are not followed",
    ),
    ("another protocol", |wire| wire.send("SSH-2.0-OpenSSH_9.2p1\r\n"), "cannot be reached"),
    ("nothing", |_| Ok(()), "connection closed before message completed"),
    ("brackets", |wire| json(wire, "", &"[".repeat(500_000)), "cannot be read"),
    ("a file as a URL", |wire| json(wire, "", &directory("file:///etc/passwd")), "file:///etc/passwd"),
    (
        "patience for a century",
        |wire| wire.send("HTTP/1.1 429 Slow\r\nretry-after: 3155760000\r\ncontent-length: 0\r\n\r\n"),
        "refused with 429",
    ),
    ("half an answer", |wire| wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), "ended early"),
];

fn endless_body(wire: &mut Wire) -> io::Result<()> {
    wire.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    (0..CHUNKS).try_for_each(|_| wire.send(&chunk))
}

fn endless_head(wire: &mut Wire) -> io::Result<()> {
    wire.send("HTTP/1.1 200 OK\r\n")?;
    let field = format!("x-long: {}\r\n", "x".repeat(0x10000));
    (0..CHUNKS).try_for_each(|_| wire.send(&field))
}

fn site(number: usize, origin: &RawOrigin) -> String {
    format!(
        "[issuers.i{number}.acme]\ndirectory = \"http://{}/directory\"\n[sites.\"s{number}.proxy.example\"]\n\
         issuer = \"i{number}\"\nrespond = {{ body = \"{number}\" }}\n",
        origin.addr()
    )
}

/// What was told of this site's certificate.
fn failure(proxy: &Proxy, host: &str) -> Option<String> {
    let log = proxy.log();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.find_map(|line| (line["names"] == host).then(|| line["error"].as_str().map(str::to_owned))?)
}

#[test]
fn a_hostile_ca_costs_its_own_site_a_certificate_and_nothing_else() {
    let origins: Vec<RawOrigin> = ATTACKS
        .iter()
        .map(|(_, script, _)| {
            RawOrigin::start(move |wire| {
                wire.read_request()?;
                script(wire)
            })
        })
        .collect();
    // It sends a byte a second, for ever.
    let slow = RawOrigin::start(|wire| {
        wire.read_request()?;
        loop {
            wire.send("H")?;
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    });
    let all = origins.iter().chain([&slow]).enumerate();
    let sites: String = all.map(|(number, origin)| site(number, origin)).collect();
    let place = Place::new();
    let proxy = place.setup("", &Authority::new()).start(&format!("{LISTENERS}{sites}"));
    let before = proxy.peer().resident_kib();
    for (number, (attack, _, expected)) in ATTACKS.iter().enumerate() {
        let host = format!("s{number}.proxy.example");
        patiently(&format!("{attack} to fail"), || failure(&proxy, &host).is_some());
        let error = failure(&proxy, &host).unwrap_or_default();
        assert!(error.contains(expected), "{attack}: {error}");
    }
    let root = place.state().join("internal-ca/root.crt").display().to_string();
    for host in ["s0.proxy.example", "s10.proxy.example"] {
        place.visit_trusting(&root, host, "--http2").expect_success();
    }
    let log = proxy.log();
    assert!(log.contains("next try in 604800 s"), "a week, and not a century\n{log}");
    let grown = proxy.peer().resident_kib().saturating_sub(before);
    assert!(grown < GROWTH, "{grown} KiB more");
    assert_eq!(failure(&proxy, "s10.proxy.example"), None, "it is waited for within bounds");
    // Also with an answer under way.
    proxy.stop();
}
