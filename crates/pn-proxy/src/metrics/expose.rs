//! Prometheus' text format, version 0.0.4.

use super::cells::Durations;
use std::fmt::Write;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Appends families and their samples to a text.
pub(crate) struct Exposition<'a> {
    text: &'a mut String,
    family: String,
}

impl<'a> Exposition<'a> {
    pub(crate) fn new(text: &'a mut String) -> Self {
        Self { text, family: String::new() }
    }

    /// Begins the samples of one name.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        name.clone_into(&mut self.family);
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.append(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One sample of the family; `suffix` follows its name.
    pub(crate) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(&self.family);
        self.text.push_str(suffix);
        for (i, (label, value)) in labels.iter().enumerate() {
            self.text.push(if i == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.append(format_args!(" {value}\n"));
    }

    pub(crate) fn histogram(&mut self, labels: &[(&str, &str)], durations: &Durations) {
        let mut below = 0;
        for (at, count) in durations.buckets.iter().enumerate() {
            below += count;
            let bound = durations.bounds.get(at).map(|&bound| (bound as f64 / 1e9).to_string());
            let mut all = labels.to_vec();
            all.push(("le", bound.as_deref().unwrap_or("+Inf")));
            self.sample("_bucket", &all, below as f64);
        }
        self.sample("_sum", labels, durations.sum as f64 / 1e9);
        self.sample("_count", labels, below as f64);
    }

    fn append(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.text.write_fmt(text).unwrap_or_default();
    }
}

fn escape(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}
