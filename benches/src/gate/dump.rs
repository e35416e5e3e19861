//! What callgrind writes: instructions by line of source, under the function they are in; calls are counted again where
//! they were made from, which is not wanted here.

use std::collections::HashMap;

use anyhow::{Context, Result};

/// What was counted between two dumps.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) total: u64,
    /// Instructions of the function itself, without those it calls; the dearest first.
    pub(super) functions: Vec<(String, u64)>,
}

impl Dump {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.and_then(|total| total.trim().parse().ok()).context("callgrind wrote no total")?;
        let mut functions: Vec<_> = by_function(text).into_iter().collect();
        functions.sort_by(|(a_name, a), (b_name, b)| b.cmp(a).then(a_name.cmp(b_name)));
        Ok(Self { total, functions })
    }
}

fn by_function(text: &str) -> HashMap<String, u64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut costs = HashMap::new();
    let mut current = "";
    let mut is_call = false;
    for line in text.lines() {
        // `fn=(7) name` the first time, `fn=(7)` from then on; a call may be what names it.
        if let Some(named) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            let (number, name) = named.split_once(' ').unwrap_or((named, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            if line.starts_with("fn=") {
                current = number;
            }
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.rsplit(' ').next().and_then(|cost| cost.parse().ok()).unwrap_or(0);
            if !std::mem::take(&mut is_call) {
                *costs.entry(current).or_insert(0u64) += cost;
            }
        }
    }
    costs
        .into_iter()
        .map(|(number, cost)| (names.get(number).copied().unwrap_or(number).to_owned(), cost))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_its_own_lines_and_not_those_of_what_it_calls() {
        let text = "version: 1\npositions: line\nevents: Ir\nsummary: 135\n\nob=(1) /bin/x\nfl=(1) a.rs\nfn=(1) outer\n\
                    10 20\n+1 5\ncfn=(2) inner\ncalls=3 40\n+1 100\n* 10\n\nfn=(2)\n40 90\n-2 10\n\ntotals: 135\n";
        let dump = Dump::parse(text).unwrap();
        assert_eq!(dump.total, 135);
        assert_eq!(dump.functions, [("inner".to_owned(), 100), ("outer".to_owned(), 35)]);
        assert!(Dump::parse("version: 1\n").is_err());
    }
}
