//! The socket of the admin address.

use pn_model::process::AdminAddress;
use rustix::fs::{Mode, chmod};
use std::io;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

pub(crate) enum Bound {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// Its file goes with it.
pub(crate) struct UnixSocket {
    pub(crate) listener: UnixListener,
    file: SocketFile,
}

/// Removes the file unless another socket has taken its place.
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl UnixSocket {
    pub(crate) fn split(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

pub(crate) fn bind(address: &AdminAddress) -> io::Result<Bound> {
    match address {
        AdminAddress::Tcp(address) => {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Bound::Tcp(listener))
        }
        AdminAddress::Unix(path) => bind_unix(path).map(Bound::Unix),
    }
}

/// Bound beside its place, closed to others, then moved there: nobody finds it open. What a killed process left there
/// is replaced; one that still listens is not.
fn bind_unix(path: &Path) -> io::Result<UnixSocket> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    if std::fs::symlink_metadata(path).is_ok_and(|there| !is_socket(&there)) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    std::fs::remove_file(&draft).unwrap_or_default();
    let listener = UnixListener::bind(&draft)?;
    listener.set_nonblocking(true)?;
    chmod(&draft, Mode::RUSR | Mode::WUSR)?;
    std::fs::rename(&draft, path)?;
    let file = SocketFile { path: path.to_owned(), inode: inode(path)? };
    Ok(UnixSocket { listener, file })
}

fn is_socket(there: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    there.file_type().is_socket()
}

fn inode(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).map(|there| there.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            std::fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_unix_socket_is_its_owners_and_replaces_only_dead_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let first = bind_unix(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind_unix(&path).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        let (listener, file) = first.split();
        drop(listener);
        let second = bind_unix(&path).unwrap();
        drop(file);
        assert!(path.exists(), "the new socket's file stays");
        drop(second);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(bind_unix(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
