//! Habits that no compiler checks: how a file opens, how long it is, which words it does not hold.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::root;

const FOLDERS: &[&str] = &["crates", "xtask", "e2e", "benches", "fuzz", "examples"];
/// A file longer than this is probably two.
const LONG: usize = 400;
/// A file longer than this certainly is.
const TOO_LONG: usize = 600;
/// The rooms that may hold unsafe code.
const UNSAFE_ROOMS: &[&str] = &["crates/pn-io/", "crates/pn-ebpf/"];

/// What must not be in code, in halves so that this file does not find itself, and what to do instead.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("to", "do!(", "write it, or leave it out"),
    ("unimpl", "emented!(", "write it, or leave it out"),
    ("db", "g!(", "take it out, or log it"),
    ("TO", "DO", "do it, or open an issue"),
    ("FIX", "ME", "mend it, or open an issue"),
];

pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for file in sources()? {
        let text = fs::read_to_string(root().join(&file)).with_context(|| file.display().to_string())?;
        faults.extend(check(&file.to_string_lossy(), &text));
    }
    faults.extend(manifests_without_lints()?);
    if faults.is_empty() {
        return Ok(());
    }
    bail!("untidy:\n  {}", faults.join("\n  "));
}

fn check(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push(format!("{file}:1: begins without a `//!` line that says what lives there"));
    }
    let lines = text.lines().count();
    if lines > TOO_LONG {
        faults.push(format!("{file}: {lines} lines, at most {TOO_LONG}: split it by concept"));
    } else if lines > LONG {
        println!("tidy: {file} has {lines} lines; over {LONG} it may be two files");
    }
    for (line, code) in text.lines().enumerate() {
        faults.extend(line_fault(file, code).map(|fault| format!("{file}:{}: {fault}", line + 1)));
    }
    faults
}

fn line_fault(file: &str, line: &str) -> Option<String> {
    let forbidden = FORBIDDEN.iter().find(|(front, back, _)| line.contains(&format!("{front}{back}")));
    if let Some((front, back, remedy)) = forbidden {
        return Some(format!("{front}{back}: {remedy}"));
    }
    let room = UNSAFE_ROOMS.iter().any(|room| file.starts_with(room));
    (!room && has_unsafe(line)).then(|| format!("unsafe code outside {}", UNSAFE_ROOMS.join(" and ")))
}

/// The keyword in use, or a lint level that lets it in; not the word in a comment or a string.
fn has_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let uses = [" {", "{", " fn ", " impl ", " extern ", " trait "];
    let lets_in =
        (code.contains("expect(") || code.contains("allow(")) && code.contains(concat!("unsafe", "_code"));
    lets_in || uses.iter().any(|next| word_then(code, "unsafe", next))
}

fn word_then(code: &str, word: &str, next: &str) -> bool {
    code.match_indices(&format!("{word}{next}")).any(|(at, _)| {
        let before = code.get(..at).and_then(|front| front.chars().next_back());
        before.is_none_or(|before| before.is_whitespace() || "({=;,".contains(before))
    })
}

fn sources() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        walk(Path::new(folder), &mut found)?;
    }
    found.sort();
    Ok(found.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect())
}

fn manifests_without_lints() -> Result<Vec<String>> {
    let mut files = Vec::new();
    walk(Path::new("crates"), &mut files)?;
    let mut faults = Vec::new();
    for file in files.iter().filter(|path| path.ends_with("Cargo.toml")) {
        if !fs::read_to_string(root().join(file))?.contains("[lints]\nworkspace = true") {
            faults.push(format!("{}: does not take the workspace's lints", file.display()));
        }
    }
    Ok(faults)
}

/// Every file below a folder of the repository, by its path from the root; what was built is left out.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let full = root().join(folder);
    if !full.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&full).with_context(|| full.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        if !entry.file_type()?.is_dir() {
            found.push(path);
        } else if name != "target" && !name.to_string_lossy().starts_with('.') {
            walk(&path, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untidy_files_are_found() {
        let long = format!("//! x\n{}", "\n".repeat(TOO_LONG));
        let rows = [
            ("crates/a/src/lib.rs", "//! x\nfn f() {}\n".to_owned(), 0),
            ("crates/a/src/lib.rs", "fn f() {}\n".to_owned(), 1),
            ("crates/a/src/lib.rs", long, 1),
            ("crates/a/src/lib.rs", format!("//! x\nfn f() {{ {}{}) }}\n", "to", "do!("), 1),
            ("crates/a/src/lib.rs", format!("//! x\n// {}{} later\n", "TO", "DO"), 1),
            ("crates/a/src/lib.rs", "//! x\nlet x = unsafe { f() };\n".to_owned(), 1),
            ("crates/a/src/lib.rs", "//! x\n// unsafe { f() } is not needed\n".to_owned(), 0),
            ("crates/a/src/lib.rs", "//! x\nlet an_unsafe = 1;\n".to_owned(), 0),
            ("crates/pn-io/src/lib.rs", "//! x\nlet x = unsafe { f() };\n".to_owned(), 0),
        ];
        for (file, text, expected) in rows {
            let found = check(file, &text);
            assert_eq!(found.len(), expected, "{text:.60}: {found:?}");
        }
    }
}
