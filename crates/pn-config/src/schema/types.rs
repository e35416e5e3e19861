//! What a type takes: its name in messages, the check of single values, and what stands in for a value that is
//! wrong or missing offline, so that one mistake leads to one finding.

use super::Type;
use super::suggest;
use crate::parse::{self, Invalid};
use crate::units;
use crate::value::{Entry, Kind, Span, Table, Value};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Wrong {
    pub code: &'static str,
    /// Goes after `KEY`: `must be an integer, not "x"`.
    pub message: String,
    pub help: Option<String>,
}

impl Wrong {
    fn value(message: String) -> Self {
        Self { code: "wrong-value", message, help: None }
    }

    fn help(self, help: impl Into<Option<String>>) -> Self {
        Self { help: help.into(), ..self }
    }
}

/// With its article: `a duration such as "10s"`.
pub(crate) fn describe(ty: &Type) -> String {
    match ty {
        Type::Any => "anything".to_owned(),
        Type::Text => "a string".to_owned(),
        Type::Bool => "`true` or `false`".to_owned(),
        Type::Integer(min, max) => format!("an integer from {min} to {max}"),
        Type::Float(min, max) => format!("a number from {min} to {max}"),
        Type::Duration(..) => "a duration such as \"10s\"".to_owned(),
        Type::Size(..) => "a size such as \"64KiB\"".to_owned(),
        Type::Rate => "a rate such as \"100/s\"".to_owned(),
        Type::Status => "a status code such as 404".to_owned(),
        Type::Statuses => "a status code or range such as \"500-599\"".to_owned(),
        Type::Choice(words, _) if words.len() > 8 => "one of the known names".to_owned(),
        Type::Choice(words, _) => one_of(words),
        Type::Regex => "a regex such as '^/v[0-9]+'".to_owned(),
        Type::Network => "an address or network such as \"10.0.0.0/8\"".to_owned(),
        Type::Host => "a host such as \"app.internal\"".to_owned(),
        Type::Bind => "an address such as \"127.0.0.1:8080\"".to_owned(),
        Type::File => "a file's path".to_owned(),
        Type::Pem => "the path of a PEM file".to_owned(),
        Type::Server => "a URL such as \"http://10.0.0.1:8080\"".to_owned(),
        Type::Service => "a service or an address".to_owned(),
        Type::Rule => "a rule such as \"Host(`a.internal`)\"".to_owned(),
        Type::Ref(section) => format!("the name of one of `{}`", section.name()),
        Type::List(inner) => format!("an array, each {}", describe(inner)),
        Type::OneOrMany(inner) => format!("{}, or an array of such", describe(inner)),
        Type::Table(_) | Type::Inline(_) | Type::LaterTable => "a table".to_owned(),
        Type::Short(..) => "a string or a table".to_owned(),
        Type::Map(inner) => format!("a table, each value {}", describe(inner)),
        Type::RefMap(section, inner) => {
            format!("a table by names of `{}`, each value {}", section.name(), describe(inner))
        }
        Type::Routes => "a table of routes by path".to_owned(),
        Type::Either(types) => types.iter().map(describe).collect::<Vec<_>>().join(", or "),
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
        [] => "nothing".to_owned(),
    }
}

/// Whether a value is of the right TOML type, whatever it holds.
pub(crate) fn fits(ty: &Type, value: &Value) -> bool {
    match (ty, &value.kind) {
        (Type::Any, _) => true,
        (Type::Bool, Kind::Bool(_)) => true,
        (
            Type::Integer(..) | Type::Size(..) | Type::Status | Type::Statuses | Type::Float(..),
            Kind::Integer(_),
        ) => true,
        (Type::Float(..), Kind::Float(_)) => true,
        (Type::List(_) | Type::OneOrMany(_), Kind::Array(_)) => true,
        (Type::OneOrMany(inner), _) => fits(inner, value),
        (Type::Short(..), Kind::String(_) | Kind::Table(_)) => true,
        (
            Type::Table(_)
            | Type::Inline(_)
            | Type::LaterTable
            | Type::Map(_)
            | Type::RefMap(..)
            | Type::Routes,
            Kind::Table(_),
        ) => true,
        (Type::Either(types), _) => types.iter().any(|ty| fits(ty, value)),
        (Type::Bool | Type::Integer(..) | Type::Float(..) | Type::List(_), Kind::String(_)) => false,
        (
            Type::Table(_)
            | Type::Inline(_)
            | Type::LaterTable
            | Type::Map(_)
            | Type::RefMap(..)
            | Type::Routes,
            _,
        ) => false,
        (_, Kind::String(_)) => true,
        _ => false,
    }
}

