//! Values with units: durations, sizes, rates, status ranges. Errors are sentences that go into a diagnostic.

use std::time::Duration;

/// `"10s"`, `"1h30m"`, `"250ms"`; units `ns us ms s m h d`, larger ones first, each once.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 7] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let bad = || {
        "a duration is a number and a unit: \"10s\", \"250ms\", \"1h30m\" (ns, us, ms, s, m, h, d)".to_owned()
    };
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let (number, tail) = split_number(rest);
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len()));
        let &(_, scale) = units.find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let nanos = scaled(number, scale).ok_or_else(bad)?;
        total = total.checked_add(nanos).ok_or_else(|| "longer than 584 years".to_owned())?;
        rest = tail;
    }
    if text.is_empty() { Err(bad()) } else { Ok(Duration::from_nanos(total)) }
}

/// Bytes: `"2MiB"`, `"64KiB"`, `"1.5GB"`, `"512B"`; `KB`, `MB`, `GB` are powers of 1000.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let bad = || "a size is a number and a unit: \"64KiB\", \"2MiB\", \"1GB\" (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)";
    let (number, unit) = split_number(text);
    let &(_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    Ok(scaled(number, scale).ok_or_else(bad)?)
}

/// Amount and period: `"100/s"`, `"5/m"`, `"10/30s"`.
pub(crate) fn rate(text: &str) -> Result<(u64, Duration), String> {
    let bad = || "a rate is a number and a period: \"100/s\", \"5/m\", \"10/30s\"".to_owned();
    let (amount, period) = text.split_once('/').ok_or_else(bad)?;
    let amount: u64 = amount.parse().map_err(|_| bad())?;
    let period = if period.starts_with(|c: char| c.is_ascii_digit()) {
        duration(period)?
    } else {
        duration(&format!("1{period}")).map_err(|_| bad())?
    };
    if amount == 0 || period.is_zero() {
        return Err("a rate of nothing lets nobody in: both numbers must be at least 1".to_owned());
    }
    Ok((amount, period))
}

/// Inclusive ends: `"404"`, `"500-599"`; codes of 100 to 599.
pub(crate) fn status_range(text: &str) -> Result<(u16, u16), String> {
    let bad = || "a status is \"404\" or a range \"500-599\", of codes 100 to 599".to_owned();
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let code =
        |s: &str| (s.len() == 3).then(|| s.parse::<u16>().ok()).flatten().filter(|c| (100..600).contains(c));
    match (code(low), code(high)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(bad()),
    }
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// `number * scale`, exactly: a fraction must come out whole.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 9 {
        return None;
    }
    let base = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    if fraction.is_empty() {
        return Some(base);
    }
    let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(scale);
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    base.checked_add(u64::try_from(parts / divisor).ok()?)
}
