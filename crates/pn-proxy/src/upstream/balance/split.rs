//! Which service of a split takes a request.

use super::scale;
use super::sticky::{cookie_value, set_cookie};
use http::HeaderValue;
use pn_core::context::FieldValue;
use pn_core::graph::{ServiceId, SplitNode};
use std::sync::atomic::Ordering::Relaxed;

/// 2^64 divided by the golden ratio: multiples of it fill the range evenly, however many there are.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The service, and the cookie to set when the split is sticky and the client has none that holds.
pub(in crate::upstream) fn choose_split<'a>(
    split: &SplitNode,
    cookies: impl Iterator<Item = FieldValue<'a>>,
) -> Option<(ServiceId, Option<HeaderValue>)> {
    let Some(sticky) = &split.sticky else { return by_weight(split).map(|(service, _)| (service, None)) };
    let kept = cookie_value(cookies, &sticky.name)
        .and_then(|value| split.targets.iter().find(|target| *target.cookie == *value));
    if let Some(target) = kept {
        return Some((target.service, None));
    }
    let (service, value) = by_weight(split)?;
    Some((service, set_cookie(sticky, value)))
}

fn by_weight(split: &SplitNode) -> Option<(ServiceId, &str)> {
    let nth = split.balance.offset.fetch_add(1, Relaxed);
    let mut point = scale(nth.wrapping_mul(GOLDEN), split.total);
    let hit = split.targets.iter().find(|target| {
        let weight = u64::from(target.weight);
        let inside = point < weight;
        point = point.saturating_sub(weight);
        inside
    })?;
    Some((hit.service, &hit.cookie))
}
