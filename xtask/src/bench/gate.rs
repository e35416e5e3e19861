//! Instructions per request against a baseline. The counting is `benches/src/gate`; here is what is built, what it is
//! compared with, and what is said about a difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{commit, target_folder};
use crate::process::{MINUTE, capture, cargo, root, run as run_command};

const BASELINE: &str = "benches/gate.toml";
/// Per cent. Runs of one binary differ by a tenth of one.
const TOLERANCE: f64 = 3.0;
const HEAD: &str = "# Instructions of user code per request, by script (benches/src/gate). Written by `cargo xtask bench gate --raise`.\n\n";

#[derive(Args)]
pub(crate) struct Gate {
    /// Scripts; without one, all
    scripts: Vec<String>,
    /// Write the counts to the baseline; the reason belongs in the commit, too
    #[arg(long, value_name = "REASON", conflicts_with_all = ["binary", "scripts"])]
    raise: Option<String>,
    /// Show also which functions the instructions are in
    #[arg(long)]
    functions: bool,
    /// Count this binary, and only print: the baseline is of another build
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// What was counted, and of what.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Baseline {
    /// Why the figures are what they are, from whoever wrote them last.
    reason: String,
    /// The code they were counted of, or what it was changed from.
    commit: String,
    profile: String,
    compiler: String,
    /// libc, cryptography and memchr choose their code by it.
    processor: String,
    instructions: BTreeMap<String, u64>,
}

pub(crate) fn run(gate: &Gate) -> Result<()> {
    if let Some(binary) = &gate.binary {
        print!("{}", plain(&count(binary, gate)?));
        return Ok(());
    }
    let counts = count(&build()?, gate)?;
    let Some(reason) = &gate.raise else {
        return judge(&counts, &read()?);
    };
    let written = Baseline {
        reason: reason.clone(),
        commit: commit()?,
        profile: "gate".to_owned(),
        compiler: compiler()?,
        processor: processor(),
        instructions: counts,
    };
    fs::write(root().join(BASELINE), format!("{HEAD}{}", toml::to_string(&written)?))?;
    print!("{}", plain(&written.instructions));
    println!("gate: wrote {BASELINE}; say in the commit's message: {reason}");
    Ok(())
}

/// All scripts against the baseline, as CI does it.
pub(crate) fn check() -> Result<()> {
    run(&Gate { scripts: Vec::new(), raise: None, functions: false, binary: None })
}

/// The binary of the profile that the baseline is of.
fn build() -> Result<PathBuf> {
    let mut build = cargo(&["build", "--profile", "gate", "--package", "proxy-now"]);
    // Code that is compiled in pieces, to be compiled again quickly, is other code.
    run_command(build.env("CARGO_INCREMENTAL", "0"), 30 * MINUTE)?;
    Ok(target_folder()?.join("gate/proxy-now"))
}

/// Counts all scripts and returns the file with what the driver printed.
pub(crate) fn counts_in(binary: &Path, folder: &Path) -> Result<PathBuf> {
    let file = folder.join("instructions.jsonl");
    fs::write(&file, drive(binary, &[])?).with_context(|| file.display().to_string())?;
    Ok(file)
}

fn count(binary: &Path, gate: &Gate) -> Result<BTreeMap<String, u64>> {
    let said = drive(binary, &gate.scripts)?;
    if gate.functions {
        for line in said.lines() {
            print!("{}", functions(line)?);
        }
    }
    said.lines().map(parse).collect()
}

/// A table of a driver's line.
fn functions(line: &str) -> Result<String> {
    let value: serde_json::Value = serde_json::from_str(line)?;
    let found = value["functions"].as_array().context("a line without functions")?;
    let lines = found.iter().map(|each| {
        format!("{:>8.0}  {}\n", each[1].as_f64().unwrap_or_default(), each[0].as_str().unwrap_or_default())
    });
    Ok(format!("\n{}\n{}\n", value["title"].as_str().unwrap_or_default(), lines.collect::<String>()))
}

fn drive(binary: &Path, scripts: &[String]) -> Result<String> {
    let binary = binary.canonicalize().with_context(|| binary.display().to_string())?;
    // With the features of the whole workspace, so that what other steps have built is used.
    run_command(&mut cargo(&["build", "--workspace", "--bin", "gate"]), 20 * MINUTE)?;
    let driver = target_folder()?.join("debug/gate");
    capture(Command::new(driver).args(scripts).env("PROXY_NOW_BIN", binary))
}

fn parse(line: &str) -> Result<(String, u64)> {
    let value: serde_json::Value = serde_json::from_str(line)?;
    let name = value["script"].as_str().context("a line without a script")?;
    let count = value["instructions"].as_f64().context("a line without a count")?;
    Ok((name.to_owned(), count.round() as u64))
}

fn read() -> Result<Baseline> {
    let text = fs::read_to_string(root().join(BASELINE)).context(BASELINE)?;
    toml::from_str(&text).context(BASELINE)
}

fn compiler() -> Result<String> {
    Ok(capture(Command::new("rustc").current_dir(root()).arg("--version"))?.trim().to_owned())
}

/// Name and number of the model; empty where the system has another way to tell them.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let fields = ["model name", "cpu family", "model", "stepping"].map(|name| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.trim() == name).map_or("", |(_, value)| value.trim())
    });
    fields.join(" ").trim().to_owned()
}

