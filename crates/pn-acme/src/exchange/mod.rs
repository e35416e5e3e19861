//! Accounts and certificates of other proxies, into our store and out of it: Traefik's `acme.json` and Caddy's folder.
//! Each format is bytes in, [`Bundle`] out, and back; files are touched in `files` only. What cannot be taken along is
//! told, never passed over.

mod caddy;
mod files;
mod material;
mod pem;
mod store;
mod traefik;

#[cfg(test)]
mod tests;

pub use caddy::{CaddyFiles, export_caddy, import_caddy};
pub use files::{exposed, read_caddy, read_pem, read_traefik, write_caddy, write_traefik};
pub use pem::{export_pem, import_pem};
pub use store::Report;
pub use traefik::{export_traefik, import_traefik};

use crate::acme::shown;
use crate::records::{AccountRecord, CertificateRecord};
use crate::storage::{Ca, Key, StorageError};
use pn_model::acme::DIRECTORIES;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What one store holds, by CA.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    pub issuers: Vec<BundleIssuer>,
    pub notes: Vec<Note>,
    /// What of our own store could not be read, and why.
    pub unread: Vec<String>,
}

/// A resolver of Traefik, a CA of Caddy, or a CA of ours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BundleIssuer {
    pub name: String,
    /// URL of the CA's directory. `acme.json` does not say it: it is known for public CAs by their accounts, and for
    /// others it has to be set (`Bundle::set_directory`).
    pub directory: Option<String>,
    pub accounts: Vec<AccountRecord>,
    pub certificates: Vec<CertificateRecord>,
}

/// Something that people should know, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Empty: all of what was read.
    pub place: String,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error("`{}` cannot be read or written", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("permissions {mode:o} for `{}` are too open: it holds private keys; run `chmod 600` on it", path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("`{}` is above {limit} bytes; nothing of this kind is that large", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("this is no acme.json of Traefik 2 or 3: {0}")]
    NotTraefik(String),
    #[error(
        "this acme.json is of Traefik 1; start Traefik 2 or its migration tool with it once, and import what that writes"
    )]
    TraefikOne,
    #[error(
        "there is no `certificates` and no `acme` here; give the folder that Caddy calls its data directory"
    )]
    NotCaddy,
    #[error("this is no certificate with its key: {0}")]
    NotPem(String),
    #[error("the directory of the CA is not known for {}; say it as NAME=URL", .0.join(", "))]
    NoDirectory(Vec<String>),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Bundle {
    /// Says which CA the accounts and certificates of an issuer are of. Whether there is such an issuer.
    pub fn set_directory(&mut self, name: &str, directory: &str) -> bool {
        let Some(issuer) = self.issuers.iter_mut().find(|issuer| issuer.name == name) else { return false };
        issuer.set_directory(directory.to_owned());
        true
    }

    /// Where several issuers have an account of one CA and address, as two resolvers of Traefik may, the first one's is
    /// used for all. To be called when every directory is known.
    pub fn drop_twins(&mut self) {
        let mut seen: BTreeMap<Key, String> = BTreeMap::new();
        let mut notes = Vec::new();
        for issuer in &mut self.issuers {
            issuer.accounts.retain(|account| {
                let first = seen.entry(account.key()).or_insert_with(|| account.url.clone());
                let is_first = *first == account.url;
                if !is_first {
                    let message = format!(
                        "its account {} is left out: {first} is of the same CA and address",
                        account.url
                    );
                    notes.push(Note { place: issuer.name.clone(), message });
                }
                is_first
            });
        }
        self.notes.append(&mut notes);
    }

    /// Names of the issuers of which the CA is not known.
    pub fn without_directory(&self) -> Vec<String> {
        let unknown = self.issuers.iter().filter(|issuer| issuer.directory.is_none());
        unknown.map(|issuer| issuer.name.clone()).collect()
    }

    fn note(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.notes.push(Note { place: place.into(), message: message.into() });
    }
}

impl BundleIssuer {
    fn set_directory(&mut self, directory: String) {
        for account in &mut self.accounts {
            account.directory.clone_from(&directory);
        }
        for certificate in &mut self.certificates {
            certificate.issuer_directory.clone_from(&directory);
        }
        self.directory = Some(directory);
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both may quote what somebody else wrote.
        let message = shown(&self.message);
        match self.place.as_str() {
            "" => write!(f, "{message}"),
            place => write!(f, "{}: {message}", shown(place)),
        }
    }
}

/// serde repeats a text that it did not expect, which may be a private key.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let Some((before, rest)) = text.split_once(" \"") else { return text };
    rest.rsplit_once("\", ").map_or_else(|| before.to_owned(), |(_, after)| format!("{before}, {after}"))
}

/// The directory of a public CA, by the URL of an account there.
fn directory_of_account(url: &str) -> Option<String> {
    let known = DIRECTORIES.iter().find(|known| host_of(known.url) == host_of(url));
    known.map(|known| known.url.to_owned())
}

fn host_of(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split('/').next().filter(|host| !host.is_empty())
}

/// A name for a CA that no resolver names: its host, made safe.
fn name_of(directory: &str) -> String {
    Ca::of(directory).as_str().to_owned()
}
