//! What the kernel keeps of the bytes that it was given: the one question whose answer tells a peer that takes little from
//! one that takes nothing, while neither leaves room to write.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "an ioctl for which there is no safe call"))]

use super::socket::Socket;

/// Bytes that were sent into the socket and that its peer has not acknowledged, or has not read where both are on this
/// machine (unix(7)). `None` where the system has no such figure. One system call.
#[cfg(target_os = "linux")]
pub(super) fn unsent(socket: &Socket) -> Option<u64> {
    use rustix::ioctl::{Getter, Opcode, ioctl};
    use std::ffi::c_int;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "operations are 32 bits wide, whatever type carries them"
    )]
    const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;
    // SAFETY: tcp(7) and unix(7): SIOCOUTQ, which is TIOCOUTQ, writes one int and changes nothing.
    let queued = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) };
    queued.ok().and_then(|bytes| u64::try_from(bytes).ok())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unsent(_: &Socket) -> Option<u64> {
    None
}
