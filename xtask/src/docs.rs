//! The generated part of the documentation: docs/reference, docs/conformance.md, and the table
//! of DNS providers. Who owns the facts writes them: a
//! test of theirs compares what is committed with what the code says, and writes it when asked to.

use std::fs;

use anyhow::{Context, Result};

use crate::process::{MINUTE, cargo, root, run as run_command};
use crate::suite;

/// A test that owns a page, and the variable that it takes as the order to write.
struct Page {
    arguments: Vec<String>,
    order: &'static str,
}

pub(crate) fn run(check: bool) -> Result<()> {
    for page in pages()? {
        let mut test = cargo(&["test", "--quiet"]);
        test.args(&page.arguments);
        if check {
            test.env_remove(page.order);
        } else {
            test.env(page.order, "1");
        }
        run_command(&mut test, 15 * MINUTE).with_context(|| page.arguments.join(" "))?;
    }
    Ok(())
}

/// The references of the crates that have one, and the list of the conformance cases.
fn pages() -> Result<Vec<Page>> {
    let page = |text: String, order| Page { arguments: text.split(' ').map(str::to_owned).collect(), order };
    let mut pages: Vec<Page> = references()?
        .into_iter()
        .map(|package| page(format!("--package {package} --test reference"), "UPDATE_REFERENCE"))
        .collect();
    pages.push(page(suite::DNS_PROVIDERS.join(" "), "UPDATE_REFERENCE"));
    let list = "--package proxy-now-e2e --test conformance the_list_is_that_of_the_tables";
    pages.push(page(list.to_owned(), "UPDATE_CONFORMANCE"));
    Ok(pages)
}

fn references() -> Result<Vec<String>> {
    let mut owners = Vec::new();
    for entry in fs::read_dir(root().join("crates"))? {
        let entry = entry?;
        if entry.path().join("tests/reference.rs").exists() {
            owners.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    owners.sort();
    Ok(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables are those that the tests look at, so that `docs` does not silently only compare.
    #[test]
    fn every_page_has_a_test_that_takes_the_order() {
        let orders: Vec<_> =
            pages().unwrap().iter().map(|page| (page.arguments.join(" "), page.order)).collect();
        assert_eq!(orders.len(), 3, "{orders:?}");
        for (file, order) in [
            ("crates/pn-config/tests/reference.rs", orders[0].1),
            ("crates/pn-acme/tests/dns_providers.rs", orders[1].1),
            ("e2e/tests/conformance/list.rs", orders[2].1),
        ] {
            assert!(
                fs::read_to_string(root().join(file)).unwrap().contains(order),
                "{file} knows no {order}"
            );
        }
    }
}
