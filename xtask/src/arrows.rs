//! Which crate of the workspace may depend on which, and what some must never name. The table is the one of
//! ARCHITECTURE.md; a change of it is a change of the architecture.

use anyhow::{Result, bail};

use crate::metadata::{Crate, Dependency, members, normal_closure};

/// Crate, and all it may depend on.
const NORMAL: &[(&str, &[&str])] = &[
    ("pn-model", &[]),
    ("pn-config", &["pn-model"]),
    ("pn-migrate", &["pn-config", "pn-model"]),
    ("pn-core", &["pn-http1", "pn-model"]),
    ("pn-middleware", &["pn-core", "pn-model"]),
    ("pn-io", &[]),
    ("pn-http1", &[]),
    ("pn-tls", &["pn-core", "pn-model"]),
    ("pn-acme", &["pn-tls", "pn-model"]),
    ("pn-proxy", &["pn-core", "pn-http1", "pn-io", "pn-tls", "pn-model"]),
    ("pn-wasm", &["pn-core", "pn-model"]),
    ("pn-ebpf", &["pn-model"]),
    ("pn-control", &["pn-config", "pn-core", "pn-tls", "pn-acme", "pn-model"]),
    ("pn-admin", &["pn-control", "pn-core", "pn-model"]),
    (
        "proxy-now",
        &[
            "pn-model",
            "pn-config",
            "pn-core",
            "pn-middleware",
            "pn-io",
            "pn-tls",
            "pn-acme",
            "pn-proxy",
            "pn-wasm",
            "pn-ebpf",
            "pn-control",
            "pn-admin",
        ],
    ),
    ("pn-testkit", &[]),
    ("proxy-now-e2e", &["pn-testkit"]),
    (
        "proxy-now-benches",
        &["pn-model", "pn-config", "pn-core", "pn-http1", "pn-io", "pn-middleware", "pn-testkit"],
    ),
    ("xtask", &[]),
];

/// What tests and benchmarks of a crate may use beyond the table above: pn-testkit, and what stands here.
const DEV: &[(&str, &[&str])] = &[
    // A data plane test needs a real middleware in its graph.
    ("pn-proxy", &["pn-middleware"]),
    ("pn-control", &["pn-middleware"]),
    // Certificates for tests come from the internal CA, which stands above the TLS crate.
    ("pn-tls", &["pn-acme"]),
];

/// Crate, what it must not name in its own dependencies, and why.
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "pn-model",
        &["serde", "serde_json", "toml", "tokio", "hyper", "rustls"],
        "plain data, no wire format, no I/O",
    ),
    (
        "pn-core",
        &[
            "tokio",
            "hyper",
            "hyper-util",
            "rustls",
            "tokio-rustls",
            "socket2",
            "rustix",
            "libc",
            "mio",
            "serde",
        ],
        "the contract names no runtime, protocol library, socket or file format",
    ),
    (
        "pn-middleware",
        &["tokio", "hyper", "hyper-util", "rustls", "tokio-rustls", "socket2", "rustix", "libc"],
        "middlewares see contexts only",
    ),
    ("pn-tls", &["hyper", "toml", "serde"], "TLS comes before HTTP and knows no configuration format"),
    ("pn-proxy", &["toml", "toml_edit", "serde"], "the data plane cannot name the configuration"),
    ("pn-io", &["hyper", "rustls", "http"], "buffers and I/O operations know no protocol"),
];

/// Crate, and what it must not even link in by way of others.
const NEVER_LINKED: &[(&str, &[&str])] = &[
    ("pn-model", &["serde", "tokio", "hyper", "rustls", "mio"]),
    ("pn-core", &["tokio", "hyper", "rustls", "mio", "socket2", "serde"]),
    ("pn-middleware", &["tokio", "hyper", "rustls", "mio", "socket2"]),
    ("pn-proxy", &["pn-config", "pn-control", "toml"]),
];

/// Fails with every arrow that should not be.
pub(crate) fn run() -> Result<()> {
    let members = members()?;
    let each = members.iter().flat_map(|package| package_faults(&package.name, &package.dependencies));
    let mut faults: Vec<String> = each.collect();
    let exists = |name: &str| members.iter().any(|package| package.name == name);
    for (package, never) in NEVER_LINKED.iter().filter(|(package, _)| exists(package)) {
        faults.extend(linked_faults(package, never, &normal_closure(package, "")?));
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} arrows that ARCHITECTURE.md does not allow:\n  {}", faults.len(), faults.join("\n  "));
}

