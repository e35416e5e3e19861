//! `acme`: accounts at CAs, asked of the running process by its admin address.

use super::admin::{ask, refused};
use crate::cli::{AccountsList, Acme, AcmeCommand, Format};
use crate::output;
use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::Value;
use std::fmt::Write;
use std::process::ExitCode;

const ACCOUNTS: &str = "/api/acme/accounts";

pub(super) fn run(options: &Acme) -> Result<ExitCode> {
    match &options.command {
        AcmeCommand::Accounts(options) => list(options),
        AcmeCommand::Rollover(options) => {
            let done = "has a new key; certificates are not touched";
            change(&options.admin.address, "rollover", options.account.as_deref(), done)
        }
        AcmeCommand::Deactivate(options) => {
            let done = "is deactivated and removed; the next order registers another one";
            change(&options.admin.address, "deactivate", Some(&options.account), done)
        }
    }
}

fn list(options: &AccountsList) -> Result<ExitCode> {
    let Some(answer) = ask(&Method::GET, &options.admin.address, ACCOUNTS)? else {
        return Ok(output::UNREACHABLE.into());
    };
    if answer.status != StatusCode::OK {
        return Ok(refused(&answer));
    }
    match options.format {
        Format::Json => output::print(&answer.body),
        Format::Human => {
            let shown: Vec<Value> = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
            output::print(&text(&shown));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn change(address: &str, what: &str, account: Option<&str>, done: &str) -> Result<ExitCode> {
    let query = account.map(|account| format!("?account={}", encoded(account))).unwrap_or_default();
    let path = format!("{ACCOUNTS}/{what}{query}");
    let Some(answer) = ask(&Method::POST, address, &path)? else { return Ok(output::UNREACHABLE.into()) };
    if answer.status != StatusCode::OK {
        return Ok(refused(&answer));
    }
    let shown: Value = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
    output::print(&format!("the account {} {done}\n", shown["url"].as_str().unwrap_or_default()));
    Ok(ExitCode::SUCCESS)
}

fn text(accounts: &[Value]) -> String {
    if accounts.is_empty() {
        return "no site has its certificate of an ACME issuer\n".to_owned();
    }
    let mut text = String::new();
    for account in accounts {
        let word = |key: &str| account[key].as_str();
        let staging = if account["staging"] == true { " (staging)" } else { "" };
        // Writing to a String cannot fail.
        writeln!(text, "{}{staging}", word("issuer").unwrap_or("not in use")).unwrap_or_default();
        let mut line = |key: &str, value: Option<&str>| {
            let value = value.unwrap_or("none");
            writeln!(text, "  {key:<11} {value}").unwrap_or_default();
        };
        line("directory", word("directory"));
        line("email", word("email"));
        match word("trouble") {
            Some(trouble) => line("trouble", Some(trouble)),
            None => line("account", word("url").or(Some("none yet: the first order registers one"))),
        }
        if word("url").is_some() {
            line("key", word("algorithm"));
            line("registered", word("registered"));
        }
        if account["contact_due"] == true {
            line("pending", Some("the CA has not been told of the address yet"));
        }
        if account["rollover_open"] == true {
            line(
                "pending",
                Some("which key it has after a rollover that broke off, is found out with its next use"),
            );
        }
    }
    text
}

/// As the value of a query's parameter.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_named_in_a_query() {
        for (text, expected) in [
            ("main", "main"),
            ("https://ca.test/acct/1?x=2&y#z", "https://ca.test/acct/1%3Fx%3D2%26y%23z"),
            ("a b+ü%", "a%20b%2B%C3%BC%25"),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }
}
