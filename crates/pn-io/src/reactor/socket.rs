//! Connected stream sockets of both families as the reactor knows them, and single system calls on them.

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A connected socket that tokio's reactor watches. Those of the standard library must be non-blocking.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

macro_rules! either {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self {
            $crate::reactor::Socket::Tcp($socket) => $call,
            $crate::reactor::Socket::Unix($socket) => $call,
        }
    };
}
pub(super) use either;

impl Socket {
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_read_ready(cx))
    }

    /// Calls `operation` whenever the socket may be ready to read, until it does not say `WouldBlock`.
    #[cfg(target_os = "linux")]
    pub(super) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            if let Some(result) = self.try_if(Interest::READABLE, &mut operation) {
                return Poll::Ready(result);
            }
        }
    }

    /// Calls `operation` whenever the socket may be ready to write, until it does not say `WouldBlock`.
    pub(super) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(either!(self, socket => socket.poll_write_ready(cx)))?;
            if let Some(result) = self.try_if(Interest::WRITABLE, &mut operation) {
                return Poll::Ready(result);
            }
        }
    }

    /// `None` when it must wait: the reactor says so, or the operation did.
    pub(super) fn try_if<T>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        match either!(self, socket => socket.try_io(interest, operation)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            result => Some(result),
        }
    }

    /// The last operation has shown that there is no more for now, which spares a system call that would say it again.
    pub(super) fn set_waiting(&self, interest: Interest) {
        self.try_if::<()>(interest, || Err(io::ErrorKind::WouldBlock.into()));
    }

    /// One system call, but for interruptions.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| (&*SockRef::from(self)).read(into))
    }

    /// One system call, but for interruptions; the plain one for one slice, which is the cheaper. A peer that is gone is
    /// an error and no signal: Rust's start-up ignores SIGPIPE.
    pub(super) fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = SockRef::from(self);
        let sent = uninterrupted(|| match slices {
            [one] => socket.send(one),
            several => socket.send_vectored(several),
        })?;
        if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(sent) }
    }

    /// Whether there is nothing to read and the peer has not ended, by what the reactor has seen; it is asked again
    /// only where that was something. Disturbs no task that waits.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        self.try_if(Interest::READABLE, || uninterrupted(|| SockRef::from(self).peek(&mut byte))).is_none()
    }

    /// A socket that is not connected any more has ended.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match SockRef::from(self).shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, socket => socket.as_fd())
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl TryFrom<std::net::TcpStream> for Socket {
    type Error = io::Error;

    fn try_from(stream: std::net::TcpStream) -> io::Result<Self> {
        TcpStream::from_std(stream).map(Self::Tcp)
    }
}

impl TryFrom<std::os::unix::net::UnixStream> for Socket {
    type Error = io::Error;

    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        UnixStream::from_std(stream).map(Self::Unix)
    }
}

pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
