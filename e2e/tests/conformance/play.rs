//! A case being played: its client, its origin, and the steps that several rows share.

use std::time::Duration;

use pn_testkit::{
    End, PATIENCE, RawClient, RawOrigin, RawResponse, TlsOptions, parse_response, wait_for, wait_until,
};
use proxy_now_e2e::{Seen, requests};

use crate::case::Case;
use crate::stage::Stage;

pub(crate) struct Play<'a> {
    pub(crate) case: &'a Case,
    pub(crate) stage: &'a Stage,
    pub(crate) origin: &'a RawOrigin,
    client: Option<RawClient>,
    last: Option<RawResponse>,
}

impl<'a> Play<'a> {
    pub(crate) fn new(case: &'a Case, stage: &'a Stage, origin: &'a RawOrigin) -> Self {
        Self { case, stage, origin, client: None, last: None }
    }

    pub(crate) fn host(&self) -> String {
        format!("{}.test", self.case.id)
    }

    /// The connection, which is opened with the first step that needs it.
    pub(crate) fn client(&mut self) -> &mut RawClient {
        let address = self.stage.address(self.case.listener);
        self.client.get_or_insert_with(|| RawClient::connect(address))
    }

    /// Goes on with another connection; the first one closes.
    pub(crate) fn connect(&mut self, client: RawClient) {
        self.client = Some(client);
    }

    /// Goes on with a new plain connection; the first one closes.
    pub(crate) fn reconnect(&mut self) {
        self.client = None;
    }

    pub(crate) fn connect_tls(&mut self, server_name: &str, options: &TlsOptions) {
        let address = self.stage.address(self.case.listener);
        self.client = Some(RawClient::connect_tls(address, &self.fill_text(server_name), options));
    }

    /// Ends the connection by RST.
    pub(crate) fn reset(&mut self) {
        if let Some(client) = self.client.take() {
            client.reset();
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let bytes = self.fill(bytes);
        self.client().send(bytes);
    }

    pub(crate) fn answered(&mut self, response: RawResponse, statuses: &[u16]) {
        assert!(statuses.contains(&response.status), "not one of {statuses:?}: {response:?}");
        self.last = Some(response);
    }

    pub(crate) fn last(&self) -> &RawResponse {
        self.last.as_ref().expect("a response before")
    }

    /// Asks for something that the proxy answers itself.
    pub(crate) fn probe(&mut self) {
        let response = self.client().send("GET /probe HTTP/1.1\r\nHost: probe.test\r\n\r\n").response();
        assert_eq!((response.status, response.text().as_str()), (200, "probe"), "{response:?}");
    }

    pub(crate) fn cut_off(&mut self, status: u16) {
        let (end, bytes) = self.client().end();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(end != End::Open, "the connection is still open after {text:?}");
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text:?}");
        assert_eq!(parse_response(&bytes, false, false), None, "a whole response: {text:?}");
    }

    /// Every request that came whole, on any connection.
    pub(crate) fn seen(&self) -> Result<Vec<Seen>, String> {
        let connections = 0..self.origin.connections();
        let each = connections.map(|number| requests(&self.origin.received(number)));
        each.collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().flatten().collect())
    }

    pub(crate) fn upstream(&self, count: usize) {
        let seen = match self.seen() {
            // What was begun is waited for, so that what is too much shows.
            Ok(seen) if seen.len() >= count => seen,
            _ => wait_for(&format!("{count} requests at {:?}", self.origin), || {
                self.seen().ok().filter(|seen| seen.len() >= count)
            }),
        };
        assert_eq!(seen.len(), count, "{seen:#?}");
    }

    /// All that came to the origin, in lower case.
    pub(crate) fn seen_text(&self) -> String {
        self.origin.all_received().to_lowercase()
    }

    pub(crate) fn fill_text(&self, text: &str) -> String {
        let text = text.replace("{host}", &self.host()).replace("{id}", self.case.id);
        text.replace("{origin}", &self.origin.addr().to_string())
    }

    fn fill(&self, bytes: &[u8]) -> Vec<u8> {
        let mut filled = bytes.to_vec();
        for (name, value) in [(&b"{host}"[..], self.host()), (b"{id}", self.case.id.to_owned())] {
            while let Some(at) = filled.windows(name.len()).position(|window| window == name) {
                filled.splice(at..at + name.len(), value.bytes());
            }
        }
        filled
    }

    /// Waits until the proxy has closed its connections to the origin.
    pub(crate) fn origin_is_left(&self) {
        wait_until("the upstream connection to be closed", || self.origin.open_connections() == 0);
    }

    /// Sends this byte again and again until there is an answer.
    pub(crate) fn dribble(&mut self, byte: u8) {
        let answer = wait_for("an answer to what dribbles", || {
            self.send(&[byte]);
            self.client().try_response(Duration::from_millis(10))
        });
        self.last = Some(answer);
    }

    /// A response that comes, or the end of the connection without one.
    pub(crate) fn response_or_end(&mut self, limit: Duration) -> Option<RawResponse> {
        self.client().try_response(limit.min(PATIENCE))
    }
}
