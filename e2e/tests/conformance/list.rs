//! The list of all cases, docs/conformance.md, and what holds it to the tables.

use std::collections::HashSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::RUN;
use crate::case::Case;
use crate::tables::TABLES;

const LEAST: usize = 150;
const HEAD: &str = "# Conformance\n\n\
    What the suite shows against hostile clients and hostile upstreams: the real binary, real sockets, bytes by hand.\n\
    Each row is a section of a specification and a behaviour, and is a case of `e2e/tests/conformance`.\n\
    Written by `cargo xtask docs`; a test fails when it drifts.\n";

#[test]
fn the_list_is_that_of_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    let list = list();
    if env::var_os("UPDATE_CONFORMANCE").is_some() {
        fs::write(&path, &list).expect("docs/conformance.md");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == list, "docs/conformance.md is not up to date: `cargo xtask docs` writes it");
}

#[test]
fn every_table_is_run() {
    let (mut titles, mut run): (Vec<_>, Vec<_>) =
        (TABLES.iter().map(|table| table.title).collect(), RUN.to_vec());
    titles.sort_unstable();
    run.sort_unstable();
    assert_eq!(titles, run);
}

#[test]
fn the_list_has_enough_distinct_pairs_of_section_and_behaviour() {
    let cases: Vec<Case> = TABLES.iter().flat_map(|table| (table.cases)()).collect();
    let mut ids = HashSet::new();
    let mut pairs = HashSet::new();
    for case in &cases {
        assert!(ids.insert(case.id), "two cases are called {}", case.id);
        assert!(
            pairs.insert((case.section, case.behaviour)),
            "listed twice: {} {}",
            case.section,
            case.behaviour
        );
        assert!(!case.steps.is_empty(), "{} shows nothing", case.id);
    }
    let of_rfcs = cases.iter().filter(|case| case.section.starts_with("RFC ")).count();
    assert!(of_rfcs >= LEAST, "{of_rfcs} pairs, fewer than {LEAST}");
}

fn list() -> String {
    let mut list = HEAD.to_owned();
    let total: usize = TABLES.iter().map(|table| (table.cases)().len()).sum();
    write!(list, "\n{total} cases.\n").expect("a string takes text");
    for table in TABLES {
        write!(list, "\n## {}\n\n| section | behaviour | case |\n|---|---|---|\n", table.title)
            .expect("a string takes text");
        for case in (table.cases)() {
            let behaviour = case.behaviour.replace('|', "\\|");
            writeln!(list, "| {} | {behaviour} | `{}` |", case.section, case.id)
                .expect("a string takes text");
        }
    }
    list
}