fn judge(counts: &BTreeMap<String, u64>, baseline: &Baseline) -> Result<()> {
    let here = processor();
    if here != baseline.processor {
        // Other code runs here: only what holds inside one run can be judged.
        print!("{}", plain(counts));
        println!("gate: counted on `{here}`; {BASELINE} is of `{}`, and is not compared", baseline.processor);
        let faults: Vec<_> =
            BOUNDS.iter().filter_map(|bound| bound.fault(counts, &baseline.instructions)).collect();
        return if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n  ")) };
    }
    let (table, faults) = compare(counts, &baseline.instructions);
    print!("{table}");
    if faults.is_empty() {
        return Ok(());
    }
    let now = compiler()?;
    let mut said = faults.join("\n  ");
    if now != baseline.compiler {
        write!(said, "\n  The baseline is of {}, this is {now}.", baseline.compiler)?;
    }
    bail!(
        "more instructions than {BASELINE} allows:\n  {said}\n\
         Where they are: cargo xtask bench gate SCRIPT --functions. If they are worth it: \
         cargo xtask bench gate --raise \"why\", and the reason goes into the commit's message."
    );
}

/// A table for people, and what is wrong.
fn compare(counts: &BTreeMap<String, u64>, baseline: &BTreeMap<String, u64>) -> (String, Vec<String>) {
    let mut table = String::new();
    let mut faults = Vec::new();
    for (script, &count) in counts {
        let Some(&allowed) = baseline.get(script) else {
            faults.push(format!("{script}: {count}, and the baseline does not know it"));
            continue;
        };
        let change = 100.0 * (count as f64 - allowed as f64) / allowed as f64;
        let remark = if change < -TOLERANCE { "; take it: --raise \"why\" also lowers" } else { "" };
        table += &format!("{script:<14} {count:>8}  {change:+.1} % of {allowed}{remark}\n");
        if change > TOLERANCE {
            faults.push(format!(
                "{script}: {count} instructions a request, {change:.1} % more than {allowed}; {TOLERANCE} % is let pass"
            ));
        }
    }
    faults.extend(BOUNDS.iter().filter_map(|bound| bound.fault(counts, baseline)));
    (table + &bounds(counts), faults)
}

fn plain(counts: &BTreeMap<String, u64>) -> String {
    let lines = counts.iter().map(|(script, count)| format!("{script:<14} {count:>8}\n"));
    lines.chain([bounds(counts)]).collect()
}

fn bounds(counts: &BTreeMap<String, u64>) -> String {
    let found = BOUNDS.iter().filter_map(|bound| Some((bound, (bound.measure)(counts)?)));
    found.map(|(bound, now)| format!("{}: {now:.3}, wanted {}\n", bound.title, bound.most)).collect()
}

/// A relation between scripts of one run. It fails a run once the baseline has reached it.
struct Bound {
    title: &'static str,
    most: f64,
    measure: fn(&BTreeMap<String, u64>) -> Option<f64>,
}

impl Bound {
    fn fault(&self, counts: &BTreeMap<String, u64>, baseline: &BTreeMap<String, u64>) -> Option<String> {
        let now = (self.measure)(counts)?;
        let held = (self.measure)(baseline).is_some_and(|before| before <= self.most);
        (held && now > self.most).then(|| format!("{}: {now:.3}, at most {}", self.title, self.most))
    }
}

const BOUNDS: [Bound; 2] = [
    Bound {
        title: "five middlewares, in instructions beyond the bare route",
        most: 1500.0,
        measure: |counts| Some(*counts.get("middlewares")? as f64 - *counts.get("h1")? as f64),
    },
    Bound {
        title: "the last of 10,000 routes, to the only one",
        most: 1.02,
        measure: |counts| Some(*counts.get("routes-10000")? as f64 / *counts.get("h1")? as f64),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn three_per_cent_are_let_pass_and_a_bound_holds_once_it_was_reached() {
        let bare = ("h1", 10_000);
        let rows: [(&[(&str, u64)], &[(&str, u64)], usize); 9] = [
            (&[bare], &[bare], 0),
            (&[("h1", 10_300)], &[bare], 0),
            (&[("h1", 10_301)], &[bare], 1),
            (&[("h1", 5_000)], &[bare], 0),
            (&[("new", 1)], &[bare], 1),
            // Not run, so not judged.
            (&[], &[bare], 0),
            (&[bare, ("middlewares", 11_600)], &[bare, ("middlewares", 11_400)], 1),
            (&[bare, ("middlewares", 11_600)], &[bare, ("middlewares", 11_550)], 0),
            (&[bare, ("routes-10000", 10_210)], &[bare, ("routes-10000", 10_100)], 1),
        ];
        for (now, before, expected) in rows {
            let (table, faults) = compare(&counts(now), &counts(before));
            assert_eq!(faults.len(), expected, "{now:?} {before:?}: {faults:?}\n{table}");
        }
    }

    #[test]
    fn the_drivers_lines_are_read() {
        let line = r#"{"instructions":34999.508,"script":"h1","title":"x","windows":[1.0,2.0,3.0]}"#;
        assert_eq!(parse(line).unwrap(), ("h1".to_owned(), 35_000));
        assert!(parse("{}").is_err());
    }

    #[test]
    fn the_baseline_is_read_as_it_is_written() {
        let baseline = read().unwrap();
        assert_eq!(toml::from_str::<Baseline>(&toml::to_string(&baseline).unwrap()).unwrap(), baseline);
        assert!(baseline.instructions.contains_key("h1"), "{baseline:?}");
    }
}
