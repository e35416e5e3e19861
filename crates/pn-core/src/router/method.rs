//! Sets of methods: what a branch takes, and the algebra by which routes are compared.

use std::collections::BTreeSet;

/// Methods that take one bit. `GET` and `HEAD` first; the order is that of the bits.
const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const GET: u16 = 1;
const HEAD: u16 = 2;
/// What a set without some methods offers in `Allow`: everything but CONNECT and TRACE, which no upstream here serves.
const OFFERED: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/// The method of one request, looked up once.
#[derive(Debug, Clone, Copy)]
pub(super) struct MethodKey<'m> {
    bit: u16,
    name: &'m str,
}

impl<'m> MethodKey<'m> {
    pub(super) fn new(name: &'m str) -> Self {
        Self { bit: bit(name), name }
    }

    /// 0 for one that is not known.
    pub(super) fn bit(self) -> u16 {
        self.bit
    }
}

fn bit(name: &str) -> u16 {
    KNOWN.iter().position(|known| *known == name).map_or(0, |at| 1 << at)
}

/// A finite set of methods, or everything but one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MethodSet {
    known: u16,
    others: BTreeSet<String>,
    complement: bool,
}

impl MethodSet {
    pub(super) fn all() -> Self {
        Self { known: 0, others: BTreeSet::new(), complement: true }
    }

    pub(super) fn none() -> Self {
        Self { known: 0, others: BTreeSet::new(), complement: false }
    }

    /// The named ones; with `cover`, `GET` stands for `HEAD` too.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>, cover: bool) -> Self {
        let mut set = Self::none();
        for name in names {
            match bit(name) {
                0 => {
                    set.others.insert(name.to_owned());
                }
                bit => set.known |= bit,
            }
        }
        if cover && set.known & GET != 0 {
            set.known |= HEAD;
        }
        set
    }

    /// The known ones, as their bits.
    pub(super) fn of_known(known: u16) -> Self {
        Self { known, ..Self::none() }
    }

    /// The bits of the known ones that it takes, and whether it takes all others or none of them; `None` when it names
    /// some.
    pub(super) fn split(&self) -> (u16, Option<bool>) {
        let known = if self.complement { !self.known } else { self.known };
        (known, self.others.is_empty().then_some(self.complement))
    }

    pub(super) fn takes(&self, method: MethodKey<'_>) -> bool {
        let named = match method.bit {
            0 => self.others.contains(method.name),
            bit => self.known & bit != 0,
        };
        named != self.complement
    }

    pub(super) fn is_all(&self) -> bool {
        self.complement && self.known == 0 && self.others.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.complement && self.known == 0 && self.others.is_empty()
    }

    pub(super) fn not(&self) -> Self {
        Self { complement: !self.complement, ..self.clone() }
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        match (self.complement, other.complement) {
            (false, false) => self.select(self.known & other.known, |name| other.others.contains(name)),
            (false, true) => self.select(self.known & !other.known, |name| !other.others.contains(name)),
            (true, false) => other.and(self),
            (true, true) => {
                let others = self.others.union(&other.others).cloned().collect();
                Self { known: self.known | other.known, others, complement: true }
            }
        }
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        self.not().and(&other.not()).not()
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        other.and(&self.not()).is_empty()
    }

    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        self.and(other).is_empty()
    }

    /// What it adds to the field `Allow`.
    pub(super) fn offered(&self) -> impl Iterator<Item = &str> {
        let usual: &[&str] = if self.complement { &OFFERED } else { &KNOWN };
        let named = self.others.iter().filter(|_| !self.complement).map(String::as_str);
        usual.iter().copied().filter(|name| self.takes(MethodKey::new(name))).chain(named)
    }

    fn select(&self, known: u16, keep: impl Fn(&str) -> bool) -> Self {
        let others = self.others.iter().filter(|name| keep(name)).cloned().collect();
        Self { known, others, complement: false }
    }
}

/// The value of `Allow` (RFC 9110 section 10.2.1), in alphabetical order.
pub(super) fn allow<'s>(sets: impl Iterator<Item = &'s MethodSet>) -> String {
    let names: BTreeSet<&str> = sets.flat_map(MethodSet::offered).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> MethodSet {
        match text.strip_prefix('!') {
            Some(text) => MethodSet::of(text.split(' ').filter(|name| !name.is_empty()), false).not(),
            None => MethodSet::of(text.split(' ').filter(|name| !name.is_empty()), false),
        }
    }

    #[test]
    fn algebra() {
        for (a, b, both, either) in [
            ("GET POST", "POST PUT", "POST", "GET POST PUT"),
            ("GET X", "X Y", "X", "GET X Y"),
            ("GET X", "!X", "GET", "!"),
            ("GET X", "!GET", "X", "!"),
            ("!GET", "!POST X", "!GET POST X", "!"),
            ("!GET POST", "!POST X", "!GET POST X", "!POST"),
            ("", "GET", "", "GET"),
            ("!", "GET", "GET", "!"),
        ] {
            for (a, b) in [(a, b), (b, a)] {
                assert_eq!(set(a).and(&set(b)), set(both), "{a} and {b}");
                assert_eq!(set(a).or(&set(b)), set(either), "{a} or {b}");
            }
        }
    }

    #[test]
    fn comparison() {
        for (a, b, contains, disjoint) in [
            ("GET POST", "GET", true, false),
            ("GET", "GET POST", false, false),
            ("GET", "POST", false, true),
            ("!GET", "POST X", true, false),
            ("!GET", "GET", false, true),
            ("!X", "X", false, true),
            ("!", "!X", true, false),
            ("!X", "!", false, false),
        ] {
            assert_eq!(set(a).contains(&set(b)), contains, "{a} contains {b}");
            assert_eq!(set(a).is_disjoint(&set(b)), disjoint, "{a} and {b}");
        }
    }

    #[test]
    fn membership() {
        for (text, method, takes) in [
            ("GET", "GET", true),
            ("GET", "HEAD", false),
            ("GET", "get", false),
            ("PURGE", "PURGE", true),
            ("PURGE", "GET", false),
            ("!PURGE", "PURGE", false),
            ("!PURGE", "GET", true),
            ("!GET", "PURGE", true),
        ] {
            assert_eq!(set(text).takes(MethodKey::new(method)), takes, "{text} takes {method}");
        }
        assert!(MethodSet::of(["GET"], true).takes(MethodKey::new("HEAD")));
    }

    #[test]
    fn allow_field() {
        for (text, expected) in [
            ("POST GET", "GET, POST"),
            ("PURGE GET TRACE", "GET, PURGE, TRACE"),
            ("!POST", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ] {
            assert_eq!(allow([&set(text)].into_iter()), expected);
        }
        assert_eq!(allow([&set("GET"), &set("PURGE"), &set("!GET")].into_iter()), {
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PURGE, PUT"
        });
    }
}
