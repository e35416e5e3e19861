//! The examples of the repository, and those in its pages: each loads without a finding, and is written as `fmt` writes
//! it.

use pn_config::{Disk, Format, Input, LoadOptions, load};
use std::io;
use std::path::{Path, PathBuf};

/// Pages whose every block of TOML is a configuration.
const PAGES: [&str; 2] = ["docs/certificates.md", "docs/dns-challenges.md"];

/// A name and a configuration.
type Example = (String, String);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn examples() -> io::Result<Vec<Example>> {
    let files = std::fs::read_dir(root().join("examples"))?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<_> = files.collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty());
    let read = |path: &PathBuf| Ok((path.display().to_string(), std::fs::read_to_string(path)?));
    let mut all: Vec<Example> = files.iter().map(read).collect::<io::Result<_>>()?;
    for page in PAGES {
        all.extend(blocks(page)?);
    }
    Ok(all)
}

fn blocks(page: &str) -> io::Result<Vec<Example>> {
    let text = std::fs::read_to_string(root().join(page))?;
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let found: Vec<_> = blocks.map(|(block, _)| (page.to_owned(), block.to_owned())).collect();
    assert!(!found.is_empty(), "{page}");
    Ok(found)
}

#[test]
fn they_load_without_a_finding() {
    let options = LoadOptions { offline: true, strict: true, env: &|_| None, fs: &Disk };
    for (name, text) in examples().unwrap() {
        let input = Input::Text { name: name.clone(), text: text.clone(), format: Format::Toml };
        let loaded = load(&[input], &options);
        let messages: Vec<_> = loaded.diagnostics.iter().map(|found| &found.message).collect();
        assert!(messages.is_empty(), "{name}: {messages:#?}\n{text}");
    }
}

#[test]
fn they_are_formatted() {
    for (name, text) in examples().unwrap() {
        assert_eq!(pn_config::fmt::fmt(&text).unwrap(), text, "{name}");
    }
}