fn package_faults(package: &str, dependencies: &[Dependency]) -> Vec<String> {
    let Some(normal) = entry(NORMAL, package) else {
        return vec![format!(
            "{package} is not in the table of crates (xtask/src/arrows.rs, ARCHITECTURE.md)"
        )];
    };
    dependencies.iter().filter_map(|dependency| fault(package, normal, dependency)).collect()
}

fn fault(package: &str, normal: &[&str], dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    let test_only = dependency.kind.as_deref() == Some("dev");
    let allowed = normal.contains(&name)
        || (test_only
            && (name == "pn-testkit" || entry(DEV, package).is_some_and(|dev| dev.contains(&name))));
    if dependency.path.is_some() && !allowed {
        return Some(format!("{package} -> {name}{}", if test_only { " (in its tests)" } else { "" }));
    }
    let (_, never, reason) = NEVER.iter().find(|(each, ..)| *each == package)?;
    (!test_only && never.contains(&name)).then(|| format!("{package} -> {name}: {reason}"))
}

fn linked_faults(package: &str, never: &[&str], closure: &[Crate]) -> Vec<String> {
    let found = closure.iter().filter(|each| never.contains(&each.name.as_str()));
    found.map(|each| format!("{package} -> .. -> {}", each.name)).collect()
}

fn entry<'a>(table: &[(&str, &'a [&'a str])], package: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(name, _)| *name == package).map(|(_, allowed)| *allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_to_the_table() {
        run().unwrap();
    }

    #[test]
    fn every_arrow_outside_the_table_is_found() {
        let rows = [
            ("pn-core", "pn-model", None, true, 0),
            ("pn-core", "pn-config", None, true, 1),
            ("pn-core", "pn-testkit", Some("dev"), true, 0),
            ("pn-core", "pn-testkit", None, true, 1),
            ("pn-core", "pn-middleware", Some("dev"), true, 1),
            ("pn-proxy", "pn-control", Some("dev"), true, 1),
            ("pn-proxy", "pn-middleware", Some("dev"), true, 0),
            ("pn-proxy", "pn-middleware", None, true, 1),
            ("pn-core", "tokio", None, false, 1),
            ("pn-core", "tokio", Some("dev"), false, 0),
            ("pn-core", "tokio", Some("build"), false, 1),
            ("pn-model", "serde", None, false, 1),
            ("proxy-now", "pn-testkit", None, true, 1),
            ("pn-unheard-of", "bytes", None, false, 1),
        ];
        for (package, name, kind, ours, expected) in rows {
            let dependency = Dependency {
                name: name.to_owned(),
                kind: kind.map(str::to_owned),
                path: ours.then(|| format!("/{name}")),
            };
            let found = package_faults(package, &[dependency]);
            assert_eq!(found.len(), expected, "{package} -> {name} ({kind:?}): {found:?}");
        }
    }

    #[test]
    fn what_is_linked_by_way_of_others_is_found() {
        let closure = ["bytes", "tokio"].map(|name| Crate {
            name: name.to_owned(),
            version: String::new(),
            license: String::new(),
        });
        assert_eq!(linked_faults("pn-core", &["tokio"], &closure), ["pn-core -> .. -> tokio"]);
    }

    /// Invariant 1: the table itself gives the data plane no way to the configuration.
    #[test]
    fn the_table_keeps_the_data_plane_from_the_configuration() {
        for plane in ["pn-core", "pn-middleware", "pn-proxy", "pn-tls", "pn-wasm", "pn-io"] {
            let reached = reachable(plane);
            assert!(
                !reached.contains(&"pn-config") && !reached.contains(&"pn-control"),
                "{plane}: {reached:?}"
            );
        }
    }

    fn reachable(from: &str) -> Vec<&str> {
        let mut reached = vec![from];
        let mut next = 0;
        while next < reached.len() {
            reached.extend(entry(NORMAL, reached[next]).unwrap_or_default());
            next += 1;
            assert!(next < 1000, "the table has a cycle through {from}");
        }
        reached
    }
}
