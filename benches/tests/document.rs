//! The document that a comparison writes: what it says of a figure, and what of a figure that is not there. The
//! comparison itself needs a quiet machine and is tried by hand.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pn_testkit::{Folder, Peer, find_program};
use serde_json::{Value, json};

const BEFORE: &str = "# Cost\n\n<!-- written by benches/compare/document from here ... -->\nold\n<!-- ... to here; do not edit -->\nafter\n";

fn row(peer: &str, value: f64, failed: u32) -> Value {
    json!({"peer": peer, "value": value, "cells": {"CPU us/req": value.to_string()}, "failed": failed, "notes": [], "samples": []})
}

fn run(commit: &str, tables: &[(&str, &[Value])], instructions: &Value) -> Value {
    let tables = tables.iter().map(|(name, rows)| {
        ((*name).to_owned(), json!({"title": format!("the load {name}"), "metric": "CPU", "rows": rows}))
    });
    json!({
        "started": 1.0,
        "commit": commit,
        "instructions": instructions,
        "missing": ["envoy"],
        "options": {"rounds": 5, "seconds": 2},
        "versions": {"nginx": "1.22.1"},
        "machine": {"cpu": "A & B", "cores": 2, "kernel": "6"},
        "placement": "apart",
        "load_average": {"start": 0.5},
        "workloads": tables.collect::<serde_json::Map<_, _>>(),
    })
}

/// The document and the figure of `h1`.
fn written(runs: &[Value]) -> (String, String) {
    let folder = Folder::new();
    let document = folder.write("performance.md", BEFORE);
    let mut command = Command::new(find_program("python3"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("compare/document"));
    for (number, run) in runs.iter().enumerate() {
        command.arg(folder.write(&format!("{number}.json"), run.to_string()));
    }
    command.arg("--document").arg(&document).arg("--images").arg(folder.join("img"));
    Peer::run("document", &command, Duration::from_secs(20)).expect_success();
    let figure = fs::read_to_string(folder.join("img/h1.svg")).unwrap_or_default();
    (fs::read_to_string(document).unwrap_or_default(), figure)
}

#[test]
fn a_figure_is_judged_by_its_target_and_a_failure_leaves_none() {
    let rows: [(f64, u32, &str); 5] = [
        (8.0, 0, "| 0.80 | 0.92 | 0.85 | stretch reached |"),
        (9.0, 0, "| 0.90 | 0.92 | 0.85 | reached |"),
        (9.2, 0, "| 0.92 | 0.92 | 0.85 | reached |"),
        (11.5, 0, "| 1.15 | 0.92 | 0.85 | missed by 25 % |"),
        (8.0, 1, "| - | 0.92 | 0.85 | no figure |"),
    ];
    for (ours, failed, expected) in rows {
        let peers = [row("proxy-now", ours, failed), row("nginx", 10.0, 0), row("haproxy", 12.0, 0)];
        let (text, figure) = written(&[run("abc", &[("h1", &peers)], &json!({}))]);
        let line = format!(
            "| HTTP/1.1 keepalive, 128 B, 64 connections | the cheaper of nginx and HAProxy {expected}"
        );
        assert!(text.contains(&line), "{ours} {failed}: no line {line} in\n{text}");
        assert_eq!(figure.contains("no figure"), failed > 0, "{figure}");
    }
}

#[test]
fn the_later_run_counts_and_what_stands_around_stays() {
    let (first, second) = ([row("proxy-now", 1.0, 0)], [row("proxy-now", 2.5, 0)]);
    let counted = json!({"h1": 10_000.0, "middlewares": 11_400.0, "routes-10000": 10_300.0});
    let early = run("old1", &[("h1", &first), ("tls", &first)], &json!({}));
    let (text, figure) = written(&[early, run("new2", &[("h1", &second)], &counted)]);
    let expected = [
        "# Cost\n\n<!--",
        "-->\nafter\n",
        "| 1 | `old1` | 1970-01-01 | 5 of 2 s | 0.50 | tls |",
        "| 2 | `new2` | 1970-01-01 | 5 of 2 s | 0.50 | h1 |",
        "not measured: envoy.",
        "| proxy-now | 2.5 | 0 |  |",
        "![the load h1](img/h1.svg)",
        "to one route |  | 1.03 | 1.02 |  | missed by less than 1 % |",
        "beyond the bare route |  | 1400 | 1500 |  | reached |",
    ];
    for part in expected {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(!text.contains("\nold\n"), "{text}");
    assert!(figure.contains(">2.5</text>"), "{figure}");
}
