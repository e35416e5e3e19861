//! `ip-allow`: lets clients of certain networks in.

use crate::Built;
use http::{HeaderName, StatusCode};
use ipnet::IpNet;
use pn_core::context::FieldValue;
use pn_core::{BuildError, Env, Flow, Middleware, Reply, RequestContext};
use pn_model::middleware::IpAllow;
use std::net::IpAddr;
use std::sync::Arc;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[derive(Debug)]
struct Allow {
    /// Where each begins, and what of an address counts.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
    depth: usize,
    status: StatusCode,
}

pub(crate) fn build(spec: &IpAllow) -> Built {
    let status = StatusCode::from_u16(spec.status)
        .map_err(|_| BuildError::new(["ip-allow", "status"], "a status has three digits"))?;
    let depth = usize::try_from(spec.depth).unwrap_or(usize::MAX);
    let v4 = spec.ranges.iter().filter_map(|range| match range {
        IpNet::V4(net) => Some((net.network().into(), net.netmask().into())),
        IpNet::V6(_) => None,
    });
    let v6 = spec.ranges.iter().filter_map(|range| match range {
        IpNet::V4(_) => None,
        IpNet::V6(net) => Some((net.network().into(), net.netmask().into())),
    });
    Ok(Arc::new(Allow { v4: v4.collect(), v6: v6.collect(), depth, status }))
}

impl Middleware for Allow {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let client = if self.depth == 0 { Some(cx.client_ip()) } else { self.by_depth(cx) };
        if client.is_some_and(|ip| self.holds(ip)) {
            return Flow::Continue;
        }
        self.refuse()
    }
}

impl Allow {
    #[cold]
    fn refuse(&self) -> Flow {
        let text =
            format!("{} {}\n", self.status.as_u16(), self.status.canonical_reason().unwrap_or_default());
        Flow::Respond(Box::new(Reply::text(self.status, text)))
    }

    fn holds(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.iter().any(|(net, mask)| u32::from(ip) & mask == *net),
            IpAddr::V6(ip) => self.v6.iter().any(|(net, mask)| u128::from(ip) & mask == *net),
        }
    }

    /// The Nth address from the right, the peer's own (which this proxy added last) not counted. Nobody where the
    /// list is shorter or the word is no address: that lets nobody in.
    #[inline(never)]
    fn by_depth(&self, cx: &RequestContext) -> Option<IpAddr> {
        let lists: Vec<_> = cx.header_all(&FORWARDED_FOR).filter_map(FieldValue::to_str).collect();
        let mut words = lists.iter().rev().flat_map(|list| list.rsplit(','));
        words.nth(self.depth)?.trim().parse().ok()
    }
}
