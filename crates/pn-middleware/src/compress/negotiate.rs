//! Which encoding a client gets (RFC 9110 section 12.5.3).

use pn_core::context::FieldValue;
use pn_model::middleware::Encoding;

/// The best of what both sides have: the client's weight first, then the order of the configuration. `None` for no
/// encoding at all.
pub(super) fn best<'a>(
    accept: impl Iterator<Item = FieldValue<'a>>,
    offered: &[Encoding],
) -> Option<Encoding> {
    let mut weights: [Option<u16>; 3] = [None; 3];
    let mut any = None;
    for value in accept {
        for element in value.to_str().unwrap_or_default().split(',') {
            let (coding, weight) = parse(element);
            if coding == "*" {
                any = weight;
                continue;
            }
            let at = offered.iter().position(|&own| same(coding, own));
            if let Some(slot) = at.and_then(|at| weights.get_mut(at)) {
                *slot = weight;
            }
        }
    }
    let weighted = offered.iter().zip(weights).map(|(own, weight)| (*own, weight.or(any).unwrap_or(0)));
    let best = weighted.fold(None, |best: Option<(Encoding, u16)>, next| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    });
    best.filter(|(_, weight)| *weight > 0).map(|(own, _)| own)
}

pub(super) fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Zstd => "zstd",
        Encoding::Brotli => "br",
        Encoding::Gzip => "gzip",
    }
}

fn same(coding: &str, own: Encoding) -> bool {
    coding.eq_ignore_ascii_case(name(own)) || (own == Encoding::Gzip && coding.eq_ignore_ascii_case("x-gzip"))
}

/// A coding and its weight in thousandths; a weight that cannot be read counts as a refusal.
fn parse(element: &str) -> (&str, Option<u16>) {
    let mut parts = element.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (coding, Some(weight.map_or(1000, thousandths)))
}

fn thousandths(text: &str) -> u16 {
    let value = text.trim().parse::<f32>().ok().filter(|value| (0.0..=1.0).contains(value));
    value.map_or(0, |value| (0..=1000u16).rev().find(|&n| f32::from(n) <= value * 1000.0 + 0.01).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[track_caller]
    fn check(accept: &[&str], expected: Option<Encoding>) {
        let values: Vec<_> = accept.iter().map(|text| HeaderValue::from_str(text).unwrap()).collect();
        let offered = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];
        assert_eq!(best(values.iter().map(FieldValue::from), &offered), expected, "{accept:?}");
    }

    #[test]
    fn the_clients_weight_decides_and_then_our_order() {
        check(&["gzip, br, zstd"], Some(Encoding::Zstd));
        check(&["gzip;q=1.0, br;q=0.5"], Some(Encoding::Gzip));
        check(&["gzip"], Some(Encoding::Gzip));
        check(&["x-gzip"], Some(Encoding::Gzip));
        check(&["*"], Some(Encoding::Zstd));
        check(&["zstd;q=0, *"], Some(Encoding::Brotli));
        check(&["gzip;q=0"], None);
        check(&["identity"], None);
        check(&[], None);
        check(&["br;q=nonsense"], None);
        check(&["deflate", "br"], Some(Encoding::Brotli));
        check(&["gzip;q=0.001"], Some(Encoding::Gzip));
    }
}
