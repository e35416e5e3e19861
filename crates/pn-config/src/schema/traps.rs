//! Slips that TOML invites: they parse, and mean something else.

use super::check::Check;
use super::types::Wrong;
use super::{Type, suggest};
use crate::sources::Sources;
use crate::value::{Entry, Kind, Table, Value};

/// `[sites.app.corp.example]`: four nested tables instead of one host.
pub(super) fn unquoted_host(check: &mut Check<'_>, name: &str, entry: &Entry) -> bool {
    let Some(kind) = super::kind("sites") else { return false };
    let quoted = check.sources.text(entry.key_span).starts_with(['"', '\'']);
    let Some(mut table) = entry.value.as_table().filter(|_| !quoted) else { return false };
    let mut labels = vec![name.to_owned()];
    while let Some((key, below)) = nested(table) {
        if kind.key(key).is_some() || suggest::nearest(key, kind.keys.iter().map(|key| key.name)).is_some() {
            break;
        }
        labels.push(key.to_owned());
        table = below;
    }
    if labels.len() < 2 {
        return false;
    }
    let host = labels.join(".");
    let message = format!("`sites.{host}` is {} nested tables, not a host", labels.len());
    let help = format!("quote the host: `[sites.\"{host}\"]`");
    check.report("unquoted-host", message, entry.key_span, Some(help));
    true
}

/// The first key of a table that holds a table.
fn nested(table: &Table) -> Option<(&str, &Table)> {
    table.iter().find_map(|(key, entry)| Some((&**key, entry.value.as_table()?)))
}

/// A key of the site that stands below the header of one of its routes.
pub(super) fn site_key(check: &mut Check<'_>, name: &str, entry: &Entry) -> bool {
    if super::kind("sites").is_none_or(|kind| kind.key(name).is_none()) {
        return false;
    }
    let [_, site, _, route, ..] = check.path() else { return false };
    let message = format!("`{name}` belongs to the site `{site}`, but stands in its route `{route}`");
    let help =
        format!("TOML gives a key to the table header above it: move it up, below `[sites.\"{site}\"]`");
    check.report("site-key-in-route", message, entry.key_span, Some(help));
    true
}

/// `"\bfoo"` in double quotes is a backspace; the regex never sees the backslash.
pub(super) fn regex_escape(sources: &Sources, value: &Value, ty: &Type) -> Option<Wrong> {
    let Kind::String(text) = &value.kind else { return None };
    let is_regex = matches!(ty, Type::Regex) || (matches!(ty, Type::Text) && text.starts_with('~'));
    let escaped = text.contains(|c: char| c.is_control()) && sources.text(value.span).starts_with('"');
    (is_regex && escaped && !value.secret).then(|| Wrong {
        code: "regex-escape",
        message: "holds a control character where the regex was to have a backslash".to_owned(),
        help: Some("write the regex in 'single quotes', which keep backslashes".to_owned()),
    })
}
