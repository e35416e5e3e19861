//! How long to wait after tries that failed in a row: certmagic's intervals, which have served millions of sites
//! without troubling a CA.

use super::{CertificateId, DAY, HOUR, MINUTE, Time, spread};

/// In minutes; the last goes on.
const RUNGS: [u64; 25] =
    [1, 2, 2, 5, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30, 30, 30, 60, 60, 60, 120, 120, 180, 180, 360];
/// What has failed for so long is hardly mended by the hour.
const PATIENCE: u64 = 30 * DAY;
/// Between tries for a certificate that is about to end.
const HURRY: u64 = 5 * MINUTE;

/// The pause after `failures` tries in a row, the first of them at `since`. `left` is what remains of a certificate that
/// is in its last fiftieth: there a sixth of it is waited at most. Up to a tenth longer, so that many do not come at once.
pub(super) fn pause(id: &CertificateId, failures: u32, since: Time, left: Option<u64>, now: Time) -> u64 {
    let rung = (failures.max(1) as usize - 1).min(RUNGS.len() - 1);
    let minutes = RUNGS.get(rung).copied().unwrap_or(6 * HOUR / MINUTE);
    let long = if now.saturating_sub(since) > PATIENCE { DAY } else { minutes * MINUTE };
    let pause = left.map_or(long, |left| long.min((left / 6).max(HURRY)));
    pause + spread(id, u64::from(failures), pause / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_six_hours_then_to_a_day() {
        let id = CertificateId::of(&["a.example".to_owned()]);
        let minutes = |failures, since, left, now| pause(&id, failures, since, left, now) as f64 / 60.0;
        for (failures, since, left, now, expected) in [
            (0, 0, None, 0, 1),
            (1, 0, None, 0, 1),
            (2, 0, None, 0, 2),
            (4, 0, None, 0, 5),
            (17, 0, None, 0, 30),
            (18, 0, None, 0, 60),
            (25, 0, None, 0, 360),
            (9_999, 0, None, 30 * DAY, 360),
            (9_999, 0, None, 30 * DAY + 1, 24 * 60),
            (25, 0, Some(2 * HOUR), 0, 20),
            (25, 0, Some(MINUTE), 0, 5),
            (1, 0, Some(2 * HOUR), 0, 1),
        ] {
            let got = minutes(failures, since, left, now);
            let expected = f64::from(expected);
            assert!(got >= expected && got <= expected * 1.1, "{failures} {left:?}: {got} for {expected}");
        }
    }

    #[test]
    fn certificates_are_spread() {
        let drawn: std::collections::BTreeSet<u64> =
            (0..100).map(|i| spread(&CertificateId::of(&[format!("host{i}.example")]), 7, 1_000)).collect();
        assert!(drawn.len() > 85, "{}", drawn.len());
    }
}
