//! The folder of a store: files at their keys, whole at any moment, private. Who may write when is not known here.

use crate::files::step;
use crate::regular::open_own;
use crate::storage::{
    ACCOUNTS, CERTIFICATES, CHALLENGES, Key, ON_DEMAND, SCHEDULE, StorageError, THROTTLE, VALUE_BYTES,
};
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(super) const GATE: &str = ".cas";
pub(super) const LOCKS: &str = ".locks";
pub(super) const OWNERS: &str = ".owners";
pub(super) const TEMPORARY: &str = ".tmp";
/// What is in the folder of a store.
const OWN: [&str; 10] =
    [GATE, LOCKS, OWNERS, TEMPORARY, ACCOUNTS, CERTIFICATES, CHALLENGES, ON_DEMAND, SCHEDULE, THROTTLE];
const SUFFIX: &str = ".json";
const STICKY: u32 = 0o1000;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// User and group that files are given to: those of the folder, when root writes into one that is another's.
    /// Otherwise what root imported could not be read by the proxy.
    heir: Option<(u32, u32)>,
}

/// A file that is written, and not in its place yet. Dropped, it is cleared away.
pub(super) struct Aside {
    path: PathBuf,
    placed: bool,
}

impl Folder {
    /// Makes it, closes it to others, and makes what is hidden in it.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let mut folder = Self { path: path.to_owned(), heir: None };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| at(path, error))?;
        let meta = std::fs::metadata(path).map_err(|error| at(path, error))?;
        folder.close_to_others(&meta)?;
        folder.heir = heir(&meta);
        for name in [LOCKS, OWNERS, TEMPORARY] {
            folder.make(&path.join(name))?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn hidden(&self, folder: &str, name: &str) -> PathBuf {
        self.path.join(folder).join(name)
    }

    /// The file of a key.
    pub(super) fn place(&self, key: &Key) -> PathBuf {
        self.path.join(format!("{key}{SUFFIX}"))
    }

    pub(super) fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        let path = self.place(key);
        let damaged = |what: &str| {
            let reason = format!("`{}` {what}", path.display());
            StorageError::Damaged { key: key.clone(), reason }
        };
        match read(&path) {
            Ok(Some(value)) if value.len() > VALUE_BYTES => {
                Err(damaged(&format!("is above {VALUE_BYTES} bytes")))
            }
            Err(_) if is_strange(&path) => Err(damaged("is no regular file")),
            read => read,
        }
    }

    /// Makes the folders above a key that are not there, so that they outlast a power cut.
    pub(super) fn make_parents(&self, key: &Key) -> Result<(), StorageError> {
        let mut path = self.path.clone();
        let place = self.place(key);
        let below = place.parent().and_then(|parent| parent.strip_prefix(&self.path).ok());
        for name in below.into_iter().flat_map(Path::components) {
            let above = path.clone();
            path.push(name);
            if self.make(&path)? {
                sync(&above)?;
            }
        }
        Ok(())
    }

