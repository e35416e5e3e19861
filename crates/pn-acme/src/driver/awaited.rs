//! What a person has asked for and waits for. The answer comes in time, also while a CA does not answer; the work itself
//! goes on then.

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Well below the minute that the command line, and most clients, wait for an answer.
const PATIENCE: Duration = Duration::from_secs(40);

/// It is not known what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Whom it waits for: URL of a directory.
    of: Option<String>,
}

/// Does the work. `of`: whom it waits for, once that is known.
pub(super) async fn answer<T, E: fmt::Display + From<Silence>>(
    done: oneshot::Sender<Result<T, E>>,
    of: &OnceLock<String>,
    mut work: Pin<Box<impl Future<Output = Result<T, E>>>>,
) {
    // Whoever asked may have given up.
    let Ok(outcome) = timeout(PATIENCE, &mut work).await else {
        let silence = Silence { of: of.get().cloned() };
        tracing::warn!("what was asked for lasts: {silence}");
        done.send(Err(silence.into())).unwrap_or_default();
        let ca = of.get().map(String::as_str);
        match work.await {
            Ok(_) => tracing::info!(ca, "what was asked for, and lasted, is done"),
            Err(error) => tracing::error!(ca, %error, "what was asked for, and lasted, failed"),
        }
        return;
    };
    done.send(outcome).unwrap_or_default();
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = PATIENCE.as_secs();
        match &self.of {
            Some(directory) => write!(f, "no answer of the CA `{directory}` within {seconds} s")?,
            None => write!(f, "the certificate store has not come to an end with it within {seconds} s")?,
        }
        f.write_str("; it may still be done, which the log tells: look before you ask again")
    }
}
