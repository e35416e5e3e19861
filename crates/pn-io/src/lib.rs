//! What touches the operating system's sockets: buffers and who owns them, the operations that move bytes, the backends
//! that carry them out, how listening sockets are made and who holds a port. Connections as such and protocols never
//! come here.
//!
//! A buffer belongs to exactly one of three: the caller, the backend (the kernel), the pool. Every operation takes a
//! buffer by value or gives one away, so that one trait fits backends that wait for readiness ([`reactor`]) and those
//! that hand buffers to the kernel until it is done (`sim`; io_uring).

mod chunk;
pub mod copy;
pub mod holder;
pub mod listen;
mod over;
mod passage;
pub mod pool;
mod queue;
pub mod reactor;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod stream;
#[cfg(test)]
mod tests;

pub use chunk::Chunk;
pub use over::Over;
pub use passage::{Lost, Passage, Progress, WORTH_A_PIPE};
pub use pool::{Pool, PoolBuf, PoolBytes, PoolConfig, Size};
pub use queue::{HIGH_WATER, QUEUE_CHUNKS};
pub use reactor::Reactor;
pub use stream::{Capabilities, DataStream, EventActions, Relayed};
