//! Our own bound on orders: so many within so long, a CA and account. Kept in the storage, so that it holds for all nodes
//! and over restarts.

use super::Time;
use std::time::Duration;

/// At most `orders` in any stretch of `per` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    pub orders: u32,
    pub per: u64,
}

impl Throttle {
    pub fn new(orders: u32, per: Duration) -> Self {
        Self { orders: orders.max(1), per: per.as_secs().max(1) }
    }
}

/// Places that fit into one record.
const RECORDED: u32 = 50_000;

/// When the orders of the last stretch were made; oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots(Vec<Time>);

impl Slots {
    pub fn new(mut times: Vec<Time>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// All places are taken now.
    pub fn full(throttle: Throttle, now: Time) -> Self {
        Self(vec![now; throttle.orders.clamp(1, RECORDED) as usize])
    }

    pub fn times(&self) -> &[Time] {
        &self.0
    }

    /// Takes a place for an order now, or says when there is one. Either way `self` is to be stored when it changed.
    pub fn take(&mut self, throttle: Throttle, now: Time) -> Result<(), Time> {
        self.settle(throttle, now);
        match self.full_until(throttle) {
            Some(until) => Err(until),
            None => {
                self.0.push(now);
                self.0.sort_unstable();
                Ok(())
            }
        }
    }

    /// Forgets what is past. Places from beyond the next stretch were taken before the clock was set back: they count
    /// from now, since otherwise nothing would be ordered until the clock is there again.
    fn settle(&mut self, throttle: Throttle, now: Time) {
        let latest = now.saturating_add(throttle.per);
        self.0.iter_mut().filter(|time| **time > latest).for_each(|time| *time = now);
        self.0.retain(|time| time.saturating_add(throttle.per) > now);
        self.0.sort_unstable();
    }

    fn full_until(&self, throttle: Throttle) -> Option<Time> {
        let beyond = self.0.len().checked_sub(throttle.orders.max(1) as usize)?;
        self.0.get(beyond).map(|time| time.saturating_add(throttle.per))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_any_stretch() {
        let throttle = Throttle::new(3, Duration::from_secs(10));
        let mut slots = Slots::default();
        for (now, expected) in [
            (100, Ok(())),
            (104, Ok(())),
            (104, Ok(())),
            (105, Err(110)),
            (109, Err(110)),
            (110, Ok(())),
            (113, Err(114)),
            (114, Ok(())),
            (114, Ok(())),
            (114, Err(120)),
        ] {
            assert_eq!(slots.take(throttle, now), expected, "{now}: {slots:?}");
        }
        assert!(slots.times().len() <= 3);
    }

    #[test]
    fn a_full_one_lets_nothing_through_for_one_stretch() {
        let throttle = Throttle::new(3, Duration::from_secs(10));
        let mut slots = Slots::full(throttle, 100);
        assert_eq!(slots.take(throttle, 109), Err(110));
        assert_eq!(slots.take(throttle, 110), Ok(()));
    }

    #[test]
    fn a_clock_that_was_set_back_costs_one_stretch() {
        let throttle = Throttle::new(1, Duration::from_secs(10));
        let mut slots = Slots::new(vec![5_000]);
        assert_eq!(slots.take(throttle, 100), Err(110));
        assert_eq!(slots.take(throttle, 105), Err(110), "it does not move on with the clock");
        assert_eq!(slots.take(throttle, 110), Ok(()));
        let mut ahead = Slots::new(vec![112]);
        assert_eq!(ahead.take(throttle, 105), Err(122), "another node's clock is a little ahead");
    }
}
