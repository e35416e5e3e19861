//! A disk that is full, or has become read-only: what runs is served, nothing is ordered that could not be kept, and all
//! goes on when there is room.

use std::process::Command;

use pn_testkit::{Authority, Named, Pebble, PebbleOptions, Peer, alone};

use crate::place::{Place, config, obtained, patiently};

const HOSTS: &str = "@ IN A 127.0.0.1\n* IN A 127.0.0.1";
const OTHER: &str = "[sites.\"b.proxy.example\"]\nrespond = { body = \"b\" }\n";

/// Runs it in the namespace of the test.
#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    Peer::run(program, Command::new(program).args(arguments), pn_testkit::PATIENCE).expect_success();
}

/// Something is done with the disk before a site is added, and undone after it.
fn check(breaks: fn(&Place), mends: fn(&Place), told: &str) {
    let _names = Named::start_at(53, &[("proxy.example", HOSTS)]);
    let place = Place::usual();
    let pebble = place.pebble(PebbleOptions::default());
    mount(&place);
    let clock = place.clock("+0");
    let (setup, config) = (place.setup(&pebble.directory(), pebble.authority()), config(""));
    let mut proxy = setup.clock_of(&clock).start(&config);
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    breaks(&place);
    proxy.reload_accepted(&format!("{config}{OTHER}"));
    patiently("the disk to be told of", || proxy.log().contains(told));
    assert_eq!(place.visit("a.proxy.example", "--http2").expect_success(), "a 2");
    let root = place.state().join("internal-ca/root.crt").display().to_string();
    assert_eq!(place.visit_trusting(&root, "b.proxy.example", "--http2").expect_success(), "b 2");
    assert_eq!(orders(&pebble), 1, "{}", proxy.log());

    mends(&place);
    place.clock("+3m");
    patiently("the other certificate", || obtained(&proxy) == 2);
    place.wait_until_served(&proxy, "b.proxy.example", "b");
    assert_eq!(orders(&pebble), 2, "{}", proxy.log());
    proxy.stop();
}

/// The state is on a small disk of its own.
#[track_caller]
fn mount(place: &Place) -> String {
    std::fs::create_dir(place.state()).expect("a folder to mount at");
    let at = place.state().display().to_string();
    run("mount", &["-t", "tmpfs", "-o", "size=1m,mode=0700", "none", &at]);
    at
}

fn orders(pebble: &Pebble) -> usize {
    pebble.peer().log().matches("POST /order-plz").count()
}

#[test]
fn a_full_disk_orders_nothing_until_there_is_room() {
    alone(|| {
        check(fill, empty, "No space left on device");
    });
}

/// A process that starts then: what is stored is served, and the rest comes when the disk takes it.
fn check_start(breaks: fn(&Place), mends: fn(&Place), told: &str) {
    let _names = Named::start_at(53, &[("proxy.example", HOSTS)]);
    let place = Place::usual();
    let pebble = place.pebble(PebbleOptions::default());
    mount(&place);
    let clock = place.clock("+0");
    let setup = || place.setup(&pebble.directory(), pebble.authority()).clock_of(&clock);
    let proxy = setup().start(&config(""));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    proxy.stop();
    breaks(&place);

    let proxy = setup().start(&format!("{}{OTHER}", config("")));
    assert_eq!(place.visit("a.proxy.example", "--http2").expect_success(), "a 2", "{}", proxy.log());
    let root = place.state().join("internal-ca/root.crt").display().to_string();
    assert_eq!(place.visit_trusting(&root, "b.proxy.example", "--http2").expect_success(), "b 2");
    patiently("the disk to be told of", || {
        proxy.log().lines().any(|line| line.contains("ERROR") && line.contains(told))
    });
    assert_eq!((obtained(&proxy), orders(&pebble)), (0, 1), "{}", proxy.log());

    mends(&place);
    place.clock("+3m");
    patiently("the other certificate", || obtained(&proxy) == 1);
    place.wait_until_served(&proxy, "b.proxy.example", "b");
    assert_eq!(orders(&pebble), 2, "{}", proxy.log());
    proxy.stop();
}

fn fill(place: &Place) {
    // As much as goes in.
    let mut file = std::fs::File::create(place.state().join("filler")).expect("a file");
    std::io::copy(&mut std::io::repeat(0), &mut file).expect_err("a full disk");
}

fn empty(place: &Place) {
    std::fs::remove_file(place.state().join("filler")).expect("the file");
}

fn remount(place: &Place, how: &str) {
    run("mount", &["-o", &format!("remount,{how}"), &place.state().display().to_string()]);
}

#[test]
fn a_start_on_a_full_disk_serves_what_is_stored() {
    alone(|| check_start(fill, empty, "No space left on device"));
}

#[test]
fn a_start_on_a_disk_that_is_read_only_serves_what_is_stored() {
    alone(|| {
        check_start(|place| remount(place, "ro"), |place| remount(place, "rw"), "Read-only file system");
    });
}

/// Nothing is there that could be served, and nothing could be kept.
#[test]
fn a_first_start_on_a_disk_that_is_read_only_is_refused() {
    alone(|| {
        let place = Place::new();
        mount(&place);
        remount(&place, "ro");
        let refused = place.setup("https://ca.invalid/dir", &Authority::new()).refuse(&config(""));
        let told = ["Read-only file system", "state-dir = ", "nothing is served"];
        assert!(told.iter().all(|part| refused.stderr.contains(part)), "{refused:?}");
    });
}
