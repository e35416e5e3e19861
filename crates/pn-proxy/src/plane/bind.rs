//! Listening sockets: bound in the prepare step, one a worker, taken by the workers at the commit.

use pn_io::{holder, listen};
use pn_model::limits::ACCEPT_QUEUE;
use pn_model::listener::BindAddress;
use socket2::{Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The sockets of one address. Workers take theirs; dropping the rest closes it, so that a change which is refused
/// leaves nothing open.
#[derive(Debug)]
pub(crate) struct Bound {
    slots: Box<[Mutex<Option<WorkerSocket>>]>,
    local: Option<SocketAddr>,
    alive: Arc<Alive>,
}

/// Held as long as a socket of an address is open in this process. Removes the file of a unix socket at the end.
#[derive(Debug)]
pub(crate) struct Alive {
    file: Option<SocketFile>,
}

/// A listening socket of one worker.
#[derive(Debug)]
pub(crate) struct WorkerSocket {
    pub(crate) socket: Socket,
    /// Where its clients arrive, when that is one address.
    pub(crate) local: Option<SocketAddr>,
    pub(crate) unix: bool,
    /// Other workers hold the same socket, which was handed over or cannot be doubled.
    pub(crate) shared: bool,
    alive: Arc<Alive>,
}

#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode, so that a file which somebody else has put there is left alone.
    identity: (u64, u64),
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// What binding needs to know beside the address.
pub(crate) struct Binder<'a> {
    pub(crate) workers: usize,
    pub(crate) handed_over: &'a [(String, OwnedFd)],
    /// Whether the same graph binds this address as well.
    pub(crate) binds: &'a dyn Fn(SocketAddr) -> bool,
}

impl Bound {
    /// The socket of a worker, once.
    pub(crate) fn take(&self, worker: usize) -> Option<WorkerSocket> {
        self.slots.get(worker)?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The address with the port that the kernel chose. `None` for unix sockets.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    pub(crate) fn alive(&self) -> &Arc<Alive> {
        &self.alive
    }
}

impl WorkerSocket {
    /// To be held as long as the socket is open.
    pub(crate) fn alive(&self) -> Arc<Alive> {
        Arc::clone(&self.alive)
    }
}

impl Binder<'_> {
    /// `ours`: where this process listens already, on sockets that stay or are about to close.
    pub(crate) fn bind(&self, address: &BindAddress, ours: &[SocketAddr]) -> Result<Bound, BindError> {
        match address {
            BindAddress::Tcp(tcp) => self.tcp(*tcp, ours),
            BindAddress::Unix(path) => self.unix(path),
            BindAddress::Fd(name) => self.fd(name),
        }
    }

    fn tcp(&self, wanted: SocketAddr, ours: &[SocketAddr]) -> Result<Bound, BindError> {
        let refused = |error: io::Error| tcp_error(wanted, &error);
        // Sockets of one port are shared out by the kernel among all who ask for that. A foreign process must not be
        // among them, so that first somebody asks who does not share. Beside a socket of our own that one is refused
        // for our own sake; then the kernel's table tells of others.
        if ours.iter().any(|own| holder::overlap(*own, wanted)) {
            if holder::is_foreign(wanted) {
                return Err(refused(io::ErrorKind::AddrInUse.into()));
            }
        } else if wanted.port() != 0 {
            listen::tcp_socket(wanted, false, self.binds).map_err(refused)?;
        }
        let mut address = wanted;
        let mut sockets = Vec::new();
        for _ in 0..self.workers {
            let socket = listen::tcp_socket(address, true, self.binds).map_err(refused)?;
            socket.listen(ACCEPT_QUEUE).map_err(refused)?;
            // Port 0: the others join the port that the first was given.
            address = socket.local_addr().map_err(refused)?.as_socket().unwrap_or(address);
            sockets.push(socket);
        }
        let local = (!address.ip().is_unspecified()).then_some(address);
        Ok(Bound::new(sockets, Kind { local, shown: Some(address), unix: false, shared: false, file: None }))
    }

