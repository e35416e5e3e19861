//! A folder that is gone with the test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder, removed when it is dropped.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("proxy-now-test-").tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of `name` below it, whether or not that exists.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file at once, as an editor does: beside it first, then renamed over it. Folders on the way are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let parent = path.parent().expect("a file has a folder");
        fs::create_dir_all(parent).expect("a folder for the file");
        let beside = parent.join(format!(".{}.new", path.file_name().expect("a name").to_string_lossy()));
        fs::write(&beside, content).expect("the file's content");
        fs::rename(&beside, &path).expect("the file in its place");
        path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}
