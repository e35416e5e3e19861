//! The backend that waits until sockets are ready: tokio's reactor (epoll, kqueue). One per worker, on a current-thread
//! runtime. The stream is in `stream.rs`; `splice.rs` has what Linux alone can do.

mod direct;
mod gulp;
mod socket;
#[cfg(target_os = "linux")]
mod splice;
mod stream;
mod unsent;

use std::io;

pub use gulp::{Gulp, Gulping};
pub use socket::Socket;
pub use stream::ReactorStream;

use crate::pool::Pool;
use crate::stream::{Capabilities, EventActions};

/// See the module's documentation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reactor {
    pool: Pool,
    #[cfg(target_os = "linux")]
    pipes: std::rc::Rc<splice::Pipes>,
}

impl Reactor {
    /// For the thread whose pool this is. Sockets are attached inside of a tokio runtime with I/O.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            #[cfg(target_os = "linux")]
            pipes: std::rc::Rc::default(),
        }
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn pipes_made(&self) -> usize {
        self.pipes.made()
    }
}

impl EventActions for Reactor {
    type Socket = Socket;
    type Stream = ReactorStream;
    #[cfg(target_os = "linux")]
    type Passage = splice::Splicing;
    #[cfg(not(target_os = "linux"))]
    type Passage = crate::copy::Copying;

    fn capabilities(&self) -> Capabilities {
        Capabilities { kernel_relay: cfg!(target_os = "linux"), completions: false }
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn attach(&self, socket: Socket) -> io::Result<ReactorStream> {
        Ok(ReactorStream::new(socket, self.pool.seat()))
    }

    fn flush(&self) {}

    #[cfg(target_os = "linux")]
    fn passage(&self) -> splice::Splicing {
        splice::Splicing::new(&self.pipes)
    }

    #[cfg(not(target_os = "linux"))]
    fn passage(&self) -> crate::copy::Copying {
        crate::copy::Copying::default()
    }
}
