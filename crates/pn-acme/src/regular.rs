//! Opening files where something else may stand: a pipe would keep whoever opens it waiting, a device has no end, and a
//! link in a folder of ours leads out of it.

use rustix::fs::{Mode, OFlags, open as open_at};
use std::fs::File;
use std::io;
use std::path::Path;

/// A regular file that somebody named, also by a link.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    opened(path, OFlags::empty())
}

/// A regular file of ours; no link.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    opened(path, OFlags::NOFOLLOW)
}

fn opened(path: &Path, more: OFlags) -> io::Result<File> {
    let file =
        File::from(open_at(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | more, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("this is no regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        for (name, named, own) in [
            ("file", true, true),
            ("link", true, false),
            ("folder", false, false),
            ("pipe", false, false),
            ("none", false, false),
        ] {
            assert_eq!((open(&at(name)).is_ok(), open_own(&at(name)).is_ok()), (named, own), "{name}");
        }
        assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
