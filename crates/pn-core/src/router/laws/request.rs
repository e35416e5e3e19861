//! A request as plain data.

use crate::router::RequestView;
use std::net::{IpAddr, Ipv4Addr};

#[derive(Debug, Clone)]
pub struct Request {
    pub host: String,
    pub path: String,
    pub method: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub query: String,
    pub client_ip: IpAddr,
    pub peer_ip: IpAddr,
    pub tls: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            host: String::new(),
            path: "/".to_owned(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            query: String::new(),
            client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            peer_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            tls: false,
        }
    }
}

impl RequestView for Request {
    fn host(&self) -> &str {
        &self.host
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn method(&self) -> &str {
        &self.method
    }

    fn header(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_bytes())
    }

    fn query(&self) -> &str {
        &self.query
    }

    fn client_ip(&self) -> IpAddr {
        self.client_ip
    }

    fn peer_ip(&self) -> IpAddr {
        self.peer_ip
    }

    fn is_tls(&self) -> bool {
        self.tls
    }
}
