//! One function a command.

mod acme;
mod admin;
mod certs;
mod check;
mod config;
mod password;
mod rehearsal;
mod trust;

use crate::cli::{Arguments, Command, Completions, Run};
use crate::serve::{self, Launch};
use crate::{demo, inputs, output};
use anyhow::Result;
use clap::CommandFactory;
use std::process::ExitCode;

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Run(options) => run_configuration(options),
        Command::Demo(options) => demo::demo(options),
        Command::ReverseProxy(options) => demo::reverse_proxy(options),
        Command::Check(options) => check::check(&options),
        Command::Fmt(options) => config::fmt(&options),
        Command::Diff(options) => config::diff(&options),
        Command::Explain(options) => config::explain(&options),
        Command::Schema(options) => Ok(config::schema(&options)),
        Command::Status(options) => admin::status(&options),
        Command::Reload(options) => admin::reload(&options),
        Command::Rollback(options) => admin::roll_back(&options),
        Command::Certs(options) => certs::run(&options),
        Command::Acme(options) => acme::run(&options),
        Command::Trust(options) => trust::trust(&options),
        Command::HashPassword(options) => password::hash(&options),
        Command::Completions(options) => Ok(completions(&options)),
    }
}

fn run_configuration(options: Run) -> Result<ExitCode> {
    let inputs = inputs::of(options.config.as_deref())?.absolute();
    serve::serve(Launch { inputs, options: options.serve, ready: None })
}

fn completions(options: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "proxy-now", &mut script);
    output::print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
