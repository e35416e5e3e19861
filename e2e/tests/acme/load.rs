//! Renewals while clients come and go: no handshake and no request fails, whichever certificate it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use pn_testkit::{PebbleOptions, Proxy, Session, TlsOptions, request};

use crate::place::{Place, config, obtained, patiently};

const HOST: &str = "a.proxy.example";
const RENEWALS: usize = 4;
/// New connections with the new certificate, before the next renewal.
const AFTER: usize = 40;

/// Clients that verify, each in a connection of its own, one after the other until they are told to stop.
struct Visitors {
    stop: Arc<AtomicBool>,
    visits: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Visitors {
    fn start(address: SocketAddr, root: &str) -> Self {
        let (stop, visits, failures) = (Arc::default(), Arc::default(), Arc::default());
        let trusting = TlsOptions::trusting_pem(root);
        let kinds = [
            trusting.clone().alpn(&["h2"]),
            trusting.clone().alpn(&["http/1.1"]).only_tls12(),
            trusting.alpn(&["h2"]).resuming(),
        ];
        let mut visitors = Self { stop, visits, failures, threads: Vec::new() };
        visitors.threads = kinds.into_iter().map(|options| visitors.thread(address, options)).collect();
        visitors
    }

    fn thread(&self, address: SocketAddr, options: TlsOptions) -> JoinHandle<()> {
        let (stop, visits, failures) =
            (Arc::clone(&self.stop), Arc::clone(&self.visits), Arc::clone(&self.failures));
        thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                if let Err(failure) = visit(address, &options) {
                    failures.lock().expect("a list").push(failure);
                }
                visits.fetch_add(1, Ordering::SeqCst);
            }
        })
    }

    fn count(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a visitor's end"));
        self.failures.lock().expect("a list").clone()
    }
}

fn visit(address: SocketAddr, options: &TlsOptions) -> Result<(), String> {
    let mut session = Session::try_tls(address, HOST, options)?;
    let reply = session.try_send(request("GET", HOST, "/"))?;
    let fine = reply.status == 200 && reply.text() == "a";
    if fine { Ok(()) } else { Err(format!("{reply:?}")) }
}

#[test]
fn no_handshake_and_no_request_fails_while_certificates_are_renewed() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 20, reuse: 0, ..PebbleOptions::default() });
    let proxy = place.setup(&pebble.directory(), pebble.authority()).start(&config(""));
    place.wait_until_served(&proxy, HOST, "a");
    let root = std::fs::read_to_string(place.folder.join("root.pem")).expect("the root");
    let visitors = Visitors::start(SocketAddr::from(([127, 0, 0, 1], place.tls)), &root);
    for round in 1..=RENEWALS {
        renew(&proxy);
        patiently("a renewal", || obtained(&proxy) == round + 1);
        let before = visitors.count();
        patiently("visits with the new certificate", || visitors.count() >= before + AFTER);
    }
    let visits = visitors.count();
    let failures = visitors.end();
    assert!(
        failures.is_empty(),
        "{} of {visits} visits failed: {:?}\n{}",
        failures.len(),
        failures[0],
        proxy.log()
    );
    assert!(visits > RENEWALS * AFTER, "{visits}");
}

#[track_caller]
fn renew(proxy: &Proxy) {
    proxy.command(&["certs", "renew", HOST, "--address", &proxy.admin().to_string()]).expect_success();
}
