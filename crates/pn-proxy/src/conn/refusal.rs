//! Why TLS handshakes fail, as it is counted, and told once a minute each: clients make them fail at will, and must not
//! write the log.

use crate::metrics::Reason;
use rustls::{AlertDescription, Error};
use std::cell::Cell;
use std::io;

/// Nanoseconds.
const TOLD_EVERY: u64 = 60_000_000_000;

/// When each reason was told last; 0 for never.
#[derive(Debug, Default)]
pub(crate) struct Told([Cell<u64>; Reason::ALL.len()]);

impl Told {
    /// Whether a handshake that failed now is to be told of.
    pub(crate) fn is_due(&self, reason: Reason, now: u64) -> bool {
        let Some(last) = self.0.get(reason as usize) else { return false };
        let due = last.get() == 0 || now.saturating_sub(last.get()) >= TOLD_EVERY;
        if due {
            last.set(now);
        }
        due
    }
}

pub(crate) fn reason(error: &io::Error) -> Reason {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    match (cause, error.kind()) {
        (Some(cause), _) => of_tls(cause),
        (None, io::ErrorKind::TimedOut) => Reason::Timeout,
        (None, io::ErrorKind::PermissionDenied) => Reason::NoSite,
        (None, io::ErrorKind::NotFound) => Reason::NoCertificate,
        _ => Reason::Closed,
    }
}

fn of_tls(error: &Error) -> Reason {
    match error {
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Reason::Incompatible,
        Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled) => {
            Reason::Closed
        }
        Error::AlertReceived(_) => Reason::Alert,
        Error::NoCertificatesPresented | Error::InvalidCertificate(_) => Reason::ClientCertificate,
        Error::InvalidCertRevocationList(_) | Error::UnsupportedNameType => Reason::ClientCertificate,
        _ => Reason::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_a_minute() {
        let told = Told::default();
        for (reason, now, expected) in [
            (Reason::Malformed, 5, true),
            (Reason::Malformed, 6, false),
            (Reason::Timeout, 7, true),
            (Reason::Malformed, 5 + TOLD_EVERY, true),
            (Reason::Malformed, 6 + TOLD_EVERY, false),
        ] {
            assert_eq!(told.is_due(reason, now), expected, "{reason:?} {now}");
        }
    }

    #[test]
    fn errors_have_reasons() {
        let tls = |error: Error| io::Error::new(io::ErrorKind::InvalidData, error);
        for (error, expected) in [
            (io::ErrorKind::TimedOut.into(), Reason::Timeout),
            (io::ErrorKind::UnexpectedEof.into(), Reason::Closed),
            (io::ErrorKind::NotFound.into(), Reason::NoCertificate),
            (io::ErrorKind::ConnectionReset.into(), Reason::Closed),
            (tls(Error::NoCertificatesPresented), Reason::ClientCertificate),
            (tls(Error::AlertReceived(AlertDescription::UnknownCA)), Reason::Alert),
            (tls(Error::DecryptError), Reason::Malformed),
        ] {
            assert_eq!(reason(&error), expected, "{error}");
        }
    }
}
