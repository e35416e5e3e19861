//! The proxy beside one made of hyper's HTTP/1: the same bytes to both, and what they see differently is wanted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pn_testkit::Proxy;
use pn_testkit::differential::{KNOWN, Known, Recorder, Stage, choose, compare, rows};

/// Connections that are made up.
const MADE_UP: u64 = 1_500;

/// The proxy in front of a recorder, and the oracle beside it.
fn stage() -> (Proxy, Stage) {
    let origin = Recorder::start();
    let setup = Proxy::setup().set("origin", origin.addr());
    let proxy = setup.start(
        "[runtime]\nworkers = 1\n[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
         [sites.\"*\"]\nhttps = \"off\"\nto = \"http://<origin>\"\n",
    );
    let stage = Stage::new(proxy.addr("web"), origin);
    (proxy, stage)
}

#[test]
fn differences_to_hyper_are_those_that_are_listed() {
    let (_proxy, stage) = stage();
    let (mut faults, mut occurred) = (String::new(), BTreeSet::new());
    for row in rows() {
        let (own, oracle) = stage.ask(&row.bytes);
        let found = compare(&own, &oracle);
        let as_listed = match (&row.differs, &found) {
            (None, None) => true,
            (Some(name), Some(difference)) => Known::of(name).kind == difference.kind,
            _ => false,
        };
        if as_listed {
            occurred.extend(row.differs);
        } else {
            write!(faults, "{}: expected {:?}, found {found:?}\n\n", row.name, row.differs).unwrap();
        }
    }
    for known in KNOWN.iter().filter(|known| !occurred.contains(known.name)) {
        writeln!(faults, "{} ({}) is listed and does not occur", known.name, known.section).unwrap();
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn connections_that_are_made_up_are_seen_in_one_way() {
    let (_proxy, stage) = stage();
    let seed = seed();
    let mut faults = String::new();
    for number in 0..MADE_UP {
        let input = choose(&random(seed.wrapping_add(number)));
        let (own, oracle) = stage.ask(&input.bytes);
        if let Some(difference) = compare(&own, &oracle)
            && !input.allows(&difference)
        {
            let bytes = input.bytes.escape_ascii();
            write!(
                faults,
                "DIFFERENTIAL_SEED={} {:?} {bytes}\n {}\n\n",
                seed.wrapping_add(number),
                difference.kind,
                difference.what
            )
            .unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// One that is always the same, so that a run says the same of the same code; `DIFFERENTIAL_SEED` is another, and the fuzz
/// target looks for those that nobody thought of. Each connection adds one to it, and what fails names its own.
fn seed() -> u64 {
    std::env::var("DIFFERENTIAL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x9e37_79b9)
}

/// As many choices as any connection takes (splitmix64).
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..5).flat_map(|_| word().to_le_bytes()).collect()
}
