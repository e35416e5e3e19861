//! Names that only clients know: which of them are asked for, and that those with a certificate are served without.

use super::Clock;
use super::pki::Ca;
use super::world::{World, from_source, policy};
use crate::{Choice, Hello, NoCertificate, OnDemand, OnDemandCounts, Source, Unheld, Waiting};
use pn_model::site::CertificateSource;
use pn_model::{HostPattern, IssuerName};
use std::sync::Arc;

/// Obtains for one issuer, and never comes to an end.
struct Only(IssuerName);

impl OnDemand for Only {
    fn serves(&self, issuer: &IssuerName) -> bool {
        *issuer == self.0
    }

    fn knock(&self, _: &IssuerName, name: &str) -> Result<Waiting, NoCertificate> {
        if name.starts_with("no") { Err(NoCertificate::Denied) } else { Ok(Box::pin(std::future::pending())) }
    }

    fn counts(&self) -> OnDemandCounts {
        OnDemandCounts::default()
    }
}

fn met(world: &World, sni: Option<&str>) -> &'static str {
    let hello = Hello { sni, local: Some([127, 0, 0, 1].into()), ..Hello::default() };
    match world.table.choose("tls", &hello) {
        Choice::Serve(_) => "serve",
        Choice::Validate(_) => "validate",
        Choice::Refuse => "refuse",
        Choice::Obtain(Unheld { issuer, name }) => {
            assert_eq!(issuer.as_str(), "open");
            assert_eq!(Some(&*name), crate::normalise_sni(sni.unwrap()).as_deref());
            "obtain"
        }
    }
}

#[test]
fn names_without_a_certificate_are_asked_for_where_their_issuer_obtains() {
    let issuer = |name: &str| CertificateSource::Issuer(name.into());
    let clock = Clock::real();
    let world = World::with_clock(
        &[
            from_source(&["own.d.example", "**.d.example"], issuer("open")),
            from_source(&["*.w.d.example"], issuer("open")),
            from_source(&["off.d.example"], CertificateSource::None),
            from_source(&["**.c.example"], issuer("closed")),
            from_source(&["*"], issuer("open")).under(&policy("strict", |policy| policy.sni_strict = true)),
        ],
        Arc::clone(&clock) as Arc<dyn rustls::time_provider::TimeProvider>,
    );
    assert_eq!(met(&world, Some("a.d.example")), "serve", "nobody obtains");
    world.store.set_on_demand(Box::new(Only("open".into())));
    let ca = Ca::new("ca");
    let publish = |source, host: HostPattern| {
        world.store.publish(source, [([host], ca.leaf(&["a.example"]).certified())]);
    };
    publish(Source::OnDemand, HostPattern::Exact("held.d.example".into()));
    publish(Source::Acme, HostPattern::OneLabel("v.d.example".into()));
    for (sni, expected) in [
        (Some("a.d.example"), "obtain"),
        (Some("A.B.d.example."), "obtain"),
        (Some("held.d.example"), "serve"),
        (Some("a.v.d.example"), "serve"),
        (Some("own.d.example"), "serve"),
        (Some("a.w.d.example"), "serve"),
        (Some("off.d.example"), "refuse"),
        (Some("a.c.example"), "serve"),
        (Some("elsewhere.example"), "refuse"),
        (None, "refuse"),
    ] {
        assert_eq!(met(&world, sni), expected, "{sni:?}");
    }
    let unheld = |name: &str| Unheld { issuer: "open".into(), name: name.into() };
    assert!(world.table.obtain(&unheld("a.d.example")).is_ok());
    assert_eq!(world.table.obtain(&unheld("no.d.example")).err(), Some(NoCertificate::Denied));
    assert!(world.store.certificates().iter().any(|info| info.on_demand));
}

#[test]
fn use_is_noted_to_the_hour_and_outlives_renewals() {
    let clock = Clock::real();
    let world = World::with_clock(&[], Arc::clone(&clock) as Arc<dyn rustls::time_provider::TimeProvider>);
    let ca = Ca::new("ca");
    let publish = || {
        let host = HostPattern::Exact("a.example".into());
        world.store.publish(Source::OnDemand, [([host], ca.leaf(&["a.example"]).certified())]);
    };
    publish();
    assert_eq!(world.store.last_used("a.example"), None);
    assert!(world.store.uses("a.example") && !world.store.uses("b.example"));
    let first = world.store.last_used("a.example");
    clock.advance(60);
    assert!(world.store.uses("a.example"));
    assert_eq!(world.store.last_used("a.example"), first);
    publish();
    assert_eq!(world.store.last_used("a.example"), first);
    clock.advance(3_600);
    assert!(world.store.uses("a.example"));
    assert!(world.store.last_used("a.example") > first);
}
