//! Challenges that one node presents and another answers.

use super::sim::Nodes;
use crate::acme::{Challenge, ChallengeKind, Identifier};
use crate::driver::others::Others;
use crate::driver::presenters::{LocalPresenter, Presenter};
use crate::storage::Storage;
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn any_node_answers_for_as_long_as_the_challenge_stands() {
    let nodes = Nodes::new(1, 2);
    let [one, two] = [0, 1].map(|node| &nodes.nodes[node]);
    let storage: Arc<dyn Storage> = Arc::new(nodes.store.clone());
    let presenter =
        LocalPresenter::new(Arc::clone(&one.certificates), Some(storage), Arc::clone(&nodes.clock));
    let challenge = |kind| Challenge {
        kind,
        identifier: Identifier::parse("a.test"),
        wildcard: false,
        token: "token".to_owned(),
        key_authorization: "token.thumbprint".to_owned(),
        account_uri: String::new(),
        issuer_domains: Vec::new(),
    };
    let challenges = LocalPresenter::KINDS.map(challenge);
    let mut others = Others::default();
    presenter.present(&challenges).await.unwrap();
    others.look(&two.cx).await.unwrap();
    for node in [one, two] {
        let answered = node.certificates.challenges().key_authorization("token");
        assert_eq!(answered.as_deref(), Some("token.thumbprint"));
    }
    presenter.withdraw(&challenges).await.unwrap();
    others.look(&two.cx).await.unwrap();
    assert!(!one.certificates.challenges().has_tokens() && !two.certificates.challenges().has_tokens());
    // One whose node died is cleared away.
    presenter.present(&[challenge(ChallengeKind::Http01)]).await.unwrap();
    nodes.pass(0.1).await;
    others.look(&two.cx).await.unwrap();
    assert!(!two.certificates.challenges().has_tokens());
    assert!(nodes.store.list("challenges").await.unwrap().is_empty());
}
