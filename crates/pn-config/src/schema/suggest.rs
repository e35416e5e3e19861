//! What somebody may have meant.

use super::{KINDS, Key, SITE_ROUTE, Type};

/// The nearest of some words, if it is near enough to be a slip.
pub(crate) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let scored = words.into_iter().map(|candidate| (distance(word, candidate), candidate));
    scored
        .filter(|&(score, _)| score <= limit)
        .min_by_key(|&(score, _)| score)
        .map(|(_, candidate)| candidate)
}

/// `, did you mean ..?` or nothing, for the end of a sentence.
pub(crate) fn did_you_mean<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<String> {
    nearest(word, words).map(|found| format!("did you mean `{found}`?"))
}

/// Where else a key of this name belongs: `middlewares.NAME`, `health-check of services.NAME`.
pub(crate) fn belongs(key: &str) -> Option<String> {
    if KINDS.iter().any(|kind| kind.table == key) {
        return Some(format!("`[{key}]` stands at the top of a file"));
    }
    let mut places = Vec::new();
    for kind in KINDS {
        let node = if kind.named { format!("{}.NAME", kind.table) } else { kind.table.to_owned() };
        places_of(key, kind.keys, &node, &mut places);
    }
    places_of(key, SITE_ROUTE.keys, "a site's route", &mut places);
    places.truncate(3);
    (!places.is_empty()).then(|| format!("`{key}` is a key of {}", places.join(" and of ")))
}

fn places_of(key: &str, keys: &[Key], place: &str, out: &mut Vec<String>) {
    for own in keys {
        if own.name == key {
            out.push(format!("`{place}`"));
        }
        if let Type::Table(inner) | Type::Short(_, inner) = own.ty
            && inner.iter().any(|inner| inner.name == key)
        {
            out.push(format!("`{}` of `{place}`", own.name));
        }
    }
}

/// Optimal string alignment: insertions, deletions, replacements, and neighbours that changed places. Long words
/// are no slips of a key and are not compared.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > LONGEST {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = a.get(i - 1) == b.get(j - 1);
            let mut best = at(&last, j - 1) + usize::from(!same);
            best = best.min(at(&last, j) + 1).min(at(&row, j - 1) + 1);
            if i > 1 && j > 1 && a.get(i - 1) == b.get(j - 2) && a.get(i - 2) == b.get(j - 1) {
                best = best.min(at(&before, j - 2) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

fn at(row: &[usize], index: usize) -> usize {
    row.get(index).copied().unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::{belongs, nearest};

    #[test]
    fn slips_find_their_word() {
        let words = ["servers", "split", "sticky", "health-check", "retries", "to"];
        let check = |word, expected| assert_eq!(nearest(word, words), expected, "{word}");
        check("server", Some("servers"));
        check("sevrers", Some("servers"));
        check("helth-chek", Some("health-check"));
        check("health_check", Some("health-check"));
        check("ot", Some("to"));
        check("banana", None);
        check("", None);
        check("xyz", None);
    }

    #[test]
    fn keys_know_where_they_belong() {
        assert_eq!(belongs("rate-limit").as_deref(), Some("`rate-limit` is a key of `middlewares.NAME`"));
        assert_eq!(belongs("cookie").as_deref(), Some("`cookie` is a key of `sticky` of `services.NAME`"));
        assert_eq!(belongs("sites").as_deref(), Some("`[sites]` stands at the top of a file"));
        assert_eq!(belongs("nonsense"), None);
    }
}