/// What is wrong with a value of a type without parts; the value is of the right TOML type.
pub(super) fn scalar(ty: &Type, value: &Value) -> Result<(), Wrong> {
    let text = value.as_str().unwrap_or("");
    let because = |reason: String| Wrong::value(format!("is {}: {reason}", value.shown()));
    match *ty {
        Type::Integer(min, max) => {
            within(value, value.as_integer().is_some_and(|n| (min..=max).contains(&n)), ty)
        }
        Type::Float(min, max) => {
            let number = match value.kind {
                Kind::Float(number) => number,
                #[expect(clippy::cast_precision_loss, reason = "only compared with small bounds")]
                Kind::Integer(number) => number as f64,
                _ => f64::NAN,
            };
            within(value, (min..=max).contains(&number), ty)
        }
        Type::Duration(min, max) => {
            let got = units::duration(text).map_err(because)?;
            let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
            if (min..=max).contains(&got) {
                return Ok(());
            }
            Err(because(format!("the bounds are {} and {}", show_duration(min), show_duration(max))))
        }
        Type::Size(min, max) => {
            let got = match value.as_integer() {
                Some(number) => {
                    u64::try_from(number).map_err(|_| because("a size is not negative".to_owned()))?
                }
                None => units::size(text).map_err(because)?,
            };
            if (min..=max).contains(&got) {
                return Ok(());
            }
            Err(because(format!("the bounds are {} and {}", show_size(min), show_size(max))))
        }
        Type::Rate => units::rate(text).map(drop).map_err(because),
        Type::Status | Type::Statuses => status(ty, value).map_err(because),
        Type::Choice(words, later) => choice(text, value, words, later),
        Type::Network => parse::network(text).map(drop).map_err(|error| invalid(value, error)),
        Type::Regex => parse::regex(text).map(drop).map_err(|error| invalid(value, error)),
        _ if text.is_empty() && never_empty(ty) => {
            Err(Wrong::value(format!("is empty; it takes {}", describe(ty))))
        }
        _ => Ok(()),
    }
}

fn never_empty(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Host
            | Type::Bind
            | Type::File
            | Type::Pem
            | Type::Server
            | Type::Service
            | Type::Rule
            | Type::Ref(_)
    )
}

fn within(value: &Value, inside: bool, ty: &Type) -> Result<(), Wrong> {
    if inside {
        Ok(())
    } else {
        Err(Wrong::value(format!("is {}, but must be {}", value.shown(), describe(ty))))
    }
}

fn status(ty: &Type, value: &Value) -> Result<(), String> {
    let text = value.as_integer().map_or_else(|| value.as_str().unwrap_or("").to_owned(), |n| n.to_string());
    let range = units::status_range(&text);
    if matches!(ty, Type::Status) && !range.as_ref().is_ok_and(|(low, high)| low == high) {
        return Err("a status code is a number from 100 to 599".to_owned());
    }
    range.map(drop)
}

fn choice(text: &str, value: &Value, words: &[&str], later: &[&str]) -> Result<(), Wrong> {
    if words.contains(&text) {
        return Ok(());
    }
    if later.contains(&text) {
        let message = format!("is {}, which is not in this version", value.shown());
        return Err(Wrong {
            code: "not-in-this-version",
            message,
            help: Some(format!("use {}", one_of(words))),
        });
    }
    // Short words are near to everything.
    let help = if value.secret || text.len() <= 3 {
        None
    } else {
        suggest::did_you_mean(text, words.iter().copied())
    };
    let help = help.unwrap_or_else(|| format!("it takes {}", one_of(words)));
    Err(Wrong::value(format!("is {}, which is not known", value.shown())).help(help))
}

fn invalid(value: &Value, error: Invalid) -> Wrong {
    if value.secret {
        return Wrong::value("does not hold what it should; the value is secret and not shown".to_owned());
    }
    Wrong::value(format!("is not valid: {}", error.message)).help(error.help)
}

