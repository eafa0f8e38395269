"""The proxies compared, each with the same job: one worker, keep-alive on both sides, no access log.

A job may ask for TLS 1.3 or HTTP/2 without TLS from clients, and for HTTP/2 to the origin. Most proxies
tell HTTP/2 from HTTP/1.1 by its first bytes; nginx of this age must be told. A proxy that cannot do a job
raises StartError, which becomes its remark.

Buffers, header rewriting and statistics stay as each one ships; what is set here is only what makes the
work the same (upstream keep-alive for nginx, reuse for HAProxy, no temporary files) or keeps the benchmark
from touching the machine (state directories, update checks).
"""

import json
import os
import re
import shlex
import string
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from install import find
from procs import ROOT, StartError

KEEP = 64  # idle upstream connections kept, above any number of clients used under load


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, and one file with both."""

    certificate: Path
    key: Path
    both: Path


@dataclass(frozen=True, slots=True)
class Job:
    """What a proxy is asked to do: listen here, forward there, hold so many clients, keep its files here."""

    port: int
    origin: int
    clients: int
    directory: Path
    clients_h2: bool = False
    origin_h2: bool = False
    grpc: bool = False
    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class Command:
    argv: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A row of the table: `program` must be found, `configure` writes its file and returns the command."""

    name: str
    program: str
    version: list[str]
    configure: Callable[[str, Job], Command]
    packaged: bool = False
    """Whether the registry has it, so that it can be installed on first use."""

    def path(self) -> str | None:
        return find(self.program)

    def version_text(self) -> str:
        """Return the version it prints, or '?'."""
        try:
            done = subprocess.run(
                [self.path() or self.program, *self.version],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
                cwd=ROOT,
            )
        except (OSError, subprocess.TimeoutExpired):
            return "?"
        words = (done.stdout + done.stderr).replace(self.path() or self.program, "")
        found = re.search(r"\d+\.\d+(\.\d+)?", words)
        return found[0] if found and not done.returncode else "?"


def write(job: Job, name: str, text: str, **more: object) -> str:
    """Fill $PORT, $ORIGIN, $CLIENTS, $DIR and `more` into a template, write it, return its path."""
    path = job.directory / name
    known = {"PORT": job.port, "ORIGIN": job.origin, "CLIENTS": job.clients, "DIR": job.directory}
    if job.pair:
        known |= {"CERT": job.pair.certificate, "KEY": job.pair.key, "BOTH": job.pair.both}
    path.write_text(string.Template(text).safe_substitute(known, **more))
    return str(path)


NGINX = """\
daemon off;
pid $DIR/nginx.pid;
error_log $DIR/error.log error;
worker_processes 1;
$USER
events { worker_connections $SLOTS; }
http {
    access_log off;
    default_type text/plain;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path $DIR/t1;
    proxy_temp_path $DIR/t2;
    fastcgi_temp_path $DIR/t3;
    uwsgi_temp_path $DIR/t4;
    scgi_temp_path $DIR/t5;
    $SERVERS
}
"""
NGINX_PROXY = """\
upstream origin { server 127.0.0.1:%d; keepalive 64; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:%d%s backlog=4096;
        %s
        location / {
            %s
        }
    }"""
NGINX_HTTP = """\
proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;"""
NGINX_TLS = "ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3;"
HAPROXY = """\
global
    nbthread 1
    no strict-limits
    maxconn $SLOTS
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout http-keep-alive 300s
    http-reuse always
frontend web
    bind 127.0.0.1:$PORT backlog 4096$LISTEN
    default_backend app
backend app
    server origin 127.0.0.1:$ORIGIN$PROTO
"""
HAPROXY_TLS = " ssl crt %s alpn h2,http/1.1 ssl-min-ver TLSv1.3"
CADDY = """\
{
    admin off
    auto_https off
    persist_config off
    default_sni localhost
    servers {
        protocols h1 h2 h2c
    }
}
$SCHEME://:$PORT {
    bind 127.0.0.1
    $TLS
    reverse_proxy $UPSTREAM://127.0.0.1:$ORIGIN {
        transport http {
            keepalive_idle_conns_per_host $KEEP
        }
    }
}
"""
CADDY_TLS = """tls %s %s {
        protocols tls1.3
    }"""
