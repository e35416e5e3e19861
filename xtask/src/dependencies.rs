//! Foreign crates: which are forbidden, who may use the TLS library, which licences are accepted. The lists are those
//! of deny.toml; cargo-deny reads them where it is installed, and the check here reads them everywhere.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::metadata::{Crate, Use, normal_closure, uses};
use crate::process::{MINUTE, cargo, cargo_has, root, run as run_command};

/// One TLS stack and one HTTP stack: two versions of one of these in the binary are two stacks.
const SINGLE: &[&str] = &["rustls", "tokio-rustls", "aws-lc-rs", "hyper", "h2", "http", "tokio", "bytes"];
/// Of the binary that brings the APIs of DNS providers, and so a second HTTP client; no other build has that.
const PROVIDERS: (&str, &str) = ("dns-providers", "reqwest");

#[derive(Deserialize)]
struct Deny {
    bans: Bans,
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Who may depend on it directly; nobody when there is none.
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let text = fs::read_to_string(root().join("deny.toml")).context("deny.toml")?;
    let deny: Deny = toml::from_str(&text).context("deny.toml")?;
    let uses = uses()?;
    let mut faults = banned(&uses, &deny.bans.deny);
    faults.extend(unlicensed(&uses, &deny.licenses.allow));
    let (feature, client) = PROVIDERS;
    let plain = normal_closure("proxy-now", "")?;
    faults.extend(
        plain
            .iter()
            .filter(|each| each.name == client)
            .map(|_| format!("proxy-now links {client} without the feature {feature}")),
    );
    faults.extend(doubled(&plain));
    faults.extend(doubled(&normal_closure("proxy-now", feature)?));
    if !faults.is_empty() {
        bail!("foreign crates that deny.toml does not allow:\n  {}", faults.join("\n  "));
    }
    if cargo_has("deny") {
        run_command(&mut cargo(&["deny", "check", "bans", "licenses", "sources"]), 5 * MINUTE)?;
    }
    Ok(())
}

/// Every use of a banned crate by somebody who is not one of its wrappers.
fn banned(uses: &[Use], bans: &[Ban]) -> Vec<String> {
    let forbids = |each: &&Use| {
        bans.iter().any(|ban| ban.name == each.used.name && !ban.wrappers.contains(&each.user.name))
    };
    let mut faults: Vec<String> = uses.iter().filter(forbids).map(describe).collect();
    faults.dedup();
    faults
}

fn describe(each: &Use) -> String {
    format!("{} {} is used by {} {}", each.used.name, each.used.version, each.user.name, each.user.version)
}

fn unlicensed(uses: &[Use], allowed: &[String]) -> Vec<String> {
    let mut crates: Vec<&Crate> = uses.iter().map(|each| &each.used).collect();
    crates.sort();
    crates.dedup();
    let unfit = crates.into_iter().filter(|each| !acceptable(&each.license, allowed));
    unfit.map(|each| format!("{} {} has the licence {:?}", each.name, each.version, each.license)).collect()
}

/// SPDX expressions as crates write them: OR binds weaker than AND, `/` is an old OR, WITH belongs to its licence.
fn acceptable(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut tokens = Tokens { rest: &expression };
    tokens.any(allowed) && tokens.rest.trim().is_empty()
}

struct Tokens<'a> {
    rest: &'a str,
}

impl Tokens<'_> {
    fn any(&mut self, allowed: &[String]) -> bool {
        let mut result = self.all(allowed);
        while self.take("OR ") {
            result |= self.all(allowed);
        }
        result
    }

    fn all(&mut self, allowed: &[String]) -> bool {
        let mut result = self.one(allowed);
        while self.take("AND ") {
            result &= self.one(allowed);
        }
        result
    }

    fn one(&mut self, allowed: &[String]) -> bool {
        if self.take("(") {
            let result = self.any(allowed);
            return self.take(")") && result;
        }
        let text = self.rest.trim_start();
        let ends = [" OR ", " AND ", ")"].iter().filter_map(|end| text.find(end));
        let (name, rest) = text.split_at(ends.min().unwrap_or(text.len()));
        self.rest = rest;
        allowed.iter().any(|each| each == name.trim())
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn doubled(closure: &[Crate]) -> Vec<String> {
    let versions = |name: &str| closure.iter().filter(|each| each.name == name).count();
    let found = SINGLE.iter().filter(|name| versions(name) > 1);
    found.map(|name| format!("proxy-now links two versions of {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_uses_no_forbidden_crate() {
        run().unwrap();
    }

    #[test]
    fn licences_are_judged_by_their_expression() {
        let allowed =
            ["MIT".to_owned(), "Apache-2.0".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        let rows = [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND Apache-2.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("", false),
            ("MIT)", false),
        ];
        for (expression, expected) in rows {
            assert_eq!(acceptable(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn only_its_wrappers_may_use_a_banned_crate() {
        let bans = [Ban { name: "rustls".to_owned(), wrappers: vec!["pn-tls".to_owned()] }];
        let uses =
            ["pn-tls", "pn-core"].map(|user| Use { user: named((user, "1")), used: named(("rustls", "2")) });
        assert_eq!(banned(&uses, &bans), ["rustls 2 is used by pn-core 1"]);
    }

    #[test]
    fn a_second_version_is_found() {
        let closure = [("rustls", "0.23.1"), ("rustls", "0.24.0"), ("hyper", "1.0.0")].map(named);
        assert_eq!(doubled(&closure), ["proxy-now links two versions of rustls"]);
    }

    fn named((name, version): (&str, &str)) -> Crate {
        Crate { name: name.to_owned(), version: version.to_owned(), license: String::new() }
    }
}