/// A value of this type that is as good as any, so that later stages have something to go on. `None` where no value
/// is harmless: the key is then left out.
pub(crate) fn stand_in(ty: &Type, span: Span) -> Option<Value> {
    named_stand_in(ty, span, 0)
}

/// The same for a value that was written: two hosts or addresses do not become one. What only the real host has stands
/// for itself wherever it is written, so that `diff` finds no difference in it.
pub(super) fn stand_in_for(ty: &Type, value: &Value) -> Option<Value> {
    let written = value.as_str().filter(|_| value.absent);
    let hash = |text: &str| {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        hasher.finish()
    };
    let number = written.map_or_else(|| u64::from(value.span.start), hash);
    named_stand_in(ty, value.span, number)
}

fn named_stand_in(ty: &Type, span: Span, number: u64) -> Option<Value> {
    let text = |text: &str| Some(Value::string(text, span));
    // A local name, so that nothing more is wanted for its certificate.
    let host = format!("stand-in-{number}.localhost");
    let mut value = match *ty {
        Type::Any | Type::Ref(_) | Type::LaterTable | Type::Inline(_) => None,
        Type::Text => text("x"),
        Type::Bool => Some(Value::new(Kind::Bool(false), span)),
        Type::Integer(min, _) => Some(Value::new(Kind::Integer(min.max(1)), span)),
        Type::Float(min, _) => Some(Value::new(Kind::Float(min), span)),
        Type::Duration(min, _) => text(&format!("{}ms", min.max(1))),
        Type::Size(min, _) => text(&format!("{min}B")),
        Type::Rate => text("1/s"),
        Type::Status => Some(Value::new(Kind::Integer(200), span)),
        Type::Statuses => text("500"),
        Type::Choice(words, _) => words.first().and_then(|word| text(word)),
        Type::Regex => text("x"),
        Type::Network => text("127.0.0.1/32"),
        Type::Host => text(&host),
        // The upper ports: systems take them for outgoing connections, so hardly anybody writes them.
        Type::Bind => text(&format!("127.0.0.1:{}", 32_768 + number % 32_768)),
        Type::File | Type::Pem => text("/dev/null"),
        Type::Server | Type::Service => text("http://127.0.0.1:1"),
        Type::Rule => text(&format!("Host(`{host}`)")),
        Type::List(_) => Some(Value::new(Kind::Array(Vec::new()), span)),
        Type::OneOrMany(inner) => named_stand_in(inner, span, number),
        Type::Short(name, keys) => {
            let key = keys.iter().find(|key| key.name == name)?;
            let value = named_stand_in(&key.ty, span, number)?;
            let mut table = Table::default();
            table.insert(Arc::from(name), Entry { key_span: span, value });
            Some(Value::new(Kind::Table(table), span))
        }
        Type::Table(_) | Type::RefMap(..) => None,
        Type::Map(_) | Type::Routes => Some(Value::new(Kind::Table(Table::default()), span)),
        Type::Either(types) => types.iter().find_map(|ty| named_stand_in(ty, span, number)),
    }?;
    (value.secret, value.absent) = (true, true);
    Some(value)
}

/// A string that came from outside in place of a number or a flag.
pub(super) fn coerce(ty: &Type, value: &mut Value) {
    let Kind::String(text) = &value.kind else { return };
    let text: Arc<str> = Arc::clone(text);
    let kind = match ty {
        Type::Integer(..) => text.parse().ok().map(Kind::Integer),
        Type::Float(..) => text.parse().ok().map(Kind::Float),
        Type::Bool => text.parse().ok().map(Kind::Bool),
        _ => None,
    };
    if let Some(kind) = kind {
        value.kind = kind;
    }
}

/// In the largest unit that leaves it whole.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let unit = units.into_iter().find(|&(scale, _)| millis != 0 && millis.is_multiple_of(scale));
    unit.map_or_else(|| "0s".to_owned(), |(scale, name)| format!("{}{name}", millis / scale))
}

pub(crate) fn show_size(bytes: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];
    let unit = units.into_iter().find(|&(scale, _)| bytes != 0 && bytes.is_multiple_of(scale));
    unit.map_or_else(|| "0B".to_owned(), |(scale, name)| format!("{}{name}", bytes / scale))
}
