//! Series of the certificates: when they end, how their renewal goes, and what came of orders.

use super::exposition::{Exposition, Kind};
use crate::views::certificates::now;
use crate::views::{Certificate, Process, Renewal};

pub(super) fn write(out: &mut Exposition, process: &dyn Process) {
    // Names that clients chose are no labels: whoever asks for many would fill the memory of whoever scrapes.
    let (on_demand, wanted): (Vec<_>, Vec<_>) =
        process.certificates().into_iter().partition(|certificate| certificate.on_demand);
    ends(out, &wanted);
    let help = "Certificates held for names under wildcards that clients asked for.";
    out.one("tls_certs_on_demand", Kind::Gauge, help, on_demand.len() as f64);
    let (now, all) = (now(), || wanted.iter().chain(&on_demand));
    let expired = all().filter(|one| one.has_expired(now)).count();
    let help = "Certificates that have ended and are served all the same.";
    out.one("tls_certs_expired", Kind::Gauge, help, expired as f64);
    let missing = wanted.iter().filter(|one| one.served.is_none()).count();
    let help = "Certificates that sites want and that are not there.";
    out.one("tls_certs_missing", Kind::Gauge, help, missing as f64);
    renewals(out, &wanted);
    out.family("acme_orders_total", Kind::Counter, "Orders of certificates, by what came of them.");
    for (issuer, outcome, count) in process.orders() {
        out.sample("acme_orders_total", &[("issuer", &issuer), ("outcome", outcome)], count as f64);
    }
}

fn ends(out: &mut Exposition, all: &[Certificate]) {
    const NAME: &str = "traefik_tls_certs_not_after";
    out.family(NAME, Kind::Gauge, "When a certificate ends, as a Unix timestamp.");
    for one in all {
        let Some(served) = &one.served else { continue };
        let (cn, sans) = (one.names.first().map_or("", String::as_str), one.names.join(","));
        out.sample(NAME, &[("cn", cn), ("serial", &served.serial), ("sans", &sans)], served.not_after as f64);
    }
}

fn renewals(out: &mut Exposition, all: &[Certificate]) {
    type Value = fn(&Renewal) -> f64;
    const FAMILIES: [(&str, &str, Value); 2] = [
        ("tls_cert_renewal_failures", "Rounds of orders that failed in a row.", |one| {
            f64::from(one.failures)
        }),
        ("tls_cert_next_attempt", "When the next order is due, as a Unix timestamp.", |one| {
            one.next_at as f64
        }),
    ];
    for (name, help, value) in FAMILIES {
        out.family(name, Kind::Gauge, help);
        for one in all {
            let Some(renewal) = &one.renewal else { continue };
            let issuer = one.issuer.as_deref().unwrap_or_default();
            out.sample(name, &[("certificate", &one.id), ("issuer", issuer)], value(renewal));
        }
    }
}
