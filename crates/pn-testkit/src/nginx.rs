//! A real nginx as an upstream.

use std::net::SocketAddr;
use std::process::Command;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Peer, find_program};

/// A running nginx. Dropping it ends it.
#[derive(Debug)]
pub struct Nginx {
    peer: Peer,
    address: SocketAddr,
    folder: Folder,
}

impl Nginx {
    /// Starts it with this text inside its `http` block; `<port>` stands for its port, `<dir>` for its folder.
    #[track_caller]
    pub fn start(http: &str) -> Self {
        Self::start_in(Folder::new(), http)
    }

    /// The same, with files that were put into the folder before.
    #[track_caller]
    pub fn start_in(folder: Folder, http: &str) -> Self {
        let port = free_port();
        let dir = folder.path().display().to_string();
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let temporary: String = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
            .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
            .concat();
        let http = http.replace("<port>", &port.to_string()).replace("<dir>", &dir);
        // Without a master there is one process, and none is left when it is killed.
        let text = format!(
            "daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr; {user}\n\
             events {{ worker_connections 1024; }}\nhttp {{\n  access_log off;\n{temporary}{http}\n}}\n"
        );
        let file = folder.write("nginx.conf", text);
        let mut command = Command::new(find_program("nginx"));
        let peer = Peer::start("nginx", command.arg("-e").arg("stderr").arg("-c").arg(file));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        peer.wait_for_port(address);
        Self { peer, address, folder }
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    #[test]
    fn nginx_serves_its_configuration() {
        let nginx = Nginx::start("server { listen 127.0.0.1:<port>; location / { return 200 hello; } }");
        assert_eq!(Session::http1(nginx.addr()).get("a.test", "/").text(), "hello");
    }
}
