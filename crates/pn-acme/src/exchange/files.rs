//! Reading and writing the files of other proxies. They hold private keys: what is written is private, and replaced
//! whole or not at all.

use super::{CaddyFiles, ExchangeError, Note};
use crate::regular::open;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// 20,000 certificates with keys of RSA-4096.
const TRAEFIK_BYTES: u64 = 256 << 20;
const CADDY_BYTES: u64 = 1 << 20;
/// Of 100,000 certificates: three files and a folder each.
const CADDY_ENTRIES: usize = 500_000;
const CADDY_TOTAL: u64 = 1 << 30;
/// `certificates/ISSUER/NAME/FILE`, `acme/ISSUER/users/EMAIL/FILE`.
const CADDY_DEPTH: usize = 5;

/// An `acme.json`. One that others may read is refused, as Traefik refuses it.
pub fn read_traefik(path: &Path) -> Result<Vec<u8>, ExchangeError> {
    let file = open(path).map_err(|error| at(path, error))?;
    let mode = file.metadata().map_err(|error| at(path, error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ExchangeError::TooOpen { path: path.to_owned(), mode });
    }
    read(path, file, TRAEFIK_BYTES)
}

pub fn write_traefik(path: &Path, bytes: &[u8]) -> Result<(), ExchangeError> {
    write(path, bytes).map_err(|error| at(path, error))
}

/// A chain or a key.
pub fn read_pem(path: &Path) -> Result<Vec<u8>, ExchangeError> {
    let file = open(path).map_err(|error| at(path, error))?;
    read(path, file, CADDY_BYTES)
}

/// Whether others than its owner may read a file with a key.
pub fn exposed(path: &Path) -> Option<Note> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let message =
        format!("others may read this key (mode {mode:o}); if they did, renew its certificate at once");
    (mode & 0o077 != 0).then(|| Note { place: path.display().to_string(), message })
}

/// The certificates and accounts in Caddy's data directory, with what is to be told of the files; nothing else of it is
/// read.
pub fn read_caddy(path: &Path) -> Result<(CaddyFiles, Vec<Note>), ExchangeError> {
    let mut reading = Reading::default();
    for top in ["certificates", "acme"] {
        reading.walk(&path.join(top), top, 1)?;
    }
    if let Some(first) = reading.exposed.first() {
        let message = format!(
            "others may read {} of its keys; if they did, renew their certificates",
            reading.exposed.len()
        );
        reading.notes.push(Note { place: first.clone(), message });
    }
    Ok((reading.files, reading.notes))
}

/// Into a folder that may be there already; what else is in it stays.
pub fn write_caddy(path: &Path, files: &CaddyFiles) -> Result<(), ExchangeError> {
    for (name, bytes) in files {
        let place = path.join(name);
        let folder = place.parent().unwrap_or(path);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| at(folder, error))?;
        write(&place, bytes).map_err(|error| at(&place, error))?;
    }
    Ok(())
}

/// A folder that is being read.
#[derive(Default)]
struct Reading {
    files: CaddyFiles,
    notes: Vec<Note>,
    /// Keys that others may read.
    exposed: Vec<String>,
    entries: usize,
    bytes: u64,
}

impl Reading {
    fn walk(&mut self, path: &Path, name: &str, depth: usize) -> Result<(), ExchangeError> {
        let entries = match std::fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| at(path, error))?,
        };
        for entry in entries {
            let entry = entry.map_err(|error| at(path, error))?;
            // Also of links that lead round in circles.
            self.entries += 1;
            if self.entries > CADDY_ENTRIES || self.bytes > CADDY_TOTAL {
                let source =
                    io::Error::other(format!("more than {CADDY_ENTRIES} files or {CADDY_TOTAL} bytes"));
                return Err(at(path, source));
            }
            let (inner, Ok(file)) = (entry.path(), entry.file_name().into_string()) else { continue };
            let name = format!("{name}/{file}");
            if !inner.is_dir() {
                self.file(&inner, name)?;
            } else if depth < CADDY_DEPTH {
                self.walk(&inner, &name, depth + 1)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String) -> Result<(), ExchangeError> {
        if ![".crt", ".key", ".json"].iter().any(|ending| name.ends_with(ending)) {
            return Ok(());
        }
        match open(path).map_err(|error| at(path, error)).and_then(|file| read(path, file, CADDY_BYTES)) {
            Ok(bytes) => {
                self.bytes += bytes.len() as u64;
                if name.ends_with(".key") && exposed(path).is_some() {
                    self.exposed.push(name.clone());
                }
                self.files.insert(name, bytes);
            }
            // Pipes, links to nowhere, what is too large. Without permission nothing is read at all, which is said.
            Err(ExchangeError::File { source, .. }) if !is_ours_to_mend(&source) => {
                self.notes.push(Note { place: name, message: format!("it is left out: {source}") });
            }
            Err(error @ ExchangeError::TooLarge { .. }) => {
                self.notes.push(Note { place: name, message: format!("it is left out: {error}") });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn is_ours_to_mend(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Other)
}

fn read(path: &Path, file: File, limit: u64) -> Result<Vec<u8>, ExchangeError> {
    let too_large = || ExchangeError::TooLarge { path: path.to_owned(), limit };
    if file.metadata().map_err(|error| at(path, error))?.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| at(path, error))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_added_extension("proxy-now.tmp");
    // What somebody else may have put there, a link or a file that they read, is not written to.
    std::fs::remove_file(&temporary).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let written = written.and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        std::fs::remove_file(&temporary).unwrap_or_default();
    }
    written
}

fn at(path: &Path, source: io::Error) -> ExchangeError {
    ExchangeError::File { path: path.to_owned(), source }
}
