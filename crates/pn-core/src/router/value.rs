//! Conditions on the values of header fields and query parameters, and the query string as a list of parameters.

use super::regex::Regex;
use smallvec::SmallVec;

/// A condition on one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldTest {
    Literal(String),
    Regex(Regex),
    Present,
}

impl FieldTest {
    pub(super) fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Literal(own) => own.as_bytes() == value,
            Self::Regex(regex) => regex.is_match(value),
            Self::Present => true,
        }
    }

    /// Whether every value that meets the other meets this one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Present, _) => true,
            (_, Self::Literal(value)) => self.matches(value.as_bytes()),
            _ => self == other,
        }
    }
}

/// Whether any parameter of this name has such a value. Parameters are read as Go and browsers do
/// (`application/x-www-form-urlencoded`): `&` separates, `+` is a space, a key without `=` has the empty value. A
/// parameter with a bad percent-encoding or a raw `;` is as if it were not there.
pub(super) fn any_query_value(query: &str, name: &str, test: &FieldTest) -> bool {
    query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')).any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        is_decodable(key)
            && is_decodable(value)
            && Decoded(key.as_bytes()).eq(name.bytes())
            && value_matches(value, test)
    })
}

fn value_matches(value: &str, test: &FieldTest) -> bool {
    match test {
        FieldTest::Present => true,
        FieldTest::Literal(own) => Decoded(value.as_bytes()).eq(own.bytes()),
        FieldTest::Regex(regex) if !value.contains(['%', '+']) => regex.is_match(value.as_bytes()),
        FieldTest::Regex(regex) => {
            // On the stack, unless the value is both encoded and long.
            let decoded: SmallVec<[u8; 256]> = Decoded(value.as_bytes()).collect();
            regex.is_match(&decoded)
        }
    }
}

fn is_decodable(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        matches!(after.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

/// The bytes that a decodable text stands for.
struct Decoded<'t>(&'t [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (byte, rest) = match self.0 {
            [b'%', high, low, rest @ ..] => ((digit(high)? << 4) | digit(low)?, rest),
            [b'+', rest @ ..] => (b' ', rest),
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, name: &str, value: &str, expected: bool) {
        let test = match value.strip_prefix('~') {
            Some(regex) => FieldTest::Regex(Regex::new(regex).unwrap()),
            None if value == "present" => FieldTest::Present,
            None => FieldTest::Literal(value.into()),
        };
        assert_eq!(any_query_value(query, name, &test), expected, "{query:?} {name} {value}");
    }

    #[test]
    fn query_values() {
        check("a=1&b=2", "b", "2", true);
        check("a=1&b=2", "b", "1", false);
        check("a=1&a=2", "a", "2", true);
        check("a", "a", "", true);
        check("a=", "a", "", true);
        check("a=1", "a", "", false);
        check("a=b=c", "a", "b=c", true);
        check("", "a", "", false);
        check("&&a=1&", "a", "1", true);
        check("%61=%31", "a", "1", true);
        check("a=x+y", "a", "x y", true);
        check("a=x%2By", "a", "x+y", true);
        check("A=1", "a", "1", false);
        check("a=%zz&a=1", "a", "1", true);
        check("a=%zz", "a", "present", false);
        check("a=1;b=2", "a", "present", false);
        check("a=%C3%A9", "a", "é", true);
        check("id=42", "id", "~^[0-9]+$", true);
        check("id=4x", "id", "~^[0-9]+$", false);
        check("id=%34%32", "id", "~^[0-9]+$", true);
        check("x=1&y", "y", "present", true);
        check("=1", "", "1", true);
    }
}
