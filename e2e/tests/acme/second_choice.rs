//! Who is asked beside an issuer's own directory: its staging CA after a failure, and a fallback when time runs out.

use std::sync::Arc;

use pn_testkit::{Authority, Pebble, PebbleOptions, Proxy, free_port};

use crate::operator::show;
use crate::outages::failure;
use crate::place::{Place, config, obtained, patiently};

const HOST: &str = "a.proxy.example";

/// Pebbles whose directories one authority has signed for.
struct Cas<'a> {
    place: &'a Place,
    authority: Arc<Authority>,
}

impl<'a> Cas<'a> {
    fn new(place: &'a Place) -> Self {
        Self { place, authority: Arc::new(Authority::named("Directory Authority")) }
    }

    #[track_caller]
    fn start(&self, options: PebbleOptions) -> Pebble {
        self.place.pebble(PebbleOptions { authority: Some(Arc::clone(&self.authority)), ..options })
    }
}

fn verified_by(place: &Place, root: &str) -> bool {
    let root = place.folder.write("this-root.pem", root).display().to_string();
    place.visit_trusting(&root, HOST, "--http2").stdout == "a 2"
}

fn rehearsed(proxy: &Proxy) -> usize {
    proxy.log().matches("the staging CA said yes").count()
}

/// The real one looks for challenges where nobody is, the staging one in the right place.
#[test]
fn what_was_refused_is_tried_at_the_staging_ca_before_it_is_ordered_again() {
    let (place, port) = (Place::new(), free_port());
    let cas = Cas::new(&place);
    let real = PebbleOptions { port: Some(port), ..PebbleOptions::default() };
    let nowhere = Some(free_port());
    let blind = cas.start(PebbleOptions { http_port: nowhere, tls_port: nowhere, ..real.clone() });
    let staging = cas.start(PebbleOptions::default());
    let clock = place.clock("+0");
    let setup = place.setup(&blind.directory(), &cas.authority).clock_of(&clock);
    let proxy = setup.start(&config(&format!("staging = \"{}\"", staging.directory())));
    failure(&place, &proxy);
    assert!(!staging.peer().log().contains("/order-plz"), "nothing was refused before");

    place.clock("+3m");
    patiently("the staging CA and then the real one to be asked", || {
        rehearsed(&proxy) == 1 && proxy.log().matches("certificate not obtained").count() == 2
    });
    assert_eq!(obtained(&proxy), 0, "{}", proxy.log());
    assert!(!verified_by(&place, &staging.root()), "what it signs is thrown away");

    drop(blind);
    let _real = cas.start(real);
    place.clock("+10m");
    place.wait_until_served(&proxy, HOST, "a");
    assert_eq!((rehearsed(&proxy), obtained(&proxy)), (2, 1), "{}", proxy.log());
    assert!(!verified_by(&place, &staging.root()), "{}", proxy.log());
}

/// Of 90 days.
#[test]
fn a_fallback_is_asked_when_a_sixth_is_left_and_not_before() {
    let (place, port) = (Place::new(), free_port());
    let cas = Cas::new(&place);
    let second = cas.start(PebbleOptions::default());
    let own = PebbleOptions { port: Some(port), ..PebbleOptions::default() };
    let first = cas.start(own.clone());
    let (directory, root) = (first.directory(), first.root());
    let fallback = format!("\n[issuers.second.acme]\ndirectory = \"{}\"\n", second.directory());
    let config = format!("{}{fallback}", config("fallback = [\"second\"]"));
    let start = |clock| place.setup(&directory, &cas.authority).clock(clock).start(&config);
    let proxy = start("+0");
    place.wait_until_served(&proxy, HOST, "a");
    proxy.stop();
    drop(first);

    let nowhere = Some(free_port());
    let _blind = cas.start(PebbleOptions { http_port: nowhere, tls_port: nowhere, ..own });
    let proxy = start("+70d");
    let told = failure(&place, &proxy);
    assert!(told.contains("not proven by"), "{told}");
    assert!(!second.peer().log().contains("/order-plz"), "its bad day is no reason to change the CA");
    assert!(verified_by(&place, &root), "{}", proxy.log());

    proxy.stop();
    let proxy = start("+76d");
    patiently("the other issuer's certificate", || verified_by(&place, &second.root()));
    assert_eq!((obtained(&proxy), &show(&proxy, HOST)["issuer"]), (1, &"second".into()), "{}", proxy.log());
}
