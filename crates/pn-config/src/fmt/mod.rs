//! `fmt`: one way to write a file. TOML 1.0, keys in the order of the schema, `=` aligned, comments kept. Tables stay
//! in the order in which they were written, parents before their children: what belongs together is the author's.

mod order;
mod print;
#[cfg(test)]
mod tests;
mod trivia;
mod value;

use order::Level;
use print::{Block, Entry};
use std::collections::HashMap;
use toml_edit::{DocumentMut, Item, Key, Table};
use trivia::Trivia;

/// Why a text was not formatted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FmtError {
    /// Lines and columns count from 1, columns in characters.
    #[error("{line}:{column}: {message}")]
    Syntax { line: usize, column: usize, message: String },
    #[error("this is JSON: fmt writes TOML only")]
    Json,
}

/// Formats a file. What it means stays as it is, and so does every comment; formatting again changes nothing.
pub fn fmt(text: &str) -> Result<String, FmtError> {
    if text.trim_start().starts_with('{') {
        return Err(FmtError::Json);
    }
    let document: DocumentMut = text.parse().map_err(|error| syntax(text, &error))?;
    let mut blocks = Vec::new();
    collect(document.as_table(), &[], Level::Root, Vec::new(), &mut blocks);
    let trailing = Trivia::of(document.trailing().as_str());
    Ok(print::document(parents_first(blocks), &trailing))
}

fn syntax(text: &str, error: &toml_edit::TomlError) -> FmtError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    FmtError::Syntax { line, column, message: error.message().to_owned() }
}

/// A table's own block and those of the tables below it.
fn collect(table: &Table, path: &[String], level: Level, header: Vec<Key>, blocks: &mut Vec<Block>) {
    let mut block = Block::new(table, path, &header);
    let mut below = Vec::new();
    entries(table, &[], level, &mut Vec::new(), &mut block.entries, &mut below);
    block.entries.sort_by(|a, b| a.rank.cmp(&b.rank));
    let written = !table.is_implicit() || !block.entries.is_empty() || path.is_empty();
    if written {
        blocks.push(block);
    }
    for (keys, item, level) in below {
        let path: Vec<_> = path.iter().cloned().chain(keys.iter().map(|key| key.get().to_owned())).collect();
        let header: Vec<_> = header.iter().chain(&keys).cloned().collect();
        match item {
            Item::Table(table) => collect(table, &path, level, header, blocks),
            Item::ArrayOfTables(tables) => {
                for table in tables {
                    let first = blocks.len();
                    collect(table, &path, level, header.clone(), blocks);
                    if let Some(block) = blocks.get_mut(first) {
                        block.element = true;
                    }
                }
            }
            _ => {}
        }
    }
}

type Below<'t> = (Vec<Key>, &'t Item, Level);

/// The lines of a table: values, and those below dotted keys. Tables with headers of their own go to `below`.
fn entries<'t>(
    table: &'t Table,
    keys: &[Key],
    level: Level,
    rank: &mut Vec<usize>,
    out: &mut Vec<Entry>,
    below: &mut Vec<Below<'t>>,
) {
    for (name, item) in table {
        let Some(key) = table.key(name) else { continue };
        let path: Vec<Key> = keys.iter().cloned().chain([key.clone()]).collect();
        rank.push(level.rank(name));
        let inner = level.below(name);
        match item {
            Item::Value(value) => out.push(Entry::new(&path, value, inner, rank.clone())),
            Item::Table(table) if table.is_dotted() => entries(table, &path, inner, rank, out, below),
            _ => below.push((path, item, inner)),
        }
        rank.pop();
    }
}

/// In the order written, but no table before one that holds it.
fn parents_first(mut blocks: Vec<Block>) -> Vec<Block> {
    blocks.sort_by_key(|block| block.position);
    let whole = blocks.iter().enumerate().filter(|(_, block)| !block.element);
    let places: HashMap<Vec<String>, usize> = whole.map(|(at, block)| (block.path.clone(), at)).collect();
    let mut waiting: Vec<Option<Block>> = blocks.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    for at in 0..waiting.len() {
        let Some(block) = waiting.get_mut(at).and_then(Option::take) else { continue };
        for depth in 0..block.path.len() {
            let parent = block.path.get(..depth).and_then(|path| places.get(path));
            ordered.extend(parent.and_then(|&at| waiting.get_mut(at)).and_then(Option::take));
        }
        ordered.push(block);
    }
    ordered
}
