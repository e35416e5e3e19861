//! Scalars of the configuration: text to typed values, each in its one normal form. Nothing here knows of keys,
//! files or nodes; the caller adds the place. Values with units live in `units`.

mod acme;
mod address;
mod client_name;
mod field;
mod host;
mod path;
mod regex;
#[cfg(test)]
mod tests;

pub use acme::acme_directory;
pub(crate) use acme::{
    base64, base64url, deciding_url, directory, email, key_name, name_server, service_url,
};
pub(crate) use address::{Upstream, bind_address, network, upstream};
pub(crate) use client_name::{client_name, subject};
pub(crate) use field::{cookie_name, header_name, header_value, media_type, method};
pub(crate) use host::{host_name, host_pattern};
pub(crate) use path::{path_literal, path_pattern, path_prefix};
pub(crate) use regex::regex;

use std::fmt;
use std::ops::Range;

/// Why a value was refused, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub message: String,
    pub help: Option<String>,
    /// The bytes of the value that are at fault; `None` means all of it.
    pub at: Option<Range<usize>>,
}

impl Invalid {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, at: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, at: Range<usize>) -> Self {
        self.at = Some(at);
        self
    }

    /// For a value that is part of a longer text: escapes may stand before the fault, so all of the part is named.
    pub(crate) fn within(self, part: &Range<usize>) -> Self {
        self.at(part.clone())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Invalid {}
