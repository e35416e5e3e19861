//! Orders of which nothing is to stay.

use super::*;
use ChallengeKind::{Dns01, Http01};

fn dry_run(names: &[&str], challenges: &[ChallengeKind], finalize: bool) -> DryRun {
    let order = Order { challenges: challenges.to_vec(), ..order(names) };
    DryRun { order, provable: vec![Dns01], finalize }
}

#[test]
fn an_order_is_gone_through_as_far_as_it_can_be() {
    for (challenges, finalize, proven, unproven, issued) in [
        (&[Dns01][..], true, 3, 0, true),
        (&[Dns01], false, 3, 0, false),
        (&[Http01, Dns01], true, 1, 2, false),
    ] {
        let mut scene = Scene::registered(60);
        let machine =
            dry_run(&["*.a.test", "a.test", "b.test"], challenges, finalize).machine(&scene.session);
        let ran = scene.run(machine).unwrap();
        assert_eq!((ran.proven.len(), ran.unproven.len(), ran.issued), (proven, unproven, issued), "{ran:?}");
        assert!(ran.proven.contains(&("*.a.test".to_owned(), Dns01)));
        assert_eq!((scene.ca.orders.len(), scene.ca.certificates.len()), (1, usize::from(issued)));
        assert!(scene.ca.board.is_empty() && scene.ca.pending() == 0, "nothing is left: {ran:?}");
    }
}

#[test]
fn what_is_refused_is_said_and_the_rest_given_up() {
    for (challenges, names, expected) in [
        (&[Dns01][..], &["a.test", "bad.test"][..], FaultKind::Rejected(Identifier::parse("bad.test"))),
        (&[Http01], &["a.test", "*.b.test"], FaultKind::NoChallenge(Identifier::parse("b.test"))),
    ] {
        let mut scene = Scene::registered(61);
        scene.ca.policy.unprovable.extend([Identifier::parse("bad.test")]);
        let machine = dry_run(names, challenges, true).machine(&scene.session);
        assert_eq!(scene.run(machine).unwrap_err().kind, expected);
        assert!(scene.ca.board.is_empty() && scene.ca.pending() == 0);
        assert_eq!(scene.ca.certificates.len(), 0);
    }
}

#[test]
fn a_directory_is_read_without_an_account() {
    let mut scene = Scene::new(62);
    let machine = ReadDirectory.machine(&scene.session);
    assert!(scene.run(machine).unwrap().renewal_info.is_some());
    assert_eq!((scene.ca.requests, scene.ca.accounts.len()), (1, 0));
}
