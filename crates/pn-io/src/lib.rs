//! What touches the operating system's sockets: how listening ones are made, and who holds a port. Buffers and the
//! backends that move bytes come here with the engine; connections and protocols never do.

pub mod holder;
pub mod listen;
