//! Servers that go by names: of the hosts file, with several addresses, some of which nobody answers on.

use std::collections::BTreeSet;
use std::net::TcpListener;

use pn_testkit::{Nginx, Proxy, Setup, wait_until};

use crate::rig;

/// A view of the file system of its own, in which this is the hosts file.
const HOSTS: &str = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";

fn with_hosts(text: &str) -> Setup {
    let setup = Proxy::setup().file("hosts", text);
    let hosts = setup.folder().join("hosts").display().to_string();
    setup.started_by("unshare", &["-rm", "setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", HOSTS, &hosts])
}

/// Answers with the address that was asked, at these addresses and at 127.0.0.1.
fn at(addresses: &[&str]) -> Nginx {
    let listens: String = addresses.iter().map(|address| format!("listen {address}:<port>; ")).collect();
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:<port>; {listens}location / {{ return 200 $server_addr; }} }}"
    ))
}

#[test]
fn connections_spread_over_the_addresses_of_a_name() {
    let nginx = at(&["127.0.0.2", "127.0.0.3"]);
    let proxy = with_hosts("127.0.0.2 two.test\n127.0.0.3 two.test\n").start(&rig::config(&format!(
        "servers = [\"http://two.test:{}\"]\ntransport = {{ pool = {{ idle-per-server = 0 }} }}",
        nginx.addr().port()
    )));
    let mut met = BTreeSet::new();
    wait_until("both addresses", || {
        met.insert(rig::get(&proxy, "/").text());
        met.len() == 2
    });
    assert_eq!(met, BTreeSet::from(["127.0.0.2".to_owned(), "127.0.0.3".to_owned()]));
}

#[test]
fn an_address_that_refuses_is_passed_over() {
    // All of a name's addresses, and those that answer.
    let rows: [(&[&str], &[&str]); 4] = [
        (&["127.0.0.2", "127.0.0.3"], &["127.0.0.3"]),
        (&["127.0.0.2", "127.0.0.3"], &["127.0.0.2"]),
        (&["::1", "127.0.0.2"], &["127.0.0.2"]),
        (&["::1", "127.0.0.2"], &["[::1]"]),
    ];
    for (all, answering) in rows {
        let nginx = at(answering);
        let hosts: String = all.iter().map(|address| format!("{address} some.test\n")).collect();
        let proxy = with_hosts(&hosts).start(&rig::config(&format!(
            "servers = [\"http://some.test:{}\"]\ntransport = {{ pool = {{ idle-per-server = 0 }} }}",
            nginx.addr().port()
        )));
        for _ in 0..6 {
            let reply = rig::get(&proxy, "/");
            assert_eq!(
                (reply.status, reply.text().as_str()),
                (200, answering[0].trim_matches(['[', ']'])),
                "{all:?}"
            );
        }
    }
}

#[test]
fn localhost_is_both_loopback_addresses() {
    let port = pn_testkit::free_port();
    let proxy = rig::start(&format!(
        "servers = [\"http://localhost:{port}\"]\ntransport = {{ pool = {{ idle-per-server = 0 }} }}"
    ));
    assert_eq!(rig::get(&proxy, "/").header("proxy-status"), "proxy-now; error=connection_refused");
    for address in ["127.0.0.1", "[::1]"] {
        let listener = TcpListener::bind(format!("{address}:{port}")).expect("a port");
        let answering = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = [0; 4096];
            stream.read(&mut head).and_then(|_| stream.write_all(rig::OK.as_bytes())).expect("an exchange");
        });
        assert_eq!(rig::get(&proxy, "/").status, 200, "{address}");
        answering.join().expect("it has answered");
    }
}
