//! What cargo says about the workspace: its manifests (`cargo metadata`), and what is really built (`cargo tree`, which
//! unlike the former leaves out what only an unused feature would bring).

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::{capture, cargo};

/// How `cargo tree` writes what is parsed here.
const FORM: [&str; 2] = ["--prefix=depth", "--format=\t{p}\t{l}"];

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as the manifest writes it, whether or not a feature or platform switches it on.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Only dependencies inside the repository have one.
    #[serde(default)]
    pub(crate) path: Option<String>,
}

/// The crates of the workspace.
pub(crate) fn members() -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let text = capture(&mut cargo(&["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Metadata =
        serde_json::from_str(&text).context("cargo metadata has another form than expected")?;
    Ok(metadata.packages)
}

/// A crate that is built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: String,
}

/// One crate uses another.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) user: Crate,
    pub(crate) used: Crate,
}

/// Every use of one crate by another when the whole workspace is built with all features; what only its tests use is
/// left out.
pub(crate) fn uses() -> Result<Vec<Use>> {
    let arguments = ["tree", "--workspace", "--all-features", "--edges=normal,build"];
    Ok(parse_tree(&capture(cargo(&arguments).args(FORM))?))
}

/// All that a crate links in, built alone with these features: the workspace's other crates add none.
pub(crate) fn normal_closure(package: &str, features: &str) -> Result<Vec<Crate>> {
    let arguments = ["tree", "--package", package, "--features", features, "--edges=normal"];
    let text = capture(cargo(&arguments).args(FORM))?;
    let mut found: Vec<Crate> = text.lines().filter_map(parse_line).map(|(_, each)| each).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn parse_tree(text: &str) -> Vec<Use> {
    let mut path: Vec<Crate> = Vec::new();
    let mut uses = Vec::new();
    for (depth, used) in text.lines().filter_map(parse_line) {
        path.truncate(depth);
        if let Some(user) = path.last() {
            uses.push(Use { user: user.clone(), used: used.clone() });
        }
        path.push(used);
    }
    uses
}

/// `DEPTH\tNAME vVERSION (notes)\tLICENCE (*)`
fn parse_line(line: &str) -> Option<(usize, Crate)> {
    let mut fields = line.split('\t');
    let depth = fields.next()?.parse().ok()?;
    let (name, rest) = fields.next()?.split_once(" v")?;
    let version = rest.split(' ').next()?;
    let license = fields.next()?.trim_end_matches(" (*)");
    Some((depth, Crate { name: name.to_owned(), version: version.to_owned(), license: license.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_into_uses() {
        let text = "0\ta v1.0.0 (/a)\tMIT\n1\tb v2.0.0\tMIT OR X\n2\tc v3.0.0\tX (*)\n1\tc v3.0.0\tX\n\n0\td v4.0.0\tMIT\n";
        let found: Vec<_> =
            parse_tree(text).into_iter().map(|each| (each.user.name, each.used.name)).collect();
        let expected = [("a", "b"), ("b", "c"), ("a", "c")];
        assert_eq!(found, expected.map(|(user, used)| (user.to_owned(), used.to_owned())));
        let (_, last) = parse_line("2\tc v3.0.0 (proc-macro)\tX (*)").unwrap();
        assert_eq!((last.version.as_str(), last.license.as_str()), ("3.0.0", "X"));
    }
}
