//! Counts the instructions of `$PROXY_NOW_BIN` per request and prints them as one line of JSON for each script; with
//! names, of those scripts only. `cargo xtask bench gate` builds the binary, runs this, and compares with the baseline.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use anyhow::{Context, Result, ensure};
use proxy_now_benches::gate::{SCRIPTS, count};

/// Beyond these come many that cost next to nothing.
const FUNCTIONS: usize = 50;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let unknown: Vec<_> =
        wanted.iter().filter(|name| SCRIPTS.iter().all(|script| script.name != **name)).collect();
    ensure!(unknown.is_empty(), "no scripts of these names: {unknown:?}");
    for script in
        SCRIPTS.iter().filter(|script| wanted.is_empty() || wanted.iter().any(|name| name == script.name))
    {
        let mut count = count(script).with_context(|| script.name.to_owned())?;
        count.functions.truncate(FUNCTIONS);
        let line = serde_json::json!({
            "script": script.name,
            "title": script.title,
            "instructions": count.median(),
            "windows": count.windows,
            "functions": count.functions,
        });
        println!("{line}");
    }
    Ok(())
}
