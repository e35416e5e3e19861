//! Wildcards of `include`: `*` and `?` within one segment of a path.

/// Whether a segment of a pattern has a wildcard.
pub(super) fn wild(segment: &str) -> bool {
    segment.contains(['*', '?'])
}

/// Names that start with a dot are taken only by a pattern that does too, so that editors' files stay out.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern.get(p) == Some(&'?') || pattern.get(p) == name.get(n)) {
            p += 1;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    pattern.iter().skip(p).all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stay_within_a_segment() {
        let check =
            |pattern, name, expected| assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        check("*.toml", "a.toml", true);
        check("*.toml", "a.json", false);
        check("*.toml", ".a.toml", false);
        check(".*.toml", ".a.toml", true);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("*a*b", "xaayb", true);
        check("*a*b", "xaaybc", false);
        check("a", "a", true);
        check("*", "", true);
        check("a**b", "ab", true);
    }
}
