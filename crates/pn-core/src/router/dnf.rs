//! The disjunctive form of a rule: branches of atoms, each plain or negated. Ranking and matching are elsewhere.

use pn_model::limits;
use pn_model::path::PathPattern;
use pn_model::rule::{Atom, Expr, ValueMatch};
use std::collections::BTreeSet;

/// An atom as a branch has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    pub(super) atom: Atom,
    pub(super) negated: bool,
}

pub(super) type Conjunction = BTreeSet<Literal>;

/// More than [`limits::RULE_BRANCHES`] branches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooManyBranches;

/// The branches of a rule, without those that contradict themselves and without repetitions. May be empty.
pub(super) fn disjunctive(expr: &Expr) -> Result<Vec<Conjunction>, TooManyBranches> {
    branches(expr, false)
}

fn branches(expr: &Expr, negated: bool) -> Result<Vec<Conjunction>, TooManyBranches> {
    match (expr, negated) {
        (Expr::Atom(atom), _) => Ok(vec![Conjunction::from([literal(atom, negated)])]),
        (Expr::Not(inner), _) => branches(inner, !negated),
        (Expr::And(parts), false) | (Expr::Or(parts), true) => product(parts, negated),
        (Expr::Or(parts), false) | (Expr::And(parts), true) => sum(parts, negated),
    }
}

fn sum(parts: &[Expr], negated: bool) -> Result<Vec<Conjunction>, TooManyBranches> {
    let mut all = Vec::new();
    for part in parts {
        for branch in branches(part, negated)? {
            add(&mut all, branch)?;
        }
    }
    Ok(all)
}

fn product(parts: &[Expr], negated: bool) -> Result<Vec<Conjunction>, TooManyBranches> {
    let mut all = vec![Conjunction::new()];
    for part in parts {
        let right = branches(part, negated)?;
        let mut joined = Vec::new();
        for (a, b) in all.iter().flat_map(|a| right.iter().map(move |b| (a, b))) {
            let branch: Conjunction = a.union(b).cloned().collect();
            if !contradicts(&branch) {
                add(&mut joined, branch)?;
            }
        }
        all = joined;
    }
    Ok(all)
}

fn add(all: &mut Vec<Conjunction>, branch: Conjunction) -> Result<(), TooManyBranches> {
    if all.contains(&branch) {
        return Ok(());
    }
    if all.len() == limits::RULE_BRANCHES {
        return Err(TooManyBranches);
    }
    all.push(branch);
    Ok(())
}

fn contradicts(branch: &Conjunction) -> bool {
    let opposite = |one: &Literal| Literal { atom: one.atom.clone(), negated: !one.negated };
    branch.iter().filter(|one| one.negated).any(|one| branch.contains(&opposite(one)))
}

/// One spelling for what has two: `Absent` is not `Present`, a plain connection is not TLS, `PathPrefix(/)` is every
/// path.
fn literal(atom: &Atom, negated: bool) -> Literal {
    let mut literal = Literal { atom: atom.clone(), negated };
    match &mut literal.atom {
        Atom::Header(field) | Atom::Query(field) if field.value == ValueMatch::Absent => {
            field.value = ValueMatch::Present;
            literal.negated = !negated;
        }
        Atom::Path(path) if *path == PathPattern::StringPrefix("/".to_owned()) => *path = PathPattern::any(),
        Atom::Tls(tls @ false) => {
            *tls = true;
            literal.negated = !negated;
        }
        _ => {}
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(name: char) -> Expr {
        Expr::Atom(Atom::Method(name.to_string()))
    }

    /// Reads `a(b|!c)`: juxtaposition is and.
    fn read(text: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Expr {
        let mut any = Vec::new();
        let mut all = Vec::new();
        let mut negated = false;
        while let Some(c) = text.next() {
            let one = match c {
                '!' => {
                    negated = !negated;
                    continue;
                }
                '|' => {
                    any.push(Expr::And(std::mem::take(&mut all)));
                    continue;
                }
                ')' => break,
                '(' => read(text),
                name => atom(name),
            };
            all.push(if std::mem::take(&mut negated) { Expr::Not(Box::new(one)) } else { one });
        }
        any.push(Expr::And(all));
        Expr::Or(any)
    }

    fn check(rule: &str, expected: &str) {
        let print = |one: &Literal| {
            let Atom::Method(name) = &one.atom else { return String::new() };
            if one.negated { format!("!{name}") } else { name.clone() }
        };
        let got: Vec<String> = disjunctive(&read(&mut rule.chars().peekable()))
            .unwrap()
            .iter()
            .map(|branch| branch.iter().map(print).collect())
            .collect();
        assert_eq!(got.join(" "), expected, "{rule}");
    }

    #[test]
    fn forms() {
        check("a", "a");
        check("ab|c", "ab c");
        check("a(b|c)", "ab ac");
        check("(a|b)(c|d)", "ac ad bc bd");
        check("!(a|b)", "!a!b");
        check("!(ab)", "!a !b");
        check("!!a", "a");
        check("!(a(!b|c))", "!a b!c");
        check("a!a", "");
        check("(a|b)!a", "!ab");
        check("a|a|aa", "a");
        check("a(a|b)", "a ab");
    }

    #[test]
    fn bounded() {
        let either =
            |n: u32| Expr::Or(vec![atom(char::from_u32(n).unwrap()), atom(char::from_u32(n + 1).unwrap())]);
        let rule = |pairs: u32| Expr::And((0..pairs).map(|n| either(0x1000 + 2 * n)).collect());
        assert_eq!(disjunctive(&rule(8)).unwrap().len(), 256);
        assert_eq!(disjunctive(&rule(9)), Err(TooManyBranches));
        assert_eq!(disjunctive(&rule(1_000)), Err(TooManyBranches));
    }
}
