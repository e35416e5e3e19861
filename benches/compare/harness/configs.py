"""The same job in each proxy's own configuration, as text.

The job: pass everything to the upstream over kept connections, add X-Forwarded-For, -Proto and -Host, log nothing,
run on one core. With `routes` set there are that many hosts with one path prefix each, on the plain port only
(proxy-now has them on both); without, one catch-all on both ports.
"""

from dataclasses import dataclass
from pathlib import Path

HOST = "localhost"
IDLE_SECONDS = 600
POOL = 1024


@dataclass(frozen=True)
class Setting:
    """What every configuration is made from."""

    folder: Path
    upstream: str
    plain: int
    tls: int
    certificate: Path
    key: Path
    # Certificate and key in one file, as HAProxy wants them.
    both: Path
    open_files: int
    is_root: bool
    routes: int | None = None


def route_host(number: int) -> str:
    return f"h{number:05d}.bench.local"


def route_prefix(number: int) -> str:
    return f"/p{number:05d}/"


# proxy-now. Left to defaults: idle timeouts (75 s), connection limits, metrics (on). The access log is off, as in every
# peer.
def proxy_now(setting: Setting) -> str:
    # Only h1 and h2: the default adds h3, which would open a UDP port that no workload uses.
    # State and admin API in the run's own folder: not those of a proxy-now that runs on this machine anyway.
    head = f"""[runtime]
workers   = 1
state-dir = "{setting.folder}/state"

[admin]
address = "unix:{setting.folder}/admin.sock"

[listeners.web]
address = "127.0.0.1:{setting.plain}"

[listeners.websecure]
address   = "127.0.0.1:{setting.tls}"
tls       = true
protocols = ["h1", "h2"]

[services.up]
servers = ["http://{setting.upstream}"]
"""
    certificate = f'certificate = {{ cert = "{setting.certificate}", key = "{setting.key}" }}'
    if setting.routes is None:
        # openssl s_time sends no server name: the site for everything else serves it.
        return head + f'\n[sites."*"]\nhttps = "both"\n{certificate}\nto = "up"\n'
    return head + "".join(
        f'\n[sites."{route_host(number)}"]\nhttps = "both"\n{certificate}\n'
        f'routes."{route_prefix(number)}*" = {{ to = "up" }}\n'
        for number in range(setting.routes)
    )


def nginx(setting: Setting, buffers: str = "") -> str:
    pass_on = """proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;"""
    folder = setting.folder
    scratch = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
    )
    plain, tls = f"listen 127.0.0.1:{setting.plain}", f"listen 127.0.0.1:{setting.tls} ssl http2"
    servers = "".join(
        f"""  server {{
    {plain}; server_name {route_host(number)};
    location {route_prefix(number)} {{ {pass_on} }}
    location / {{ return 404; }}
  }}
"""
        for number in range(setting.routes or 0)
    )
    return f"""daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
{"user root;" if setting.is_root else ""}
events {{ worker_connections {setting.open_files - 1000}; }}
http {{
  access_log off; server_tokens off; tcp_nodelay on; sendfile on;
  keepalive_requests 100000000; keepalive_timeout {IDLE_SECONDS}s; client_header_timeout {IDLE_SECONDS}s;
  server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
  proxy_max_temp_file_size 0; {buffers}
{scratch}
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {setting.certificate}; ssl_certificate_key {setting.key}; ssl_session_tickets on;
  upstream up {{
    server {setting.upstream};
    keepalive {POOL}; keepalive_requests 100000000; keepalive_timeout {IDLE_SECONDS}s;
  }}
  server {{
    {plain} default_server backlog=4096; {tls} default_server backlog=4096; server_name _;
    location / {{ {pass_on} }}
  }}
{servers}}}
"""


def nginx64k(setting: Setting) -> str:
    """As a user with large responses would tune it."""
    return nginx(setting, "proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 256k;")


def haproxy(setting: Setting) -> str:
    choice = "  default_backend up"
    if setting.routes is not None:
        hosts = setting.folder / "hosts.map"
        lines = (f"{route_host(number)}{route_prefix(number)} up\n" for number in range(setting.routes))
        hosts.write_text("".join(lines))
        choice = f"  use_backend %[base,map_beg({hosts},none)]"
    return f"""global
  nbthread 1
  maxconn {setting.open_files // 2 - 1000}
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client {IDLE_SECONDS}s
  timeout server {IDLE_SECONDS}s
  timeout http-keep-alive {IDLE_SECONDS}s
  timeout http-request {IDLE_SECONDS}s
  http-reuse always
  option forwardfor
frontend all
  bind 127.0.0.1:{setting.plain} backlog 4096
  bind 127.0.0.1:{setting.tls} ssl crt {setting.both} alpn h2,http/1.1 backlog 4096
  http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
{choice}
backend none
  http-request return status 404
backend up
  server only {setting.upstream} pool-max-conn {POOL} pool-purge-delay {IDLE_SECONDS}s
"""