    /// Writes a file beside the others. `durable`: it is on the disk when this returns.
    pub(super) fn write_aside(&self, name: &str, value: &[u8], durable: bool) -> Result<Aside, StorageError> {
        let aside = Aside { path: self.hidden(TEMPORARY, name), placed: false };
        let written = (|| {
            step()?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside.path)?;
            step()?;
            let (first, second) = value.split_at(value.len() / 2);
            file.write_all(first)?;
            step()?;
            file.write_all(second)?;
            self.bequeath(&aside.path)?;
            step()?;
            if durable {
                file.sync_all()?;
            }
            step()
        })();
        written.map_err(|error| at(&aside.path, error))?;
        Ok(aside)
    }

    pub(super) fn sync_parent(&self, key: &Key) -> Result<(), StorageError> {
        let place = self.place(key);
        step().map_err(|error| at(&place, error))?;
        sync(place.parent().unwrap_or(&self.path))
    }

    /// Whether it was there.
    pub(super) fn remove(&self, path: &Path) -> Result<bool, StorageError> {
        let removed = step().and_then(|()| std::fs::remove_file(path));
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                clear_the_way(path).map(|()| true).map_err(|error| at(path, error))
            }
            Err(error) => Err(at(path, error)),
        }
    }

    /// What lies below a prefix, in order, also where it is no file. What has no key's name is not ours.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Key>, StorageError> {
        let mut keys = Vec::new();
        let mut open: Vec<String> = Key::parse(prefix).iter().map(ToString::to_string).collect();
        while let Some(at) = open.pop() {
            for (name, is_folder) in names(&self.path.join(&at))? {
                let inner = format!("{at}/{name}");
                match inner.strip_suffix(SUFFIX) {
                    Some(key) => keys.extend(Key::parse(key)),
                    None if is_folder => open.extend(Key::parse(&inner).iter().map(ToString::to_string)),
                    None => {}
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Gives a new file or folder to whom the store belongs.
    pub(super) fn bequeath(&self, path: &Path) -> io::Result<()> {
        let Some((user, group)) = self.heir else { return Ok(()) };
        std::os::unix::fs::lchown(path, Some(user), Some(group))
    }

    /// Whether it was made now.
    fn make(&self, path: &Path) -> Result<bool, StorageError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.bequeath(path).map(|()| true).map_err(|error| at(path, error)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(at(path, error)),
        }
    }

    /// A folder that holds anything else, or that everybody may write to, is not ours to close.
    fn close_to_others(&self, meta: &Metadata) -> Result<(), StorageError> {
        let mode = meta.permissions().mode();
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let strange = names(&self.path)?.iter().any(|(name, _)| !OWN.contains(&name.as_str()));
        if strange || mode & STICKY != 0 {
            return Err(StorageError::Insecure { path: self.path.clone(), mode: mode & 0o7777 });
        }
        tracing::warn!(
            folder = %self.path.display(), mode = format!("{:o}", mode & 0o7777),
            "the certificate store was open to others; it is closed now"
        );
        let closed = std::fs::set_permissions(&self.path, Permissions::from_mode(0o700));
        closed.map_err(|error| at(&self.path, error))
    }
}

impl Aside {
    /// Renames it over its place, whatever stands there.
    pub(super) fn place(mut self, place: &Path) -> Result<(), StorageError> {
        let rename = || std::fs::rename(&self.path, place);
        let renamed = step().and_then(|()| rename()).or_else(|error| match error.kind() {
            io::ErrorKind::IsADirectory => clear_the_way(place).and_then(|()| rename()),
            _ => Err(error),
        });
        renamed.map_err(|error| at(place, error))?;
        self.placed = true;
        step().map_err(|error| at(place, error))
    }
}

impl Drop for Aside {
    /// What a conflict or a full disk left of it. A killed process leaves it to the next one.
    fn drop(&mut self) {
        if !self.placed {
            step().and_then(|()| std::fs::remove_file(&self.path)).unwrap_or_default();
        }
    }
}

/// A small file, closed to others if it was not; one byte more than a value at most.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let file = match open_own(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path, error)),
    };
    let meta = file.metadata().map_err(|error| at(path, error))?;
    if meta.mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "a file with private keys was open to others; it is closed now");
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| at(path, error))?;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.size()).unwrap_or(0).min(VALUE_BYTES) + 1);
    file.take(VALUE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| at(path, error))?;
    Ok(Some(bytes))
}

/// Whether something stands there that is no file of ours: a folder, a link, a pipe.
pub(super) fn is_strange(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file())
}

/// Puts a folder aside that stands in the place of a file. What is in it may be somebody's: it stays beside its place,
/// under a name that is no key.
fn clear_the_way(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut aside = (0_u32..1000).map(|n| path.with_file_name(format!(".{name}-{n}")));
    let free = aside.find(|aside| std::fs::symlink_metadata(aside).is_err());
    std::fs::remove_dir(path).or_else(|error| match free {
        Some(free) => std::fs::rename(path, free),
        None => Err(error),
    })
}

/// What is in a folder, with whether it is one itself; nothing where there is none. Names that are not UTF-8 are not
/// ours.
pub(super) fn names(path: &Path) -> Result<Vec<(String, bool)>, StorageError> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(error) => return Err(at(path, error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| at(path, error))?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        all.extend(entry.file_name().into_string().ok().map(|name| (name, is_folder)));
    }
    Ok(all)
}

pub(super) fn at(path: &Path, source: io::Error) -> StorageError {
    StorageError::File { path: path.to_owned(), source }
}

fn sync(folder: &Path) -> Result<(), StorageError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, error))
}

fn heir(meta: &Metadata) -> Option<(u32, u32)> {
    let root = rustix::process::geteuid().is_root();
    (root && meta.uid() != 0).then(|| (meta.uid(), meta.gid()))
}
