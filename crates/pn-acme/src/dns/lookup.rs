//! What the DNS says about the names of challenges, and whom to ask: the resolvers of the configuration or of the
//! system, the name servers of a zone, and the server that takes the updates, which may know zones that no resolver
//! knows.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use super::error::DnsError;
use super::exchange::{DNS_PORT, address_of, ask};
use super::zone::{Zone, code_name, is_answer, zone_at};

/// Name servers of one zone that are asked. Zones have 2 to 13.
const NAME_SERVERS: usize = 16;
/// Addresses of one name server that are tried.
const ADDRESSES: usize = 4;
const SYSTEM_RESOLVERS: &str = "/etc/resolv.conf";

/// Whom to ask.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    /// `host:port`; empty: those of the system.
    pub(super) resolvers: Vec<String>,
    /// Whether these must see a record, and not the zone's name servers.
    pub(super) resolvers_testify: bool,
    /// The server that takes the updates, when it is one that speaks DNS.
    pub(super) primary: Option<String>,
    /// Where name servers listen: 53 but in tests.
    pub(super) port: u16,
}

/// One server that must see a record, and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) name: String,
    addresses: Vec<SocketAddr>,
    recursion: bool,
}

impl Witness {
    /// The values of the TXT records that it sees there.
    pub(super) async fn txt(&self, name: &Name) -> Result<Vec<String>, DnsError> {
        let mut last = None;
        for server in &self.addresses {
            match ask(*server, name, RecordType::TXT, self.recursion).await {
                Ok(answer) if is_answer(&answer) => return Ok(txt_in(&answer)),
                Ok(answer) => {
                    let (code, what) = (code_name(answer.response_code), name.to_ascii());
                    last = Some(DnsError::Failing { server: *server, code, what });
                }
                Err(error) => last = Some(error),
            }
        }
        let none = || DnsError::Unresolved { server: self.name.clone(), reason: "it has none".to_owned() };
        Err(last.unwrap_or_else(none))
    }

    fn of(server: SocketAddr, recursion: bool) -> Self {
        Self { name: server.to_string(), addresses: vec![server], recursion }
    }
}

impl Lookup {
    pub(super) fn new(resolvers: &[String], primary: Option<&str>) -> Self {
        Self {
            resolvers: resolvers.to_vec(),
            resolvers_testify: !resolvers.is_empty(),
            primary: primary.map(str::to_owned),
            port: DNS_PORT,
        }
    }

    /// Who must see a record before a CA is told of it: the configured resolvers, else all name servers of the zone as
    /// the world sees it, else the server that takes the updates, where the world does not see that zone.
    pub(super) async fn witnesses(&self, name: &Name) -> Result<Vec<Witness>, DnsError> {
        if self.resolvers_testify {
            let servers = self.resolver_addresses().await?;
            return Ok(servers.into_iter().map(|server| Witness::of(server, true)).collect());
        }
        let own = self.own_zone(name).await?;
        match (self.zone(name).await, own) {
            (Ok(Some(zone)), own) if own.as_ref().is_none_or(|own| own.apex == zone.apex) => {
                self.name_servers(&zone).await
            }
            (_, Some(own)) => Ok(vec![Witness::of(own.server, false)]),
            (Ok(_), None) => Err(DnsError::name(&name.to_ascii(), &"no name server has a zone for it")),
            (Err(error), None) => Err(error),
        }
    }

