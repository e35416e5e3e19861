//! `certs`: asked of the running process by its admin address.

mod exchange;
mod text;

use super::admin::{ask, refused};
use crate::cli::{Certs, CertsCommand, Format, certs};
use crate::output;
use anyhow::{Context, Result};
use clap::ValueEnum;
use http::{Method, StatusCode};
use serde_json::Value;
use std::process::ExitCode;

pub(super) fn run(options: &Certs) -> Result<ExitCode> {
    match &options.command {
        CertsCommand::List(options) => list(options),
        CertsCommand::Show(options) => show(options),
        CertsCommand::Renew(options) => renew(options),
        CertsCommand::Revoke(options) => revoke(options),
        CertsCommand::Export(options) => exchange::export(options),
        CertsCommand::Import(options) => exchange::import(options),
    }
}

fn list(options: &certs::List) -> Result<ExitCode> {
    page(&options.admin.address, "/api/certificates", options.format, |shown| {
        text::table(shown.as_array().map(Vec::as_slice).unwrap_or_default())
    })
}

fn show(options: &certs::Show) -> Result<ExitCode> {
    page(&options.admin.address, &path(&options.name, ""), options.format, text::one)
}

fn renew(options: &certs::Renew) -> Result<ExitCode> {
    change(&options.admin.address, &path(&options.name, "/renew"), &options.name)
}

fn revoke(options: &certs::Revoke) -> Result<ExitCode> {
    // As clap shows it: RFC 5280's name.
    let reason = options.reason.to_possible_value().map(|value| value.get_name().to_owned());
    let action = format!("/revoke?reason={}", reason.unwrap_or_default());
    change(&options.admin.address, &path(&options.name, &action), &options.name)
}

fn change(address: &str, path: &str, name: &str) -> Result<ExitCode> {
    let Some(answer) = ask(&Method::POST, address, path)? else { return Ok(output::UNREACHABLE.into()) };
    if !answer.status.is_success() {
        return Ok(refused(&answer));
    }
    let told: Value = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
    output::print(&text::begun(&told, name));
    Ok(ExitCode::SUCCESS)
}

fn page(address: &str, path: &str, format: Format, text: impl Fn(&Value) -> String) -> Result<ExitCode> {
    let Some(answer) = ask(&Method::GET, address, path)? else { return Ok(output::UNREACHABLE.into()) };
    if answer.status != StatusCode::OK {
        return Ok(refused(&answer));
    }
    match format {
        Format::Json => output::print(&answer.body),
        Format::Human => {
            let shown = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
            output::print(&text(&shown));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Of one certificate at the admin address. A name may hold what means something in a path.
fn path(name: &str, action: &str) -> String {
    let mut path = "/api/certificates/".to_owned();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path + action
}