    fn unix(&self, path: &Path) -> Result<Bound, BindError> {
        let refused = |error: io::Error| BindError {
            message: format!("cannot listen on {}: {error}", path.display()),
            help: None,
        };
        if path.exists() {
            if UnixStream::connect(path).is_ok() {
                let help = Some("stop whoever serves it, or choose another path".to_owned());
                return Err(BindError { message: format!("{} is in use", path.display()), help });
            }
            listen::remove_stale(path).map_err(refused)?;
        }
        let socket = listen::unix_socket(path, ACCEPT_QUEUE).map_err(refused)?;
        let meta = std::fs::symlink_metadata(path).map_err(refused)?;
        let file = SocketFile { path: path.to_owned(), identity: (meta.dev(), meta.ino()) };
        self.share(&socket, Kind { local: None, shown: None, unix: true, shared: true, file: Some(file) })
            .map_err(refused)
    }

    fn fd(&self, name: &str) -> Result<Bound, BindError> {
        let refused = |message: String| BindError { message, help: None };
        let Some((_, fd)) = self.handed_over.iter().find(|(own, _)| own == name) else {
            let known: Vec<_> = self.handed_over.iter().map(|(own, _)| own.as_str()).collect();
            let help = match known.as_slice() {
                [] => "the service manager handed over none: is a .socket unit active?".to_owned(),
                names => format!("it handed over: {}", names.join(", ")),
            };
            let message = format!("the service manager handed over no socket named `{name}`");
            return Err(BindError { message, help: Some(help) });
        };
        let inspect = || -> io::Result<Bound> {
            let socket = Socket::from(fd.try_clone()?);
            if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not a listening stream socket",
                ));
            }
            socket.set_nonblocking(true)?;
            let address = socket.local_addr()?;
            let unix = address.is_unix();
            if !unix {
                listen::set_inherited(&socket)?;
            }
            let shown = address.as_socket();
            let local = shown.filter(|address| !address.ip().is_unspecified());
            self.share(&socket, Kind { local, shown, unix, shared: true, file: None })
        };
        inspect().map_err(|error| refused(format!("the socket `{name}` cannot be used: {error}")))
    }

    /// Every worker gets its own descriptor of one socket.
    fn share(&self, socket: &Socket, kind: Kind) -> io::Result<Bound> {
        let sockets = (0..self.workers).map(|_| socket.try_clone()).collect::<io::Result<Vec<_>>>()?;
        Ok(Bound::new(sockets, kind))
    }
}

struct Kind {
    local: Option<SocketAddr>,
    shown: Option<SocketAddr>,
    unix: bool,
    shared: bool,
    file: Option<SocketFile>,
}

impl Bound {
    fn new(sockets: Vec<Socket>, kind: Kind) -> Self {
        let Kind { local, shown, unix, shared, file } = kind;
        let alive = Arc::new(Alive { file });
        let slot = |socket| {
            Mutex::new(Some(WorkerSocket { socket, local, unix, shared, alive: Arc::clone(&alive) }))
        };
        Self { slots: sockets.into_iter().map(slot).collect(), local: shown, alive: Arc::clone(&alive) }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        let same =
            std::fs::symlink_metadata(&file.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == file.identity);
        if same && let Err(error) = std::fs::remove_file(&file.path) {
            tracing::warn!(path = %file.path.display(), %error, "a socket file stays behind");
        }
    }
}

fn tcp_error(address: SocketAddr, error: &io::Error) -> BindError {
    let message = format!("cannot listen on {address}: {error}");
    let help = match error.kind() {
        io::ErrorKind::AddrInUse => Some(match holder::of(address) {
            Some(holder) => format!("{holder} listens there; stop it, or choose another port"),
            None => "another process listens there; stop it, or choose another port".to_owned(),
        }),
        io::ErrorKind::PermissionDenied => Some(
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE, or a socket from the service manager"
                .to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => Some("this machine has no such address".to_owned()),
        _ => None,
    };
    BindError { message, help }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
