//! Accounts over the API: what is shown, what is asked, who may.

use super::Rig;
use crate::{Account, AccountAnswer, AccountRefusal, Accounts};

/// One of the issuer `main`, and one that has none yet.
pub(super) struct Two;

fn account() -> Account {
    Account {
        issuer: Some("main".to_owned()),
        directory: "https://ca.test/directory".to_owned(),
        staging: false,
        email: Some("ops@corp.example".to_owned()),
        url: Some("https://ca.test/acct/1".to_owned()),
        algorithm: Some("ES256".to_owned()),
        registered: Some(1_700_000_000),
        contact_due: true,
        rollover_open: false,
        trouble: None,
    }
}

impl Accounts for Two {
    fn list(&self) -> AccountAnswer<'_, Vec<Account>> {
        let none = Account { issuer: Some("second".to_owned()), url: None, registered: None, ..account() };
        Box::pin(async { Ok(vec![account(), none]) })
    }

    fn roll_over(&self, which: Option<String>) -> AccountAnswer<'_, Account> {
        Box::pin(async move {
            match which.as_deref() {
                Some("second") => Err(AccountRefusal::Failed("the CA does not answer".to_owned())),
                Some("slow") => Err(AccountRefusal::Silent("no answer of the CA".to_owned())),
                Some("third") => Err(AccountRefusal::Which("name an account: main".to_owned())),
                _ => Ok(account()),
            }
        })
    }

    fn deactivate(&self, which: Option<String>) -> AccountAnswer<'_, Account> {
        self.roll_over(which)
    }
}

#[test]
fn accounts_are_shown_and_changed() {
    let rig = Rig::tcp();
    let shown = rig.get("/api/acme/accounts");
    assert_eq!(shown.0, 200);
    let shown: serde_json::Value = serde_json::from_str(&shown.1).unwrap();
    assert_eq!(shown[0]["registered"], "2023-11-14T22:13:20Z");
    assert_eq!((shown[0]["contact_due"].as_bool(), shown[1]["url"].is_null()), (Some(true), true));
    for (path, status, text) in [
        ("rollover", 200, "acct/1"),
        ("deactivate?account=main", 200, "acct/1"),
        ("deactivate?account=https://ca.test/acct/1", 200, "acct/1"),
        ("rollover?account=second", 502, "does not answer"),
        ("rollover?account=slow", 504, "no answer"),
        ("deactivate?account=third", 404, "name an account"),
        ("deactivate?acount=main", 400, "acount"),
    ] {
        let answer = rig.post(&format!("/api/acme/accounts/{path}"));
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
        assert!(answer.1.to_string().contains(text), "{path}: {}", answer.1);
    }
    // A page of another origin, in a browser on this machine.
    let foreign =
        rig.ask("POST", "/api/acme/accounts/deactivate?account=main", "Origin: http://evil.example\r\n");
    assert_eq!(foreign.0, 403);
    assert_eq!(rig.get("/api/acme/accounts/rollover").0, 405);
}
