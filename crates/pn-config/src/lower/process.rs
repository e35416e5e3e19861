//! Process-wide settings.

use super::Context;
use crate::parse::{self, Invalid};
use crate::resolved::Section;
use crate::units;
use crate::value::{Kind, Table};
use pn_model::listener::BindAddress;
use pn_model::process::{AccessLog, AdminAddress, LogFormat, LogLevel, RouterChoice, RulePriority};
use pn_model::{Admin, Logs, Metrics, Runtime};
use std::path::PathBuf;

pub(super) fn lower(cx: &mut Context<'_>) {
    cx.model.runtime = runtime(cx);
    cx.model.admin = admin(cx);
    cx.model.logs = logs(cx);
    cx.model.metrics = metrics(cx);
}

fn section<'a>(cx: &Context<'a>, section: Section) -> &'a Table {
    match cx.resolved.single(section) {
        Some(node) => &node.table,
        None => Table::empty(),
    }
}

pub(super) fn runtime(cx: &Context<'_>) -> Runtime {
    let table = section(cx, Section::Runtime);
    let file = section(cx, Section::Providers).sub("file");
    let default = Runtime::default();
    Runtime {
        workers: table.int("workers").unwrap_or(default.workers),
        router: match table.str("router") {
            Some("compiled") => RouterChoice::Compiled,
            Some("sequential") => RouterChoice::Sequential,
            _ => RouterChoice::Auto,
        },
        rule_priority: match table.str("rule-priority") {
            Some("length") => RulePriority::Length,
            _ => RulePriority::Specificity,
        },
        state_dir: used_path(cx, table, "state-dir"),
        certificate_store: used_path(cx, table, "certificate-store"),
        history: table.int("history").unwrap_or(default.history),
        debounce: file.duration("debounce").unwrap_or(default.debounce),
        watch: file.bool("watch").unwrap_or(default.watch),
    }
}

/// What only stands in for a path must not be one that is used.
fn used_path(cx: &Context<'_>, table: &Table, key: &str) -> Option<PathBuf> {
    table.get(key).filter(|value| !value.absent).and_then(|value| cx.path(value))
}

fn admin(cx: &mut Context<'_>) -> Option<Admin> {
    let table = section(cx, Section::Admin);
    let value = table.get("address")?;
    if value.as_str() == Some("off") {
        return None;
    }
    let bound = cx.parsed(value, |text| match parse::bind_address(text)? {
        BindAddress::Fd(_) => Err(Invalid::new("the admin API listens on an address or a unix socket")),
        bound => Ok(bound),
    })?;
    cx.bound.push((bound.clone(), "the admin API".to_owned(), value.span));
    let address = match bound {
        BindAddress::Tcp(address) => {
            if !address.ip().is_loopback() {
                let message = format!("the admin API on {address} is open to everybody who can reach it");
                let help = "it has no authentication: listen on 127.0.0.1 or a unix socket";
                cx.warn("open-admin", value.span, message, help);
            }
            AdminAddress::Tcp(address)
        }
        BindAddress::Unix(path) => AdminAddress::Unix(path),
        BindAddress::Fd(_) => return None,
    };
    Some(Admin { address })
}

fn logs(cx: &mut Context<'_>) -> Logs {
    let table = section(cx, Section::Logs);
    Logs {
        level: match table.str("level") {
            Some("error") => LogLevel::Error,
            Some("warn") => LogLevel::Warn,
            Some("debug") => LogLevel::Debug,
            Some("trace") => LogLevel::Trace,
            _ => LogLevel::Info,
        },
        format: match table.str("format") {
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            _ => LogFormat::Auto,
        },
        access: match table.get("access").map(|value| &value.kind) {
            Some(Kind::Bool(true)) => Some(access(cx, Table::empty())),
            Some(Kind::Table(table)) => Some(access(cx, table)),
            _ => None,
        },
    }
}

fn access(cx: &mut Context<'_>, table: &Table) -> AccessLog {
    AccessLog {
        file: table.get("file").and_then(|value| cx.path(value)),
        status: statuses(table, "status"),
        min_duration: table.duration("min-duration").unwrap_or_default(),
        headers: cx.scalars(table, "headers", parse::header_name),
    }
}

/// Ranges of status codes, written as strings or integers.
pub(super) fn statuses(table: &Table, key: &str) -> Vec<(u16, u16)> {
    let range = |value: &crate::value::Value| match &value.kind {
        Kind::Integer(code) => u16::try_from(*code).ok().map(|code| (code, code)),
        Kind::String(text) => units::status_range(text).ok(),
        _ => None,
    };
    table.items(key).iter().filter_map(range).collect()
}

fn metrics(cx: &mut Context<'_>) -> Metrics {
    let table = section(cx, Section::Metrics);
    let buckets: Vec<f64> = table
        .items("buckets")
        .iter()
        .filter_map(|value| match value.kind {
            Kind::Float(bound) => Some(bound),
            Kind::Integer(bound) => u32::try_from(bound).ok().map(f64::from),
            _ => None,
        })
        .collect();
    if !buckets.is_sorted_by(|a, b| a < b) {
        let help = "each bound is larger than the one before it";
        cx.error("invalid-value", table.span("buckets"), "the buckets do not ascend", help);
    }
    let buckets = if buckets.is_empty() { Metrics::default().buckets } else { buckets };
    Metrics { buckets, route_labels: table.bool("route-labels").unwrap_or_default() }
}
