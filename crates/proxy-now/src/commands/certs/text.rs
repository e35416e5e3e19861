//! Certificates of the admin API as text for people.

use serde_json::Value;
use std::fmt::Write;

const HEAD: [&str; 7] = ["NAME", "STATE", "ENDS", "LEFT", "SOURCE", "ISSUER", "NEXT"];

/// One line each.
pub(super) fn table(all: &[Value]) -> String {
    if all.is_empty() {
        return "no certificates: no site is served over TLS\n".to_owned();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(all.iter().map(row));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn row(one: &Value) -> [String; 7] {
    let word = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
    let renewal = &one["renewal"];
    let next = match (renewal["next"].as_str(), renewal["next_at"].as_str()) {
        (Some(next), Some(at)) => format!("{next} {}", short(at)),
        _ => "-".to_owned(),
    };
    let ends = one["not_after"].as_str().map_or_else(|| "-".to_owned(), short);
    [name(one), word("state"), ends, left(one), word("source"), word("issuer"), next]
}

fn name(one: &Value) -> String {
    let names = one["names"].as_array().map(Vec::as_slice).unwrap_or_default();
    let first = names.first().and_then(Value::as_str).unwrap_or("-");
    match names.len() {
        0 | 1 => first.to_owned(),
        more => format!("{first} +{}", more - 1),
    }
}

/// To the minute.
fn short(moment: &str) -> String {
    moment.get(..16).map_or_else(|| moment.to_owned(), |minute| format!("{}Z", minute.replace('T', " ")))
}

fn left(one: &Value) -> String {
    match one["seconds_left"].as_u64() {
        None | Some(0) => "-".to_owned(),
        Some(seconds) if seconds >= 2 * 86_400 => format!("{} d", seconds / 86_400),
        Some(seconds) if seconds >= 2 * 3_600 => format!("{} h", seconds / 3_600),
        Some(seconds) => format!("{} min", seconds / 60),
    }
}

/// A line for each thing that is known.
pub(super) fn one(one: &Value) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &Value| {
        let value = match value {
            Value::Null => return,
            Value::String(value) => value.clone(),
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        // Writing to a String cannot fail.
        writeln!(text, "{key:<12} {value}").unwrap_or_default();
    };
    for (key, field) in [
        ("id", "id"),
        ("names", "names"),
        ("state", "state"),
        ("source", "source"),
        ("issuer", "issuer"),
        ("signed by", "signed_by"),
        ("serial", "serial"),
        ("key", "key_type"),
        ("from", "not_before"),
        ("until", "not_after"),
    ] {
        line(key, &one[field]);
    }
    let renewal = &one["renewal"];
    if renewal.is_object() {
        line("directory", &renewal["directory"]);
        line("next", &format!("{} {}", word(renewal, "next"), word(renewal, "next_at")).into());
        let window = &renewal["window"];
        if window.is_object() {
            let [start, end, selected] = ["start", "end", "selected"].map(|key| word(window, key));
            line("CA suggests", &format!("{start} to {end}; {selected} was drawn").into());
        }
        if renewal["asked_for"] == true {
            line("asked for", &"another one, which is not there yet".into());
        }
        line("failures", &renewal["failures"]);
        line("last error", &renewal["last_error"]);
    }
    text
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What comes of asking for something.
pub(super) fn begun(told: &Value, name: &str) -> String {
    let at = told["at"].as_str().map(|at| format!(", at {at} or later")).unwrap_or_default();
    format!(
        "{}: {}{at}\nHow it goes: proxy-now certs show {name}\n",
        word(told, "result"),
        word(told, "message")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_certificate_is_a_line_or_a_page() {
        let valid = json!({
            "id": "a.example-1", "names": ["a.example", "b.example"], "source": "obtained", "issuer": "main",
            "state": "valid", "serial": "0a", "signed_by": "CA", "key_type": "p256",
            "not_before": "2026-11-22T10:11:12Z", "not_after": "2027-02-20T10:11:12Z", "seconds_left": 7_776_000,
            "renewal": {
                "directory": "https://ca/dir", "next": "renew", "next_at": "2027-01-21T01:02:03Z", "failures": 0,
                "last_error": null, "asked_for": true,
                "window": {"start": "S", "end": "E", "selected": "T"},
            },
        });
        let missing = json!({ "id": "c", "names": ["c.example"], "source": "obtained", "state": "missing" });
        let table = table(&[valid.clone(), missing]);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], HEAD);
        assert_eq!(
            lines[1].join(" "),
            "a.example +1 valid 2027-02-20 10:11Z 90 d obtained main renew 2027-01-21 01:02Z"
        );
        assert_eq!(lines[2].join(" "), "c.example missing - - obtained - -");
        let page = one(&valid);
        for line in [
            "names        a.example, b.example",
            "CA suggests  S to E; T was drawn",
            "next         renew 2027-01-21T01:02:03Z",
            "asked for    another one, which is not there yet",
            "failures     0",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line} in {page}");
        }
        assert!(!page.contains("last error"), "{page}");
    }
}
