//! Sticky cookies: what they look like, that clients stay, and where clients go whose server is down.

use std::collections::BTreeMap;

use pn_testkit::{Origin, Proxy, Reply, Session, request, wait_until};

use crate::rig::{self, HOST};

fn ask(proxy: &Proxy, cookie: &str) -> Reply {
    let mut asked = request("GET", HOST, "/");
    if !cookie.is_empty() {
        asked.headers_mut().insert("cookie", cookie.parse().expect("a field's value"));
    }
    Session::http1(proxy.addr("web")).send(asked)
}

/// `name=value`, as a client sends it back.
fn pair(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn the_cookie_has_the_attributes_of_the_configuration() {
    let rows = [
        (r#"{ cookie = "srv" }"#, "srv=*; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (r#"{ cookie = "srv", secure = false, http-only = false }"#, "srv=*; Path=/; SameSite=Lax"),
        (r#"{ cookie = "s.1", same-site = "strict" }"#, "s.1=*; Path=/; Secure; HttpOnly; SameSite=Strict"),
        (r#"{ cookie = "s", same-site = "none" }"#, "s=*; Path=/; Secure; HttpOnly; SameSite=None"),
        (
            r#"{ cookie = "s", path = "/a", domain = "app.test", max-age = "1h" }"#,
            "s=*; Path=/a; Domain=app.test; Max-Age=3600; Secure; HttpOnly; SameSite=Lax",
        ),
    ];
    for (sticky, expected) in rows {
        let origins = rig::named(["red", "green"]);
        let proxy = rig::start(&format!("{}sticky = {sticky}", rig::servers(&origins)));
        let reply = ask(&proxy, "");
        let (name, rest) = reply.header("set-cookie").split_once('=').unwrap_or_default();
        let (value, attributes) = rest.split_once(';').unwrap_or_default();
        assert_eq!(format!("{name}=*;{attributes}"), expected, "{sticky}");
        // It tells nothing of the server.
        assert!(value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    }
}

#[test]
fn a_client_stays_with_its_server() {
    let origins = rig::named(["red", "green", "blue"]);
    let proxy = rig::start(&format!("{}sticky = {{ cookie = \"srv\" }}", rig::servers(&origins)));
    let firsts: Vec<Reply> = (0..3).map(|_| ask(&proxy, "")).collect();
    let met: BTreeMap<String, String> =
        firsts.iter().map(|first| (pair(first), first.header("x-origin").to_owned())).collect();
    assert_eq!(met.len(), 3, "{met:?}");
    for (cookie, name) in &met {
        for sent in [cookie.clone(), format!("other=1; {cookie}; more=2")] {
            for _ in 0..4 {
                let reply = ask(&proxy, &sent);
                assert_eq!(
                    (reply.header("x-origin"), reply.header("set-cookie")),
                    (name.as_str(), ""),
                    "{sent}"
                );
            }
        }
    }
    // Values that stand for no server are replaced.
    for unknown in ["srv=0123456789abcdef", "srv=", "srv=http://127.0.0.1:1", "SRV=x"] {
        let reply = ask(&proxy, unknown);
        assert_eq!(met.get(&pair(&reply)).map(String::as_str), Some(reply.header("x-origin")), "{unknown}");
    }
}

#[test]
fn a_client_of_a_server_that_is_down_moves_and_stays_there() {
    let mut origins = rig::named(["red", "green"]).map(Some);
    let urls = [0, 1].map(|at| rig::url(origins[at].as_ref().expect("it runs")));
    let proxy = rig::start(&format!(
        "servers = {urls:?}\nsticky = {{ cookie = \"srv\" }}\n\
         health-check = {{ mode = \"tcp\", interval = \"100ms\" }}"
    ));
    let first = ask(&proxy, "");
    let at = usize::from(first.header("x-origin") == "green");
    let port = origins[at].take().expect("it runs").addr().port();
    wait_until("the check to find it down", || !rig::is_up(&proxy, &urls[at]));

    let moved = ask(&proxy, &pair(&first));
    assert_eq!(moved.header("x-origin"), ["green", "red"][at]);
    assert_ne!(pair(&moved), pair(&first));
    assert_eq!(ask(&proxy, &pair(&moved)).header("set-cookie"), "");

    let again = Origin::setup().name(["red", "green"][at]).port(port).http1();
    wait_until("the check to find it up", || rig::is_up(&proxy, &urls[at]));
    assert_eq!(ask(&proxy, &pair(&moved)).header("x-origin"), moved.header("x-origin"), "it has moved back");
    assert_eq!(ask(&proxy, &pair(&first)).header("x-origin"), first.header("x-origin"));
    assert_eq!(rig::shares([&again]), [1]);
}

#[test]
fn a_client_stays_on_its_side_of_a_split_and_with_its_server_there() {
    let origins = rig::named(["red", "green", "blue", "grey"]);
    let proxy = rig::start(&format!(
        "split = {{ one = 1, two = 1 }}\nsticky = {{ cookie = \"side\" }}\n\
         [services.one]\n{}sticky = {{ cookie = \"srv\" }}\n[services.two]\n{}sticky = {{ cookie = \"srv\" }}\n",
        rig::servers(&origins[..2]),
        rig::servers(&origins[2..]),
    ));
    for _ in 0..8 {
        let first = ask(&proxy, "");
        let pairs = first.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let pairs: Vec<&str> = pairs.filter_map(|value| value.split(';').next()).collect();
        assert_eq!(pairs.len(), 2, "{first:?}");
        for _ in 0..4 {
            let reply = ask(&proxy, &pairs.join("; "));
            assert_eq!(
                (reply.header("x-origin"), reply.header("set-cookie")),
                (first.header("x-origin"), "")
            );
        }
    }
}

#[test]
fn a_server_without_weight_keeps_its_clients_and_gets_no_others() {
    let origins = rig::named(["red", "green"]);
    let [red, green] = [&origins[0], &origins[1]].map(rig::url);
    let config = |weight: u32| {
        rig::config(&format!(
            "servers = [{{ url = {red:?}, weight = {weight} }}, {green:?}]\nsticky = {{ cookie = \"srv\" }}"
        ))
    };
    let mut proxy = Proxy::start(&config(1));
    let of_red =
        [ask(&proxy, ""), ask(&proxy, "")].into_iter().find(|reply| reply.header("x-origin") == "red");
    let of_red = pair(&of_red.expect("one of two turns"));
    proxy.reload_accepted(&config(0));
    for _ in 0..8 {
        assert_eq!(ask(&proxy, "").header("x-origin"), "green");
        assert_eq!(ask(&proxy, &of_red).header("x-origin"), "red");
    }
}
