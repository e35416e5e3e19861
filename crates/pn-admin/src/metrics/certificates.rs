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
        let (cn, mut sans) = (one.names.first().map_or("", String::as_str), one.names.clone());
        sans.sort_unstable();
        let (serial, sans) = (decimal(&served.serial), sans.join(","));
        out.sample(NAME, &[("cn", cn), ("serial", &serial), ("sans", &sans)], served.not_after as f64);
    }
}

/// A serial number as Traefik writes it into its label; of at most 20 bytes (RFC 5280 section 4.1.2.2).
fn decimal(hexadecimal: &str) -> String {
    // The last digit first.
    let mut digits = vec![0_u8];
    for nibble in hexadecimal.chars().filter_map(|digit| digit.to_digit(16)) {
        let mut carry = nibble;
        for digit in &mut digits {
            carry += u32::from(*digit) * 16;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|&digit| char::from(b'0' + digit)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_decimal() {
        for (hexadecimal, expected) in [
            ("", "0"),
            ("00", "0"),
            ("0a1b", "2587"),
            ("ffffffffffffffff", "18446744073709551615"),
            ("ffffffffffffffffffffffffffffffffffffffff", "1461501637330902918203684832716283019655932542975"),
        ] {
            assert_eq!(decimal(hexadecimal), expected, "{hexadecimal}");
        }
    }
}
