//! Text that may stand in a head, checked where it is made: none of it can end a line (RFC 9110 sections 5.1 and 5.5).

use crate::known::Known;
use http::header::{HeaderName, HeaderValue};
use http::uri::PathAndQuery;

/// A field name: a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(&'a [u8]);

/// A field value: visible characters, spaces, tabs, and bytes beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

/// A request target: no space and no control character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    path: &'a [u8],
    query: Option<&'a [u8]>,
}

// === impl Name ===

impl<'a> Name<'a> {
    /// `None` for what is no token.
    pub fn new(name: &'a [u8]) -> Option<Self> {
        is_token(name).then_some(Self(name))
    }

    /// The name of a known field; `None` for those that stand for many.
    pub fn known(known: Known) -> Option<Self> {
        Self::new(known.name().as_bytes())
    }

    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// What a parser has found to be a name.
    pub(crate) fn parsed(name: &'a [u8]) -> Self {
        debug_assert!(is_token(name) || name.is_empty(), "a name of another buffer");
        Self(name)
    }
}

impl Name<'static> {
    /// As a constant. A literal that is no token does not compile there.
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_token(name.as_bytes()), "a literal that is no token");
        Self(name.as_bytes())
    }
}

impl<'a> From<&'a HeaderName> for Name<'a> {
    fn from(name: &'a HeaderName) -> Self {
        Self(name.as_str().as_bytes())
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// `None` for what holds a control character other than a tab.
    pub fn new(value: &'a [u8]) -> Option<Self> {
        is_value(value).then_some(Self(value))
    }

    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// What a parser has found to be a value.
    pub(crate) fn parsed(value: &'a [u8]) -> Self {
        debug_assert!(is_value(value), "a value of another buffer");
        Self(value)
    }
}

impl Value<'static> {
    /// As a constant. A literal with a control character does not compile there.
    pub const fn from_static(value: &'static str) -> Self {
        assert!(is_value(value.as_bytes()), "a literal with a control character");
        Self(value.as_bytes())
    }
}

impl<'a> From<&'a HeaderValue> for Value<'a> {
    fn from(value: &'a HeaderValue) -> Self {
        Self(value.as_bytes())
    }
}

// === impl RequestTarget ===

impl<'a> RequestTarget<'a> {
    /// A whole target. `None` for what is empty or holds a space or a control character.
    pub fn new(target: &'a [u8]) -> Option<Self> {
        Self::of_parts(target, None)
    }

    /// A path and what stands behind its `?`, from two places: a path that was rewritten, a query as it came.
    pub fn of_parts(path: &'a [u8], query: Option<&'a [u8]>) -> Option<Self> {
        let sound = !path.is_empty() && is_visible(path) && query.is_none_or(is_visible);
        sound.then_some(Self { path, query })
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.path);
        if let Some(query) = self.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }
}

impl<'a> From<&'a PathAndQuery> for RequestTarget<'a> {
    fn from(target: &'a PathAndQuery) -> Self {
        Self { path: target.as_str().as_bytes(), query: None }
    }
}

// === Characters ===

const fn is_token(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, after @ ..] = rest {
        let mark = matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        if !mark && !byte.is_ascii_alphanumeric() {
            return false;
        }
        rest = after;
    }
    !name.is_empty()
}

const fn is_value(value: &[u8]) -> bool {
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        if (*byte < b' ' && *byte != b'\t') || *byte == 0x7f {
            return false;
        }
        rest = after;
    }
    true
}

fn is_visible(target: &[u8]) -> bool {
    // To the end, whatever it finds on the way: that goes many bytes at a time.
    target.iter().fold(true, |sound, &byte| sound & (byte > b' ') & (byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_ends_a_line_is_text() {
        for bad in ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\x7f"] {
            assert_eq!(Value::new(bad.as_bytes()), None, "{bad:?}");
            assert_eq!(Name::new(bad.as_bytes()), None, "{bad:?}");
            assert_eq!(RequestTarget::new(bad.as_bytes()), None, "{bad:?}");
        }
        for (name, sound) in [("x-a", true), ("", false), ("a b", false), ("a:", false), ("\u{e9}", false)] {
            assert_eq!(Name::new(name.as_bytes()).is_some(), sound, "{name:?}");
        }
        for (target, sound) in [("/", true), ("", false), ("/a b", false), ("/\u{e9}", true)] {
            assert_eq!(RequestTarget::new(target.as_bytes()).is_some(), sound, "{target:?}");
        }
        assert_eq!(RequestTarget::of_parts(b"/a", Some(b"b c")), None);
        assert!(Value::new("a\tb \u{e9}".as_bytes()).is_some() && Value::new(b"").is_some());
        assert_eq!(Name::known(Known::Host), Some(Name::from_static("host")));
        assert_eq!(Name::known(Known::Other), None);
        let name = HeaderName::from_static("x-a");
        assert_eq!(Name::from(&name).as_bytes(), b"x-a");
    }
}
