"""Configurations of nginx: the provider of small answers, and the contestant."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.calls import ANSWER, ANSWER_FIELDS
from tests.benchmarks.machine import find_tool

_FOREVER = "keepalive_timeout 3600s; keepalive_requests 1000000000;"


def command(directory: Path, configuration: str) -> list[str]:
    """Write *configuration* into *directory*, and how nginx is started by it."""
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    file = directory / "nginx.conf"
    file.write_text(configuration)
    # `-e` because without it nginx opens its own log before it has read any configuration
    return [find_tool("nginx") or "nginx", "-p", str(directory), "-c", str(file), "-e", "stderr"]


def provider(port: int, tls_port: int, chain: str, address: str = "127.0.0.1") -> str:
    """Answers every POST with the small chat answer."""
    fields = "\n".join(f'    add_header {name} "{value}";' for name, value in ANSWER_FIELDS)
    answer = ANSWER.decode().replace("'", "\\'")
    return _whole(f"""
  server {{
    listen {address}:{port} backlog=1024;
    listen {address}:{tls_port} ssl backlog=1024;
    ssl_certificate {chain};
    ssl_certificate_key {chain};
    {_FOREVER}
    default_type application/json;
{fields}
    location / {{ return 200 '{answer}'; }}
    location = /stats {{ stub_status; }}
  }}""")


def proxy(port: int, origins: Mapping[str, str], tls_port: int = 0, chain: str = "") -> str:
    """Passes ``/NAME/…`` on to the origin of that name, streaming both ways; by TLS on *tls_port* too, if given."""
    upstreams, locations = [], []
    for name, origin in origins.items():
        scheme, _, authority = origin.partition("://")
        upstreams.append(
            f"  upstream {name} {{ server {authority}; keepalive 256; keepalive_requests 1000000000; "
            "keepalive_timeout 3600s; }"
        )
        locations.append(f"    location /{name}/ {{ proxy_pass {scheme}://{name}/; }}")
    tls = f"listen 127.0.0.1:{tls_port} ssl backlog=1024; ssl_certificate {chain}; ssl_certificate_key {chain};"
    return _whole("\n".join((*upstreams, _proxy_server(port, tls if tls_port else "", locations))))


def _proxy_server(port: int, tls: str, locations: Sequence[str]) -> str:
    return f"""
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    {tls}
    {_FOREVER}
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    proxy_request_buffering off;
{os.linesep.join(locations)}
  }}"""


def _whole(http: str) -> str:
    user = "user root;" if os.geteuid() == 0 else ""  # the default one may not write to our directory
    return f"""
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
{http}
}}
"""