    /// Where a CNAME record at this name leads. The name itself is not looked up at a resolver: that would keep its
    /// absence in mind, and so hide the record that is made next.
    pub(super) async fn alias(&self, name: &Name) -> Result<Option<Name>, DnsError> {
        if let Some(own) = self.own_zone(name).await? {
            return alias_at(own.server, name).await;
        }
        let Some(zone) = self.zone(&name.base_name()).await? else { return Ok(None) };
        if zone.authoritative {
            return alias_at(zone.server, name).await;
        }
        let mut result = Ok(None);
        for server in self.name_servers(&zone).await?.into_iter().flat_map(|each| each.addresses) {
            result = alias_at(server, name).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// The zone of the server that takes the updates.
    async fn own_zone(&self, name: &Name) -> Result<Option<Zone>, DnsError> {
        let Some(primary) = &self.primary else { return Ok(None) };
        let zone = zone_at(address_of(primary).await?, name, false).await?;
        Ok(zone.filter(|zone| zone.authoritative))
    }

    /// The zone that the resolvers know; the first that answers is believed.
    pub(super) async fn zone(&self, name: &Name) -> Result<Option<Zone>, DnsError> {
        let mut result = Ok(None);
        for server in self.resolver_addresses().await? {
            result = zone_at(server, name, true).await;
            if matches!(result, Ok(Some(_))) {
                break;
            }
        }
        result
    }

    async fn name_servers(&self, zone: &Zone) -> Result<Vec<Witness>, DnsError> {
        let answer = ask(zone.server, &zone.apex, RecordType::NS, true).await?;
        let names = answer.answers.iter().filter_map(|record| match &record.data {
            RData::NS(name) => Some(name.0.clone()),
            _ => None,
        });
        let names: Vec<Name> = names.take(NAME_SERVERS).collect();
        let found = join_all(names.iter().map(|name| self.name_server(zone.server, name))).await;
        // A zone that is served from a resolver itself has no name servers at times.
        if found.is_empty() { Ok(vec![Witness::of(zone.server, true)]) } else { Ok(found) }
    }

    /// Without an address it sees nothing, which is then said of it.
    async fn name_server(&self, resolver: SocketAddr, name: &Name) -> Witness {
        let mut addresses = Vec::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            if let Ok(answer) = ask(resolver, name, kind, true).await {
                addresses.extend(answer.answers.iter().filter_map(|record| record.data.ip_addr()));
            }
        }
        let addresses =
            addresses.into_iter().take(ADDRESSES).map(|ip| SocketAddr::new(ip, self.port)).collect();
        Witness { name: name.to_ascii(), addresses, recursion: false }
    }

    async fn resolver_addresses(&self) -> Result<Vec<SocketAddr>, DnsError> {
        if self.resolvers.is_empty() {
            return system_resolvers();
        }
        let mut found = Vec::new();
        for resolver in &self.resolvers {
            found.push(address_of(resolver).await?);
        }
        Ok(found)
    }
}

/// Read at each use, so that a changed file counts at once.
fn system_resolvers() -> Result<Vec<SocketAddr>, DnsError> {
    let text = fs::read_to_string(SYSTEM_RESOLVERS).unwrap_or_default();
    let found = resolvers_in(&text);
    if found.is_empty() {
        let problem = format!("{SYSTEM_RESOLVERS} names no resolver; name one in `propagation.resolvers`");
        return Err(DnsError::Settings(problem));
    }
    Ok(found)
}

fn resolvers_in(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    });
    addresses.map(|ip| SocketAddr::new(ip, DNS_PORT)).collect()
}

/// A record that a wildcard stands for (RFC 4592) is none: a TXT record at the name itself takes its place.
async fn alias_at(server: SocketAddr, name: &Name) -> Result<Option<Name>, DnsError> {
    let Some(target) = cname_at(server, name).await? else { return Ok(None) };
    let beside = name.base_name().prepend_label("_proxy-now-no-such-name");
    let beside = beside.map_err(|error| DnsError::name(&name.to_ascii(), &error))?;
    let of_wildcard = cname_at(server, &beside).await?.is_some_and(|other| other == target);
    Ok(Some(target).filter(|_| !of_wildcard))
}

async fn cname_at(server: SocketAddr, name: &Name) -> Result<Option<Name>, DnsError> {
    let answer = ask(server, name, RecordType::CNAME, false).await?;
    let own = answer.answers.iter().filter(|record| record.name == *name);
    let mut targets = own.filter_map(|record| match &record.data {
        RData::CNAME(target) => Some(target.0.to_lowercase()),
        _ => None,
    });
    Ok(targets.next())
}

/// The strings of one record belong together (RFC 1464, as CAs read them).
fn txt_in(answer: &Message) -> Vec<String> {
    let values = answer.answers.iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
        _ => None,
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_resolvers_are_read() {
        let text = "# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \noptions\nnameserver x\n";
        let expected: Vec<SocketAddr> =
            ["192.0.2.1:53", "[2001:db8::1]:53"].iter().map(|each| each.parse().unwrap()).collect();
        assert_eq!(resolvers_in(text), expected);
    }
}
