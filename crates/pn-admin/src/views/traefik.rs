//! Pages in the shape that Traefik's API has, for tools that ask for them.

use super::{Views, time};
use pn_control::Status;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionView {
    version: String,
    codename: &'static str,
    #[serde(rename = "startDate")]
    start_date: String,
}

#[derive(Debug, Serialize)]
pub(super) struct OverviewView {
    http: SectionView,
    providers: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct SectionView {
    routers: CountView,
    services: CountView,
    middlewares: CountView,
}

/// A graph with errors is never running, so the last two are for the shape.
#[derive(Debug, Serialize)]
struct CountView {
    total: usize,
    warnings: usize,
    errors: usize,
}

pub(super) fn version(views: &Views) -> VersionView {
    VersionView {
        version: views.process.version().to_owned(),
        codename: "proxy-now",
        start_date: time(views.lifecycle.started),
    }
}

pub(super) fn overview(status: &Status) -> OverviewView {
    let count = |total| CountView { total, warnings: 0, errors: 0 };
    let model = &status.model;
    let routes = model.sites.values().map(|site| site.routes.len()).sum();
    OverviewView {
        http: SectionView {
            routers: count(routes),
            services: count(model.services.len()),
            middlewares: count(model.middlewares.len()),
        },
        providers: vec!["File"],
    }
}
