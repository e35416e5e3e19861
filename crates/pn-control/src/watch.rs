//! Whether the configuration's files have changed: the kernel says when to look, and a look compares what the files are
//! now with what they were. The directories are watched, not the files, since editors and Kubernetes replace files and
//! links instead of writing into them.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::candidate::Inputs;

/// How often to look where the kernel cannot tell (no inotify watches left, some network file systems).
const POLL: Duration = Duration::from_secs(2);
/// Clocks of file systems tick this coarsely.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// Links that lead to links: beyond this it is a loop.
const LINKS: usize = 16;

pub(crate) struct FileWatch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    inputs: Inputs,
    seen: u64,
    polling: bool,
}

impl FileWatch {
    /// `wake` is called from a thread of its own whenever something may have changed.
    pub(crate) fn new(wake: impl Fn() + Send + 'static) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                wake();
            }
        };
        let watcher = notify::recommended_watcher(handler)
            .inspect_err(|error| tracing::warn!(%error, "files are looked at every {POLL:?}: the kernel gives no watch"))
            .ok();
        Self { watcher, watched: BTreeSet::new(), inputs: Inputs::default(), seen: 0, polling: false }
    }

    /// Looks at these from now on. Returns whether one of them may have changed since `read_at`, the moment before they
    /// were read.
    pub(crate) fn follow(&mut self, inputs: &Inputs, read_at: SystemTime) -> bool {
        self.inputs = inputs.clone();
        let wanted = if inputs.watch { directories(inputs) } else { BTreeSet::new() };
        self.rewatch(wanted);
        self.seen = signature(&self.inputs);
        inputs.watch && changed_after(&self.inputs, read_at)
    }

    /// Whether the files are not what they were at the last look.
    pub(crate) fn changed(&mut self) -> bool {
        let wanted = if self.inputs.watch { directories(&self.inputs) } else { BTreeSet::new() };
        if wanted != self.watched {
            self.rewatch(wanted);
        }
        let now = signature(&self.inputs);
        self.inputs.watch && std::mem::replace(&mut self.seen, now) != now
    }

    /// When to look without being told. `None`: the kernel tells.
    pub(crate) fn interval(&self) -> Option<Duration> {
        (self.inputs.watch && self.polling).then_some(POLL)
    }

    fn rewatch(&mut self, wanted: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else {
            self.polling = !wanted.is_empty();
            return;
        };
        for gone in self.watched.difference(&wanted) {
            // A directory that was removed has lost its watch already.
            drop(watcher.unwatch(gone));
        }
        let mut watched = BTreeSet::new();
        let mut failed = false;
        for directory in wanted {
            // Watched anew even if it was before: it may be another directory of the same name.
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(directory);
                }
                Err(error) => {
                    failed = true;
                    if !self.polling {
                        tracing::warn!(directory = %directory.display(), %error, "cannot be watched; looking every {POLL:?}");
                    }
                }
            }
        }
        self.watched = watched;
        self.polling = failed;
    }
}

/// Every directory in which a change can make one of the inputs another file: those of the files themselves, of the
/// links on the way to them, and the directories that are listed.
fn directories(inputs: &Inputs) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for file in &inputs.files {
        along(file, &mut found, 0);
    }
    for directory in &inputs.directories {
        along(directory, &mut found, 0);
        found.insert(directory.clone());
    }
    found.into_iter().filter_map(|directory| nearest(&directory)).collect()
}

fn along(path: &Path, found: &mut BTreeSet<PathBuf>, links: usize) {
    found.insert(parent(path));
    let mut prefix = PathBuf::new();
    for part in path.components() {
        prefix.push(part);
        let Ok(target) = std::fs::read_link(&prefix) else { continue };
        let base = parent(&prefix);
        if links < LINKS {
            let rest = path.strip_prefix(&prefix).unwrap_or_else(|_| Path::new(""));
            along(&base.join(target).join(rest), found, links + 1);
        }
        found.insert(base);
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The directory itself, or the closest above it that is there, so that its creation is seen.
fn nearest(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .map(|above| if above == Path::new("") { Path::new(".") } else { above })
        .find(|above| above.is_dir())
        .map(Path::to_owned)
}

/// Stands for what the inputs are. Reads no content: what the file system notes of a file is enough.
fn signature(inputs: &Inputs) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in &inputs.files {
        stat(file).hash(&mut hasher);
    }
    for directory in &inputs.directories {
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        names.hash(&mut hasher);
    }
    hasher.finish()
}

fn stat(file: &Path) -> Option<[i64; 6]> {
    let data = std::fs::metadata(file).ok()?;
    let whole = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
    Some([
        whole(data.dev()),
        whole(data.ino()),
        whole(data.size()),
        data.mtime(),
        data.mtime_nsec(),
        data.ctime_nsec(),
    ])
}

fn changed_after(inputs: &Inputs, moment: SystemTime) -> bool {
    let moment = moment.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(TICK);
    let changed = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|data| {
            let seconds = u64::try_from(data.ctime()).unwrap_or(0);
            let nanos = u32::try_from(data.ctime_nsec()).unwrap_or(0);
            Duration::new(seconds, nanos) >= moment
        })
    };
    inputs.files.iter().chain(&inputs.directories).any(changed)
}
