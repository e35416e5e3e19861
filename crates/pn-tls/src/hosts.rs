//! Host patterns of one listener, looked up in a number of steps that depends on the labels of the name and not on
//! the number of sites: exact, then the longest wildcard, then `*`.

use ahash::RandomState;
use pn_model::HostPattern;
use std::collections::HashMap;
use std::net::IpAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// By a pattern that names the host, or all but its first label.
    Named(u32),
    /// By `**.host`.
    Below(u32),
    /// By `*`.
    Fallback(u32),
}

#[derive(Debug, Default)]
pub(crate) struct HostTable {
    exact: HashMap<String, u32, RandomState>,
    one_label: HashMap<String, u32, RandomState>,
    any_depth: HashMap<String, u32, RandomState>,
    addresses: HashMap<IpAddr, u32, RandomState>,
    any: Option<u32>,
}

impl Found {
    pub(crate) fn value(self) -> u32 {
        let (Self::Named(value) | Self::Below(value) | Self::Fallback(value)) = self;
        value
    }
}

impl HostTable {
    /// Returns the value that the pattern had before.
    pub(crate) fn insert(&mut self, pattern: &HostPattern, value: u32) -> Option<u32> {
        match pattern {
            HostPattern::Exact(host) => {
                if let Ok(address) = host.parse() {
                    self.addresses.insert(address, value);
                }
                self.exact.insert(host.clone(), value)
            }
            HostPattern::OneLabel(suffix) => self.one_label.insert(suffix.clone(), value),
            HostPattern::AnyDepth(suffix) => self.any_depth.insert(suffix.clone(), value),
            HostPattern::Any => self.any.replace(value),
        }
    }

    /// `host` is normalised.
    pub(crate) fn find(&self, host: &str) -> Option<Found> {
        if let Some(value) = self.exact.get(host) {
            return Some(Found::Named(*value));
        }
        self.wildcard(host).or_else(|| self.fallback())
    }

    fn wildcard(&self, host: &str) -> Option<Found> {
        if self.one_label.is_empty() && self.any_depth.is_empty() {
            return None;
        }
        let (label, mut suffix) = host.split_once('.')?;
        if label.is_empty() {
            return None;
        }
        if let Some(value) = self.one_label.get(suffix) {
            return Some(Found::Named(*value));
        }
        loop {
            if let Some(value) = self.any_depth.get(suffix) {
                return Some(Found::Below(*value));
            }
            suffix = suffix.split_once('.')?.1;
        }
    }

    /// For clients that sent no name and came to this address of ours.
    pub(crate) fn find_address(&self, address: IpAddr) -> Option<Found> {
        self.addresses.get(&address.to_canonical()).map(|value| Found::Named(*value))
    }

    pub(crate) fn fallback(&self) -> Option<Found> {
        self.any.map(Found::Fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> HostPattern {
        match text.strip_prefix("**.") {
            Some(suffix) => HostPattern::AnyDepth(suffix.into()),
            None if text == "*" => HostPattern::Any,
            None => text.strip_prefix("*.").map_or_else(
                || HostPattern::Exact(text.into()),
                |suffix| HostPattern::OneLabel(suffix.into()),
            ),
        }
    }

    fn table(patterns: &[&str]) -> HostTable {
        let mut table = HostTable::default();
        for (i, text) in patterns.iter().enumerate() {
            assert_eq!(table.insert(&pattern(text), i as u32), None);
        }
        table
    }

    #[test]
    fn order_of_patterns() {
        let patterns = ["a.example", "*.example", "**.example", "**.b.example", "*", "*.a.example"];
        let table = table(&patterns);
        for (host, expected) in [
            ("a.example", "a.example"),
            ("b.example", "*.example"),
            ("x.a.example", "*.a.example"),
            ("x.y.a.example", "**.example"),
            ("x.b.example", "**.b.example"),
            ("x.y.b.example", "**.b.example"),
            ("x.c.example", "**.example"),
            ("example", "*"),
            ("other", "*"),
            (".example", "*"),
        ] {
            let found = match table.find(host).unwrap() {
                Found::Named(i) | Found::Below(i) | Found::Fallback(i) => patterns[i as usize],
            };
            assert_eq!(found, expected, "{host}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_patterns_themselves(host in "[ab]{1,2}(\\.[ab]{1,2}){0,4}", wild in proptest::collection::btree_set("(\\*|\\*\\*)\\.[ab]{1,2}(\\.[ab]{1,2}){0,2}", 0..8)) {
            let wild: Vec<&str> = wild.iter().map(String::as_str).collect();
            let best = wild.iter().copied().filter(|text| pattern(text).matches(&host)).max_by_key(|text| {
                // The longest suffix; of equals the one that takes fewer hosts.
                let suffix = text.trim_start_matches('*').len();
                (suffix, !text.starts_with("**"))
            });
            let found = table(&wild).find(&host).map(|found| match found {
                Found::Named(i) | Found::Below(i) | Found::Fallback(i) => wild[i as usize],
            });
            prop_assert_eq!(found, best);
        }
    }
}
