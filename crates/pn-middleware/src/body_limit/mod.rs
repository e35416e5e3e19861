//! `body-limit`: refuses request bodies beyond a size, at once where the size is declared and else when it is passed.

use crate::Built;
use bytes::Bytes;
use http::Version;
use http::header::CONTENT_LENGTH;
use pn_core::{BodyFilter, BodySink, Env, ErrorKind, Flow, Middleware, ProxyError, RequestContext};
use std::sync::Arc;

#[derive(Debug)]
struct BodyLimit {
    most: u64,
}

struct Counter {
    left: u64,
}

pub(crate) fn build(bytes: u64) -> Built {
    Ok(Arc::new(BodyLimit { most: bytes }))
}

impl Middleware for BodyLimit {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let declared = cx.header(&CONTENT_LENGTH).and_then(|length| length.to_str()?.parse::<u64>().ok());
        match declared {
            Some(length) if length > self.most => {
                let mut reply = ProxyError::new(ErrorKind::ContentTooLarge).to_reply();
                // Of HTTP/2 the body that nobody reads is its stream's affair.
                reply.close &= cx.version() < Version::HTTP_2;
                return Flow::Respond(Box::new(reply));
            }
            // The framing holds the body to what was declared.
            Some(_) => {}
            None => cx.filter_body(Box::new(Counter { left: self.most })),
        }
        Flow::Continue
    }
}

impl BodyFilter for Counter {
    fn data(&mut self, piece: Bytes, out: &mut BodySink) -> Result<(), ProxyError> {
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or_else(|| ProxyError::new(ErrorKind::ContentTooLarge))?;
        out.push(piece);
        Ok(())
    }

    fn changes_length(&self) -> bool {
        false
    }
}
