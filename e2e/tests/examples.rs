//! Every file in `examples/` runs, and does what its `# expect:` lines say. Addresses are moved to free ports; nothing
//! else is changed.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use pn_testkit::{
    Authority, Named, Origin, Pebble, PebbleOptions, Proxy, Session, Setup, TlsOptions, request, wait_until,
};
use std::path::{Path, PathBuf};

#[test]
fn every_example_does_what_it_says() {
    let files = examples();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("an example");
        let expectations: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# expect: ")).collect();
        assert!(!expectations.is_empty(), "{} expects nothing", file.display());
        run(&file, &text, &expectations);
    }
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = std::fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    files
}

fn run(file: &Path, text: &str, expectations: &[&str]) {
    let (one, two) = (Origin::http1(), Origin::http1());
    let mut moved = text
        .replace("127.0.0.1:3000", &one.addr().to_string())
        .replace("127.0.0.1:3001", &two.addr().to_string())
        .replace("0.0.0.0:80", "127.0.0.1:<port:web>");
    if !moved.contains("[listeners.web]") {
        moved.push_str("\n[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n");
    }
    moved.push_str("\n[listeners.websecure]\naddress = \"127.0.0.1:<port:websecure>\"\n");
    let clients = Authority::named("clients");
    let setup = Proxy::setup().file("clients.pem", clients.root_pem());
    if text.contains(CA) {
        return with_ca(setup, &moved, |proxy, trusting| expect(proxy, file, expectations, trusting));
    }
    expect(&setup.start(&moved), file, expectations, &TlsOptions::trusting_anyone());
}

fn expect(proxy: &Proxy, file: &Path, expectations: &[&str], trusting: &TlsOptions) {
    expectations.iter().for_each(|expectation| check(proxy, file, expectation, trusting));
}

const CA: &str = "https://ca.corp.example/acme/directory";

/// A pebble stands for the company's CA, a BIND for its name server; who visits trusts nobody but the CA.
fn with_ca(mut setup: Setup, text: &str, expect: impl FnOnce(&Proxy, &TlsOptions)) {
    let named = Named::start(&[("corp.example", "app IN A 127.0.0.1")]);
    let [http_port, tls_port] = ["web", "websecure"].map(|name| Some(setup.port(name)));
    let name_server = Some(named.addr());
    let pebble =
        Pebble::start(&PebbleOptions { http_port, tls_port, name_server, ..PebbleOptions::default() });
    let moved = text.replace(CA, &pebble.directory()).replace("192.0.2.53", &named.addr().to_string());
    let setup = setup.file("corp-root.pem", pebble.authority().root_pem()).file("tsig.secret", Named::SECRET);
    let proxy = setup.start(&moved);
    let wanted = text.matches("[sites.").count();
    wait_until("a certificate for each site", || {
        proxy.log().matches("certificate obtained").count() == wanted
    });
    let valid = |certificate: &serde_json::Value| certificate["state"] == "valid";
    let all = || proxy.ask_admin("GET", "/api/certificates").json();
    wait_until("all to be served", || all().as_array().is_some_and(|all| all.iter().all(valid)));
    expect(&proxy, &TlsOptions::trusting_pem(pebble.root()));
}

/// `METHOD URL STATUS [header NAME VALUE]`, or `METHOD URL refused`; a VALUE of `-` means absent.
fn check(proxy: &Proxy, file: &Path, expectation: &str, trusting: &TlsOptions) {
    let words: Vec<_> = expectation.split_whitespace().collect();
    let [method, url, status, rest @ ..] = words.as_slice() else {
        panic!("{}: {expectation}", file.display())
    };
    let (scheme, rest_of_url) = url.split_once("://").expect("a URL");
    let (host, path) = rest_of_url.split_once('/').expect("a path");
    let mut session = match scheme {
        "https" => Session::tls(proxy.addr("websecure"), host, trusting),
        _ => Session::http1(proxy.addr("web")),
    };
    let reply = session.try_send(request(method, host, &format!("/{path}")));
    if *status == "refused" {
        assert!(reply.is_err(), "{}: {expectation}: {reply:?}", file.display());
        return;
    }
    let reply = reply.unwrap_or_else(|error| panic!("{}: {expectation}: {error}", file.display()));
    assert_eq!(reply.status.to_string(), **status, "{}: {expectation}: {reply:?}", file.display());
    if let ["header", name, value] = rest {
        let expected = if *value == "-" { "" } else { value };
        assert_eq!(reply.header(name), expected, "{}: {expectation}", file.display());
    }
}
