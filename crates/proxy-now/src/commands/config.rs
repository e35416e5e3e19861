//! Commands that look at a configuration and run nothing: `fmt`, `diff`, `explain`, `schema`.

use crate::cli::{Diff, Explain, Fmt, Format, Schema, SchemaFormat};
use crate::{inputs, output};
use anyhow::{Context, Result, bail};
use pn_config::{Disk, LoadOptions, Loaded};
use pn_model::Model;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn fmt(options: &Fmt) -> Result<ExitCode> {
    let mut untidy = false;
    for file in &options.files {
        let stream = file == Path::new("-");
        let text = if stream { stdin()? } else { read(file)? };
        let tidy = pn_config::fmt::fmt(&text).with_context(|| file.display().to_string())?;
        let same = tidy == text;
        untidy |= !same;
        match (options.check, stream) {
            (true, _) if !same => output::print(&format!("{}\n", file.display())),
            (true, _) => {}
            (false, true) => output::print(&tidy),
            (false, false) if !same => {
                std::fs::write(file, tidy).with_context(|| format!("cannot write `{}`", file.display()))?;
            }
            (false, false) => {}
        }
    }
    Ok(if options.check && untidy { output::FAILED.into() } else { ExitCode::SUCCESS })
}

pub(super) fn diff(options: &Diff) -> Result<ExitCode> {
    let (Some(old), Some(new)) = (sound(&options.old)?, sound(&options.new)?) else {
        return Ok(output::FAILED.into());
    };
    let difference = pn_config::diff::diff(&old, &new);
    output::print(&match options.format {
        Format::Human => difference.to_string(),
        Format::Json => format!("{:#}\n", serde_json::to_value(&difference)?),
    });
    Ok(ExitCode::SUCCESS)
}

pub(super) fn explain(options: &Explain) -> Result<ExitCode> {
    let inputs = inputs::of(Some(&options.config))?;
    let loaded = load(&inputs.inputs);
    match loaded.explain(&options.node) {
        Ok(text) => {
            output::print(&text);
            Ok(ExitCode::SUCCESS)
        }
        // Whatever stands in the way of the node is likely why it is not there.
        Err(message) => {
            output::note(&loaded.text(output::coloured()));
            bail!("{message}")
        }
    }
}

pub(super) fn schema(options: &Schema) -> ExitCode {
    output::print(&match options.format {
        SchemaFormat::Json => pn_config::export::json_schema(),
        SchemaFormat::Cue => pn_config::export::cue(),
    });
    ExitCode::SUCCESS
}

/// `None` when it has errors, which are shown.
fn sound(path: &Path) -> Result<Option<Model>> {
    let mut loaded = load(&inputs::of(Some(path))?.inputs);
    // Read without this host's secrets it must not run, but it can be compared.
    let model = if loaded.has_errors() { None } else { loaded.partial.take() };
    if model.is_none() {
        output::note(&loaded.text(output::coloured()));
        output::error(&format!("`{}` has errors", path.display()));
    }
    Ok(model)
}

/// Without the environment and the secrets of the host that it is for.
fn load(inputs: &[pn_config::Input]) -> Loaded {
    let options = LoadOptions { offline: true, strict: false, env: &inputs::env, fs: &Disk };
    pn_config::load(inputs, &options)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))
}

fn stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}
