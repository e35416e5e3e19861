//! The file system as reading sees it, so that tests and `--offline` need no disk.

use std::io;
use std::path::{Path, PathBuf};

pub trait FileSystem: Sync {
    /// The whole file; `ErrorKind::FileTooLarge` beyond `limit` bytes, `Unsupported` for what is no file or directory.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// What a path is, symlinks followed.
    fn kind(&self, path: &Path) -> io::Result<PathKind>;
    /// The names in a directory, in any order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// The one path of a file, by which it is known again.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    File,
    Directory,
    /// A pipe, say.
    Other,
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl FileSystem for Disk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        use io::Read as _;
        // Opening a pipe would wait for somebody to write into it.
        let kind = std::fs::metadata(path)?.file_type();
        if !kind.is_file() && !kind.is_dir() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        let kind = std::fs::metadata(path)?.file_type();
        Ok(match (kind.is_file(), kind.is_dir()) {
            (true, _) => PathKind::File,
            (_, true) => PathKind::Directory,
            _ => PathKind::Other,
        })
    }

    /// Names that are not UTF-8 are left out: no pattern and no ending fits them.
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }
}

/// An I/O error as people say it, with what to do.
pub(crate) fn explain(error: &io::Error, limit: u64) -> (String, &'static str) {
    match error.kind() {
        io::ErrorKind::NotFound => (
            "it does not exist".to_owned(),
            "check the path; relative ones start at the file that names them",
        ),
        io::ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            "let the user that runs proxy-now read it, and enter its directories",
        ),
        io::ErrorKind::FileTooLarge => {
            (format!("it is larger than {limit} bytes"), "split it, or check that it is the right file")
        }
        io::ErrorKind::IsADirectory => ("it is a directory".to_owned(), "name a file"),
        io::ErrorKind::Unsupported => (
            "it is a pipe, a socket or a device, not a file".to_owned(),
            "name a file; a configuration may also come by standard input, which is `-`",
        ),
        _ => (error.to_string(), "check the file and its disk"),
    }
}
