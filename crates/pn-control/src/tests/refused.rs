//! What a refused change leaves of what was issued for it.

use super::{Cell, Fake, FakeFollower, model, parts, start, wait};
use crate::*;
use pn_core::PrepareError;
use pn_model::Model;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Notes for how many issuers it was asked.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<String>>>);

impl Issuing for Noting {
    fn ensure(&mut self, model: &Model) -> Result<(), Vec<PrepareError>> {
        self.0.lock().unwrap().push(format!("ensure {}", model.issuers.len()));
        Ok(())
    }

    fn settle(&mut self, model: &Model) {
        self.0.lock().unwrap().push(format!("settle {}", model.issuers.len()));
    }

    fn renew(&mut self) {}

    fn due(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn certificates_for_a_refused_change_are_taken_back() {
    let (cell, plane, follower, noting) =
        (Cell::default(), Fake::default(), FakeFollower::default(), Noting::default());
    cell.set(Ok(model(1)));
    let (mut parts, _source) = parts(&cell, None, &plane, &follower, None);
    parts.issuing = Box::new(noting.clone());
    let (control, thread) = start(parts, &cell).unwrap();
    cell.set(Ok(model(2)));
    plane.refuse(Some("port is taken"));
    assert!(matches!(wait(control.reload(Trigger::Api)).unwrap(), Outcome::Refused(_)));
    assert_eq!(*noting.0.lock().unwrap(), ["ensure 1", "settle 1", "ensure 2", "settle 1"]);
    thread.stop();
}
