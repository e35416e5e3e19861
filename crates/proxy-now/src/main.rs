//! The binary: the command line, and the one place where all rooms are put together. What any of it does lives in the
//! rooms.

mod cli;
mod client;
mod commands;
mod demo;
mod inputs;
mod output;
mod serve;

use clap::Parser;
use std::process::ExitCode;

/// Worker threads allocate and free at the same time; glibc's allocator gives little of it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::error(&output::chain(&error));
            output::FAILED.into()
        }
    }
}
