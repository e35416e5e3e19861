//! The shortest way through everything: the binary starts, serves, says how it is, and ends when asked.

use pn_testkit::{Origin, Proxy};

#[test]
fn a_respond_service_answers() {
    let proxy = Proxy::start(
        r#"
        [listeners.web]
        address = "127.0.0.1:<port:web>"

        [sites."app.localhost"]
        https = "off"
        respond = { status = 418, body = "short and stout" }
        "#,
    );
    let reply = proxy.get("web", "app.localhost", "/");
    assert_eq!((reply.status, reply.text().as_str()), (418, "short and stout"));
    assert_eq!(proxy.get("web", "other.localhost", "/").status, 404);
    assert_eq!(proxy.stop().code(), 0);
}

#[test]
fn an_upstream_answers_through_the_proxy() {
    let origin = Origin::http1();
    let proxy = Proxy::setup().set("origin", origin.addr()).start(
        r#"
        [listeners.web]
        address = "127.0.0.1:<port:web>"

        [sites."app.localhost"]
        https = "off"
        to = "http://<origin>"
        "#,
    );
    let told = proxy.get("web", "app.localhost", "/a?b=c").json();
    assert_eq!(
        (told["target"].as_str(), told["authority"].as_str()),
        (Some("/a?b=c"), Some("app.localhost"))
    );
    assert_eq!(origin.requests().len(), 1);
}