def traefik(setting: Setting) -> str:
    entry = "{{address: '127.0.0.1:{port}', transport: {{respondingTimeouts: {{readTimeout: 0s, idleTimeout: {idle}s}}}}}}"
    (setting.folder / "routes.yml").write_text(_traefik_routes(setting))
    return f"""entryPoints:
  web: {entry.format(port=setting.plain, idle=IDLE_SECONDS)}
  websecure: {entry.format(port=setting.tls, idle=IDLE_SECONDS)}
providers: {{file: {{filename: {setting.folder}/routes.yml, watch: false}}}}
log: {{level: ERROR}}
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
"""


def _traefik_routes(setting: Setting) -> str:
    if setting.routes is None:
        routers = """    plain: {rule: 'PathPrefix(`/`)', service: up, entryPoints: [web]}
    secure: {rule: 'PathPrefix(`/`)', service: up, entryPoints: [websecure], tls: {}}
"""
    else:
        # Without priorities Traefik ranks by rule length, and these are all of one length.
        routers = "".join(
            f"    r{number}: {{rule: 'Host(`{route_host(number)}`) && PathPrefix(`{route_prefix(number)}`)', "
            f"service: up, entryPoints: [web], priority: {setting.routes - number}}}\n"
            for number in range(setting.routes)
        )
    return f"""http:
  serversTransports: {{pool: {{maxIdleConnsPerHost: {POOL}}}}}
  services:
    up: {{loadBalancer: {{serversTransport: pool, servers: [{{url: 'http://{setting.upstream}'}}]}}}}
  routers:
{routers}tls:
  stores: {{default: {{defaultCertificate: {{certFile: {setting.certificate}, keyFile: {setting.key}}}}}}}
"""


def caddy(setting: Setting) -> str:
    pass_on = f"""reverse_proxy {setting.upstream} {{
      transport http {{
        keepalive {IDLE_SECONDS}s
        keepalive_idle_conns_per_host {POOL}
        compression off
      }}
    }}"""
    if setting.routes is None:
        sites = f"""http://:{setting.plain} {{
    bind 127.0.0.1
    {pass_on}
}}
https://:{setting.tls} {{
    bind 127.0.0.1
    tls {setting.certificate} {setting.key}
    {pass_on}
}}
"""
    else:
        sites = "".join(
            f"http://{route_host(number)}:{setting.plain} {{\n"
            f"  bind 127.0.0.1\n  handle {route_prefix(number)}* {{\n    {pass_on}\n  }}\n}}\n"
            for number in range(setting.routes)
        )
    return f"""{{
  admin off
  auto_https off
  persist_config off
  grace_period 1s
  servers {{
    protocols h1 h2
    timeouts {{
      idle {IDLE_SECONDS}s
    }}
  }}
}}
{sites}"""


def envoy(setting: Setting) -> str:
    listeners = _envoy_listener(setting, setting.plain, "")
    if setting.routes is None:
        listeners += _envoy_listener(setting, setting.tls, _envoy_tls(setting))
    return f"""static_resources:
  listeners:{listeners}
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 5s
    circuit_breakers: {{thresholds: [{{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}}]}}
    load_assignment:
      cluster_name: up
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {_envoy_address(setting.upstream)}}}}}]}}]
overload_manager:
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: {setting.open_files}
"""


def _envoy_listener(setting: Setting, port: int, transport: str) -> str:
    return f"""
  - address: {_envoy_address(f"127.0.0.1:{port}")}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: all
          use_remote_address: true
          generate_request_id: false
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:{_envoy_hosts(setting.routes)}{transport}"""


def _envoy_hosts(routes: int | None) -> str:
    if routes is None:
        hosts = [("all", "*", "/")]
    else:
        hosts = [(f"v{number}", route_host(number), route_prefix(number)) for number in range(routes)]
    return "".join(
        f"""
            - {{name: {name}, domains: ["{host}"], routes: [{{match: {{prefix: "{prefix}"}}, route: {{cluster: up, timeout: 0s}}}}]}}"""
        for name, host, prefix in hosts
    )


def _envoy_tls(setting: Setting) -> str:
    return f"""
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_params: {{tls_maximum_protocol_version: TLSv1_3}}
            tls_certificates:
            - certificate_chain: {{filename: {setting.certificate}}}
              private_key: {{filename: {setting.key}}}"""


def _envoy_address(address: str) -> str:
    host, port = address.split(":")
    return f"{{socket_address: {{address: {host}, port_value: {port}}}}}"
