//! Reading and writing the files of other proxies. They hold private keys: what is written is private, and replaced
//! whole or not at all.

use super::{CaddyFiles, ExchangeError};
use crate::regular::open;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// 20,000 certificates with keys of RSA-4096.
const TRAEFIK_BYTES: u64 = 256 << 20;
const CADDY_BYTES: u64 = 1 << 20;
/// 100,000 certificates.
const CADDY_FILES: usize = 400_000;
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

/// The certificates and accounts in Caddy's data directory; nothing else of it is read.
pub fn read_caddy(path: &Path) -> Result<CaddyFiles, ExchangeError> {
    let mut files = CaddyFiles::new();
    for top in ["certificates", "acme"] {
        walk(&path.join(top), top, 1, &mut files)?;
    }
    Ok(files)
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

fn walk(path: &Path, name: &str, depth: usize, files: &mut CaddyFiles) -> Result<(), ExchangeError> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| at(path, error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| at(path, error))?;
        let (inner, Ok(file)) = (entry.path(), entry.file_name().into_string()) else { continue };
        let name = format!("{name}/{file}");
        if inner.is_dir() {
            if depth < CADDY_DEPTH {
                walk(&inner, &name, depth + 1, files)?;
            }
        } else if [".crt", ".key", ".json"].iter().any(|ending| file.ends_with(ending)) {
            let opened = open(&inner).map_err(|error| at(&inner, error))?;
            files.insert(name, read(&inner, opened, CADDY_BYTES)?);
        }
        if files.len() > CADDY_FILES {
            let source = io::Error::other(format!("more than {CADDY_FILES} files"));
            return Err(at(path, source));
        }
    }
    Ok(())
}

fn read(path: &Path, file: File, limit: u64) -> Result<Vec<u8>, ExchangeError> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| at(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(ExchangeError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_added_extension("proxy-now.tmp");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        std::fs::remove_file(&temporary).unwrap_or_default();
    }
    written
}

fn at(path: &Path, source: io::Error) -> ExchangeError {
    ExchangeError::File { path: path.to_owned(), source }
}
