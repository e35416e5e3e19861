//! `Connection` options (RFC 9110 section 7.6.1) and lists of field values.

use crate::fields::Fields;
use crate::known::Known;
use crate::limits::CONNECTION_OPTIONS;
use crate::refusal::Refusal;
use http::Version;

/// What the `Connection` fields of a head say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    pub close: bool,
    pub keep_alive: bool,
    pub upgrade: bool,
    /// Names are listed that would not be hop-by-hop without it.
    pub others: bool,
}

impl Options {
    pub(crate) fn read(head: &[u8], fields: &Fields) -> Result<Self, Refusal> {
        let mut options = Self::default();
        if !fields.contains(Known::Connection) {
            return Ok(options);
        }
        let values = fields.all(Known::Connection);
        for (number, option) in values.flat_map(|field| list(field.value.of(head))).enumerate() {
            if number >= CONNECTION_OPTIONS {
                return Err(Refusal::ConnectionOptions);
            }
            options.add(option);
        }
        Ok(options)
    }

    fn add(&mut self, option: &[u8]) {
        if option.eq_ignore_ascii_case(b"close") {
            self.close = true;
        } else if option.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
        } else if option.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else {
            self.others |= !option.is_empty() && !Known::of(option).is_hop_by_hop();
        }
    }

    /// Whether the connection goes on after this message (RFC 9112 section 9.3).
    pub(crate) fn is_persistent(self, version: Version) -> bool {
        !self.close && (version == Version::HTTP_11 || self.keep_alive)
    }
}

/// The members of a list, empty ones among them, without the whitespace around each.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}
