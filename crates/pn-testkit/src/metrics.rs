//! Prometheus text, read back by name and labels.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Panics on a line that is neither a comment nor a sample.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let parse = |line| Sample::parse(line).unwrap_or_else(|| panic!("not a sample: {line}"));
        Self { samples: lines.map(parse).collect() }
    }

    /// The sum of all samples of that name that have these labels; 0 when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).map(|sample| sample.value).sum()
    }

    /// The one sample of that name that has these labels; panics when there is none or more.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<&Sample> = self.find(name, labels).collect();
        assert_eq!(found.len(), 1, "samples of {name} with {labels:?}: {found:?}");
        found[0].value
    }

    pub fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name)
    }

    /// Every name, once each, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.samples.iter().map(|sample| sample.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.name == name && sample.has(labels))
    }
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let (front, value) = line.rsplit_once(' ')?;
        let (name, labels) = match front.split_once('{') {
            None => (front, BTreeMap::new()),
            Some((name, rest)) => (name, parse_labels(rest.strip_suffix('}')?)?),
        };
        Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.labels.get(*name).is_some_and(|has| has == value))
    }
}

/// `a="x",b="y \" z"`
fn parse_labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_start_matches(',');
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => value.push(match characters.next()? {
                    'n' => '\n',
                    other => other,
                }),
                other => value.push(other),
            }
        }
        labels.insert(name.to_owned(), value);
        rest = characters.as_str().trim_start_matches(',');
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text = "# HELP a x\na{code=\"200\",path=\"/\\\"q\\\"\"} 3\na{code=\"404\"} 2\nb 1.5e3\n# EOF\n";
        let metrics = Metrics::parse(text);
        let rows: [(&str, &[(&str, &str)], f64); 5] = [
            ("a", &[], 5.0),
            ("a", &[("code", "404")], 2.0),
            ("a", &[("path", "/\"q\"")], 3.0),
            ("b", &[], 1500.0),
            ("c", &[], 0.0),
        ];
        for (name, labels, expected) in rows {
            assert!((metrics.sum(name, labels) - expected).abs() < 1e-9, "{name} {labels:?}");
        }
        assert_eq!(metrics.names(), ["a", "b"]);
    }
}
