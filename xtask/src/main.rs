//! `cargo xtask`: the one entry point for everything that is done to this repository, the same by hand and in CI.
//! It drives cargo and other programs; nothing of the proxy is linked in, so it works while the proxy does not build.
#![expect(clippy::print_stdout, reason = "a command line tool reports on its standard output")]

mod arrows;
mod bench;
mod ci;
mod dependencies;
mod docs;
mod fuzz;
mod metadata;
mod process;
mod setup;
mod soak;
mod suite;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Everything that is done to this repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need and this machine lacks (Debian packages, a Python venv); starts no service
    Setup {
        /// Also what only the comparison with other proxies needs
        #[arg(long)]
        bench: bool,
    },
    /// All that must pass before a change lands, setup included
    Ci {
        /// Take the machine as it is
        #[arg(long)]
        no_setup: bool,
    },
    /// All tests: unit, property, documentation and end-to-end
    Test {
        /// Leave out the end-to-end tests
        #[arg(long)]
        no_e2e: bool,
        /// Names of tests to run; without one, all
        filter: Vec<String>,
    },
    /// Sizes, opening lines, forbidden words, and the arrows between crates; quick
    Tidy,
    /// Reload again and again under load, and look for lost requests and growing memory
    Soak {
        /// How many reloads
        #[arg(long, default_value_t = 200)]
        reloads: u32,
        /// Milliseconds between them
        #[arg(long, default_value_t = 0)]
        pause: u32,
    },
    /// Measure: without more, the micro-benchmarks
    Bench {
        #[command(subcommand)]
        bench: Option<bench::Bench>,
    },
    /// Write the generated part of the documentation: docs/reference and docs/conformance.md
    Docs {
        /// Write nothing; fail if a file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Run each fuzz target for a while; needs a nightly toolchain, and installs cargo-fuzz where it is missing
    Fuzz {
        /// Seconds a target
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// Targets; without one, all
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Setup { bench } => setup::tests().and_then(|()| if bench { setup::bench() } else { Ok(()) }),
        Task::Ci { no_setup } => ci::run(!no_setup),
        Task::Test { no_e2e, filter } => suite::all(!no_e2e, &filter),
        Task::Tidy => tidy::run().and_then(|()| arrows::run()),
        Task::Soak { reloads, pause } => soak::run(reloads, pause),
        Task::Bench { bench } => bench::run(bench),
        Task::Docs { check } => docs::run(check),
        Task::Fuzz { seconds, targets } => fuzz::run(seconds, &targets),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
