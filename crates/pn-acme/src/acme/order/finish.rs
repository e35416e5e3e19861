//! From an order whose names are proven to its chain (RFC 8555 sections 7.4 and 7.4.2), and why one failed.

use super::super::answer::Answer;
use super::super::call::{By, Line};
use super::super::certificate::Chain;
use super::super::fault::{AcmeFault, FaultKind};
use super::super::wire::{Authorization, Status, WireOrder};
use super::{ISSUANCE, Obtained, Order, READINESS};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::json;

/// Chains that are looked at for the preferred one. CAs offer up to three.
const ALTERNATES: usize = 8;
/// A CA may say that the order is ready and then that it is not (`orderNotReady`).
const FINALIZATIONS: u32 = 3;
const PEM: Option<&str> = Some("application/pem-certificate-chain");

impl Order {
    pub(super) async fn finalize(
        &self,
        line: &Line,
        url: &str,
        mut order: WireOrder,
    ) -> Result<WireOrder, AcmeFault> {
        let payload = json!({"csr": BASE64URL.encode(&self.csr)});
        for attempt in 1..=FINALIZATIONS {
            if order.status != Status::Ready {
                break;
            }
            let missing = || AcmeFault::bad_answer(url, "an order without `finalize`");
            let finalize = order.finalize.clone().ok_or_else(missing)?;
            order = match line.post(&finalize, &payload, By::Account).await {
                Ok(answer) => self.read(&answer)?,
                Err(fault) => {
                    // It may have been carried out all the same: the order itself says.
                    let seen = self.read(&line.fetch(url, None).await.map_err(|_| fault.clone())?)?;
                    let not_ready =
                        fault.problem.as_ref().is_some_and(|problem| problem.name() == "orderNotReady");
                    if attempt == FINALIZATIONS || (seen.status == Status::Ready && !not_ready) {
                        return Err(fault);
                    }
                    self.settled(line, url, seen, Status::Ready, READINESS).await?
                }
            };
        }
        self.settled(line, url, order, Status::Valid, ISSUANCE).await
    }

    pub(super) async fn download(
        &self,
        line: &Line,
        order_url: String,
        order: &WireOrder,
    ) -> Result<Obtained, AcmeFault> {
        let missing = || AcmeFault::bad_answer(&order_url, "a valid order without `certificate`");
        let url = order.certificate.clone().ok_or_else(missing)?;
        let answer = line.fetch(&url, PEM).await?;
        let chain = self.chain(&answer)?;
        let mut issuers = vec![chain.topmost_issuer().unwrap_or_default()];
        let wanted = |issuer: &str| self.preferred_chain.as_deref().is_none_or(|name| name == issuer);
        let mut found = issuers.first().is_some_and(|issuer| wanted(issuer)).then(|| chain.to_pem());
        for alternate in answer.links("alternate").take(ALTERNATES) {
            if found.is_some() {
                break;
            }
            // The certificate is there; an alternate that is not must not cost it.
            let Ok(answer) = line.fetch(alternate, PEM).await else { continue };
            let Ok(other) = self.chain(&answer) else { continue };
            let issuer = other.topmost_issuer().unwrap_or_default();
            found = wanted(&issuer).then(|| other.to_pem());
            issuers.push(issuer);
        }
        let preferred_missing = found.is_none();
        let chain_pem = found.unwrap_or_else(|| chain.to_pem());
        Ok(Obtained { chain_pem, order_url, topmost_issuers: issuers, preferred_missing, proven_by: None })
    }

    fn chain(&self, answer: &Answer) -> Result<Chain, AcmeFault> {
        let chain = Chain::parse(answer.text()).map_err(|what| answer.bad(what))?;
        chain.fits(&self.csr, &self.names).map_err(|what| answer.bad(what))?;
        Ok(chain)
    }

    /// Why the order failed: some CAs say it there, others only at the name's authorization.
    pub(super) async fn invalid(&self, line: &Line, url: &str, order: &WireOrder) -> AcmeFault {
        if order.error.is_none() {
            for authorization in &order.authorizations {
                let Ok(answer) = line.fetch(authorization, None).await else { break };
                match answer.json::<Authorization>() {
                    Ok(seen) if !matches!(seen.status, Status::Valid | Status::Pending) => {
                        return super::prove::rejected(&[seen], None);
                    }
                    _ => {}
                }
            }
        }
        let why =
            order.error.as_ref().map_or_else(|| "the CA does not say why".to_owned(), ToString::to_string);
        let message = format!("the CA gave the order `{url}` up: {why}");
        let fault = AcmeFault::new(FaultKind::OrderInvalid, message);
        self.of_name(AcmeFault { problem: order.error.clone().map(Box::new), ..fault })
    }
}