TRAEFIK = """\
global: {checkNewVersion: false, sendAnonymousUsage: false}
log: {level: ERROR}
entryPoints: {web: {address: "127.0.0.1:$PORT"$LISTEN}}
providers: {file: {filename: "$DIR/routes.yaml"}}
"""
TRAEFIK_ROUTES = """\
http:
  routers: {all: {entryPoints: [web], rule: "PathPrefix(`/`)", service: app}}
  services: {app: {loadBalancer: {servers: [{url: "$UPSTREAM://127.0.0.1:$ORIGIN"}]}}}
"""
TRAEFIK_TLS = """\
tls:
  options: {default: {minVersion: VersionTLS13}}
  stores: {default: {defaultCertificate: {certFile: $CERT, keyFile: $KEY}}}
"""
MESHCTL = """\
meshctl: 1
name: bench
listeners: {web: {bind: "127.0.0.1:$PORT"$LISTENER}}
routes: [{name: all, to: app}]
upstreams: {app: {endpoints: ["127.0.0.1:$ORIGIN"]$PROTOCOL}}
access_log: {to: false}
stats: {socket: $DIR/stats.sock}
"""
MESHCTL_TLS = ', protocol: https, tls: {min_version: "1.3", certificates: [{cert: %s, key: %s}]}'
MESHCTL_FULL = 'rate_limit: {rate: "1000000/s", burst: 1000000, key: client_ip}\n'
MESHCTL_CROWD = "process: {max_connections: $SLOTS}\n"
MESHCTL_CROWD_LISTENER = ", limits: {max_connections: %d, max_per_ip: %d}, timeouts: {keepalive: 300s}"


def nginx_command(program: str, job: Job, servers: str) -> Command:
    """Write an nginx configuration around `servers`; root's worker stays root, to read the directory.

    With less than a sixteenth of its slots free nginx closes idle clients, hence the quarter more.
    """
    user = "user root;" if os.geteuid() == 0 else ""
    slots = job.clients * 5 // 4 + 4 * KEEP
    path = write(job, "nginx.conf", NGINX, USER=user, SLOTS=slots, SERVERS=servers)
    return Command([program, "-e", str(job.directory / "error.log"), "-c", path])


def nginx(program: str, job: Job) -> Command:
    if job.origin_h2 and not job.grpc:
        raise StartError("speaks HTTP/2 to upstreams for gRPC alone")
    words = " ssl http2" if job.pair else " http2" if job.clients_h2 else ""
    tls = NGINX_TLS % (job.pair.certificate, job.pair.key) if job.pair else ""
    forward = "grpc_pass grpc://origin;" if job.grpc else NGINX_HTTP
    return nginx_command(program, job, NGINX_PROXY % (job.origin, job.port, words, tls, forward))


def haproxy(program: str, job: Job) -> Command:
    """Leave it room: with a quarter of its file descriptors in use it closes idle upstream connections."""
    words = {"LISTEN": HAPROXY_TLS % job.pair.both if job.pair else ""}
    words["PROTO"] = " proto h2" if job.origin_h2 else ""
    slots = max(job.clients + KEEP, 2000)
    return Command([program, "-db", "-f", write(job, "haproxy.cfg", HAPROXY, SLOTS=slots, **words)])


