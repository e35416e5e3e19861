//! Generated graphs. A failure prints the bytes that replay it.

use crate::router::laws;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn matchers_and_prose_agree(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        laws::differential(&bytes);
    }

    #[test]
    fn branches_say_what_the_rule_says(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        laws::rule_match(&bytes);
    }
}

/// The property is worth something only when most generated graphs can run.
#[test]
fn most_generated_graphs_run() {
    let mut random = 1_u64;
    let mut byte = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random.to_be_bytes()[0]
    };
    let ran = (0..500).filter(|_| laws::differential(&(0..400).map(|_| byte()).collect::<Vec<_>>())).count();
    assert!(ran > 150, "only {ran} of 500 graphs ran");
}
