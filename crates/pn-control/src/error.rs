//! The error of this room: what a caller of `Control` may meet. Why a configuration is refused is not an error here but
//! an outcome (`Refusal`).

use crate::reconcile::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The first configuration does not run.
    #[error("{0}")]
    Refused(Refusal),
    #[error("the control thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
    /// More requests wait than make sense; ask again later.
    #[error("too many changes are waiting")]
    Busy,
    /// Asked while the process stops.
    #[error("the control plane has stopped")]
    Stopped,
}