ENVOY_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
ENVOY_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def envoy(program: str, job: Job) -> Command:
    def address(port: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    kind = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
                }
            ]
        },
    }
    chain: dict[str, object] = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    endpoint = {"endpoint": {"address": address(job.origin)}}
    cluster: dict[str, object] = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if job.pair:
        files = {
            "certificate_chain": {"filename": str(job.pair.certificate)},
            "private_key": {"filename": str(job.pair.key)},
        }
        common = {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3"},
            "tls_certificates": [files],
            "alpn_protocols": ["h2", "http/1.1"],
        }
        context = {"@type": f"{ENVOY_TLS}.DownstreamTlsContext", "common_tls_context": common}
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    if job.origin_h2:
        protocol = {
            "@type": f"type.googleapis.com/{ENVOY_HTTP}",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        cluster["typed_extension_protocol_options"] = {ENVOY_HTTP: protocol}
    resources = {
        "listeners": [{"name": "web", "address": address(job.port), "filter_chains": [chain]}],
        "clusters": [cluster],
    }
    path = job.directory / "envoy.json"
    path.write_text(json.dumps({"static_resources": resources}, indent=1))
    options = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    return Command([program, "-c", str(path), *options])


def caddy(program: str, job: Job) -> Command:
    words = {"SCHEME": "https" if job.pair else "http", "UPSTREAM": "h2c" if job.origin_h2 else "http"}
    words["TLS"] = CADDY_TLS % (job.pair.certificate, job.pair.key) if job.pair else ""
    path = write(job, "Caddyfile", CADDY, KEEP=KEEP, **words)
    home = {key: str(job.directory) for key in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    return Command([program, "run", "--adapter", "caddyfile", "--config", path], {"GOMAXPROCS": "1", **home})


def traefik(program: str, job: Job) -> Command:
    routes = TRAEFIK_ROUTES + (TRAEFIK_TLS if job.pair else "")
    write(job, "routes.yaml", routes, UPSTREAM="h2c" if job.origin_h2 else "http")
    path = write(job, "traefik.yaml", TRAEFIK, LISTEN=", http: {tls: {}}" if job.pair else "")
    return Command([program, f"--configfile={path}"], {"GOMAXPROCS": "1"})


def nghttpx(program: str, job: Job) -> Command:
    """Keep to the command line, so that no file of the machine has a say."""
    front = f"-f127.0.0.1,{job.port}" + ("" if job.pair else ";no-tls")
    back = f"-b127.0.0.1,{job.origin}" + (";;proto=h2" if job.origin_h2 else "")
    options = ["--conf=/dev/null", "--single-thread", "--no-ocsp", "--tls-min-proto-version=TLSv1.3"]
    options += ["--backend-keep-alive-timeout=300s", f"--pid-file={job.directory}/nghttpx.pid"]
    files = [str(job.pair.key), str(job.pair.certificate)] if job.pair else []
    return Command([program, front, back, *options, *files])


def meshctl_command() -> str:
    """Return the command for us: the zipapp when it is built, else the package in the tree."""
    built = ROOT / "dist" / "meshctl.pyz"
    return shlex.join([sys.executable, str(built)] if built.exists() else [sys.executable, "-m", "appliance"])


def meshctl(name: str, command: str, full: bool) -> Peer:
    """Return ourselves as a peer; `full` adds the limiter, which never refuses at its rate."""
    argv = shlex.split(command)

    def configure(_program: str, job: Job) -> Command:
        crowd = job.clients > 1000
        words = {"PROTOCOL": ", protocol: http2" if job.origin_h2 else ""}
        text = MESHCTL + (MESHCTL_FULL if full else "") + (MESHCTL_CROWD if crowd else "")
        slots = job.clients + KEEP
        words["LISTENER"] = MESHCTL_CROWD_LISTENER % (slots, slots) if crowd else ""
        if job.pair:
            words["LISTENER"] += MESHCTL_TLS % (job.pair.certificate, job.pair.key)
        return Command([*argv, "run", write(job, "bench.yaml", text, SLOTS=slots, **words)])

    return Peer(name, argv[0], [*argv[1:], "version"], configure)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("nginx", "nginx", ["-v"], nginx),
        Peer("haproxy", "haproxy", ["-v"], haproxy),
        Peer("envoy", "envoy", ["--version"], envoy, packaged=True),
        Peer("nghttpx", "nghttpx", ["--version"], nghttpx),
        Peer("caddy", "caddy", ["version"], caddy, packaged=True),
        Peer("traefik", "traefik", ["version"], traefik, packaged=True),
    )
}
