//! `trust`: the internal CA's root in the system's store.

use crate::cli::Trust;
use crate::{inputs, output};
use anyhow::{Context, Result};
use pn_acme::trust::{Action, Step, execute, plan};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn trust(options: &Trust) -> Result<ExitCode> {
    let path = inputs::state_dir(options.state_dir.as_deref(), false)?.join("internal-ca/root.crt");
    let root = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "there is no internal CA at `{}`: it is made when a site first needs it; name its directory with --state-dir (the demo prints it)",
            path.display()
        )
    })?;
    let action = if options.uninstall { Action::Uninstall } else { Action::Install };
    let plan = plan(action, &path, &root, Path::new("/"))?;
    output::print(&format!("{}:\n", plan.store));
    for step in &plan.steps {
        output::print(&format!("  {}\n", shown(step)));
    }
    if options.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    execute(&plan)?;
    let done = match action {
        Action::Install => {
            "The root is trusted. Firefox and Chrome keep stores of their own; import it there too"
        }
        Action::Uninstall => {
            "The root is not trusted any more. Where it was imported into a browser, remove it there too"
        }
    };
    output::print(&format!("{done}: {}\n", path.display()));
    Ok(ExitCode::SUCCESS)
}

fn shown(step: &Step) -> String {
    match step {
        Step::Write { path, .. } => format!("write {}", path.display()),
        Step::Remove { path } => format!("remove {}", path.display()),
        Step::Run { program, arguments } => format!("run {} {}", program.display(), arguments.join(" ")),
    }
}
