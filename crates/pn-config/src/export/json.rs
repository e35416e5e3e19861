//! JSON in the order in which it is built, so that what is generated is the same wherever it is generated.

use std::fmt::Arguments;

#[derive(Debug, Clone)]
pub(super) enum Json {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// With two spaces a level and a line break at the end.
    pub(super) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, level: usize) {
        match self {
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Integer(number) => push(out, format_args!("{number}")),
            Self::Float(number) => push(out, format_args!("{number}")),
            Self::Text(text) => push(out, format_args!("{}", serde_json::Value::from(text.as_str()))),
            Self::Array(items) => {
                list(out, level, ('[', ']'), items, |item, out, level| item.write(out, level));
            }
            Self::Object(fields) => list(out, level, ('{', '}'), fields, |(key, value), out, level| {
                push(out, format_args!("{}: ", serde_json::Value::from(key.as_str())));
                value.write(out, level);
            }),
        }
    }
}

fn push(out: &mut String, text: Arguments<'_>) {
    out.push_str(&text.to_string());
}

fn list<T>(
    out: &mut String,
    level: usize,
    (open, close): (char, char),
    items: &[T],
    mut each: impl FnMut(&T, &mut String, usize),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(level + 1));
        each(item, out, level + 1);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    }
    out.push(close);
}
