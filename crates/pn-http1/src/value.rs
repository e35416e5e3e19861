//! A field's value as it is lent out: by a list of fields, or by whoever adds one.

use crate::text::Value;
use http::header::HeaderValue;
use std::fmt;

/// The value of a field: visible characters, spaces, tabs, and bytes beyond ASCII.
#[derive(Clone, Copy)]
pub struct FieldValue<'a> {
    bytes: &'a [u8],
    sensitive: bool,
}

impl<'a> FieldValue<'a> {
    pub(crate) fn new(bytes: &'a [u8], sensitive: bool) -> Self {
        Self { bytes, sensitive }
    }

    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// `None` for what is not all visible ASCII, spaces and tabs.
    pub fn to_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok().filter(|text| text.is_ascii())
    }

    /// Whether it must not be shown, as a middleware said that set it.
    pub fn is_sensitive(self) -> bool {
        self.sensitive
    }

    /// As a value that owns its bytes.
    pub fn to_header(self) -> HeaderValue {
        // What a list holds was found to be a value before.
        let mut value = HeaderValue::from_bytes(self.bytes).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(self.sensitive);
        value
    }
}

impl<'a> From<&'a HeaderValue> for FieldValue<'a> {
    fn from(value: &'a HeaderValue) -> Self {
        Self { bytes: value.as_bytes(), sensitive: value.is_sensitive() }
    }
}

impl<'a> From<Value<'a>> for FieldValue<'a> {
    fn from(value: Value<'a>) -> Self {
        Self { bytes: value.as_bytes(), sensitive: false }
    }
}

impl<'a> From<FieldValue<'a>> for Value<'a> {
    fn from(value: FieldValue<'a>) -> Self {
        Self::parsed(value.bytes)
    }
}

impl PartialEq<str> for FieldValue<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for FieldValue<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive {
            f.write_str("Sensitive")
        } else {
            fmt::Debug::fmt(&self.bytes.escape_ascii().to_string(), f)
        }
    }
}
