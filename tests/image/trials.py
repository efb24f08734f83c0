"""The image at work: the proxy, the rules and the commands, each as in a pod."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sidecar.inject.names import BUNDLE, CERTIFICATE, PROBES_PORT, PROXY, PROXY_PORT
from tests.image.container import NET_ADMIN, Container, Process
from tests.image.dockerfile import Stage
from tests.image.pods import OPENSHIFT_UID, container, injected, plain

STARTS: Final = 5
_CLONE_NEWNET: Final = 0x40000000
_PATIENCE_SECONDS: Final = 20.0
#: Opens every extension there is, and imports every module of the standard library's that has one, and the exporters.
_LOADS: Final = """
import ctypes, glob, importlib, os, ssl, sys
for file in glob.glob("/usr/local/lib/python3.13/dist-packages/**/*.so", recursive=True):
    ctypes.CDLL(file)
for file in glob.glob("/usr/lib/python3.13/lib-dynload/*.so"):
    importlib.import_module(os.path.basename(file).partition(".")[0])
import sqlite3, sidecar.testing, redis.asyncio
import opentelemetry.exporter.otlp.proto.grpc.trace_exporter
import opentelemetry.exporter.otlp.proto.http.trace_exporter
assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 100, "public CAs are missing"
"""
#: Tries to write everywhere, and prints where that worked.
_WRITES: Final = """
import os
for directory, _, _ in os.walk("/"):
    if not directory.startswith("/proc"):
        try:
            os.close(os.open(directory + "/.x", os.O_CREAT | os.O_WRONLY))
        except OSError:
            continue
        print(directory)
"""


class Served(Struct, frozen=True):
    """How long the starts took from exec until ready, what they took of a processor, and what one process takes."""

    ready_seconds: list[float]
    processor_seconds: list[float]
    resident_bytes: int


def alone() -> None:
    """Leave the machine's network: whatever listens or is redirected from now on does so where nobody else is."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace")
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)


def proxy(root: Path, image: Stage, work: Path) -> Served:
    """The proxy starts, serves a call, publishes its CA, writes nowhere else, and ends when it is told to."""
    with _provider() as (port, asked):
        file = work / "sidecar.yaml"
        file.write_text(configuration := _CONFIGURATION.format(port=port))
        times, processor, resident = [], [], 0
        for number in range(STARTS):
            uid = OPENSHIFT_UID if number == STARTS - 1 else 64443
            spec = injected(configuration, uid=uid)[PROXY]
            with container(root, image, spec, file).running() as process:
                times.append(_ready(process))
                processor.append(_processor_seconds(process))
                status = _status(process)
                assert status["Uid"].split() == [str(uid)] * 4, status["Uid"]
                assert (int(status["CapPrm"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
                _serves(process)
                resident = int(_status(process)["VmRSS"].split()[0]) * 1024
                process.signal(signal.SIGTERM)
                code = process.process.wait(_PATIENCE_SECONDS)
                assert code == 0, f"asked to end, the proxy ended with {code}"
        assert asked.count("/v1/traces") >= STARTS, "each start's call was traced"
        return Served(times, processor, resident)


def rules(root: Path, image: Stage, work: Path) -> list[str]:
    """The rules are set by a user without privileges but for one capability; the tables that are there then."""
    specs = [each for name, each in injected("", uid=64443).items() if name != PROXY]
    for spec in specs:
        ran = container(root, image, spec, work / "none").ended()
        assert ran.returncode == 0, f"{spec['name']}: {ran.stderr}"
    # asked by the image's own, for nft of Debian 12 crashes over what this one sets
    shown = _good(replace(plain(root, image, "nft", "list", "ruleset"), capabilities=[NET_ADMIN]))
    tables = sorted(line.split()[2] for line in shown.splitlines() if line.startswith("table "))
    assert tables == ["agent_sidecar", "agent_sidecar_lock"], shown
    assert "redirect to :15001" in shown, shown
    _good(replace(plain(root, image, "nft", "flush", "ruleset"), capabilities=[NET_ADMIN]))
    return tables


def commands(root: Path, image: Stage) -> None:
    """The other commands answer; everything that is in the image can be loaded; nothing can be written."""
    for words in (("webhook", "--help"), ("check",), ("version",), ("schema",), ("--help",)):
        _good(plain(root, image, *image.words("ENTRYPOINT"), *words))
    _good(plain(root, image, "python3.13", "-c", _LOADS))
    assert (written := _good(plain(root, image, "python3.13", "-c", _WRITES))) == "", f"can be written to:\n{written}"


_CONFIGURATION: Final = """\
providers:
  near:
    dialect: openai
    url: http://127.0.0.1:{port}
plugins:
  - use: tracing
    config:
      endpoint: http://127.0.0.1:{port}/v1/traces
  - use: cache
"""


def _good(container: Container) -> str:
    ran = container.ended()
    assert ran.returncode == 0, f"{' '.join(container.command)[:80]}: {ran.stdout[-500:]}{ran.stderr[-2000:]}"
    return ran.stdout


def _ready(process: Process) -> float:
    """Seconds from exec until it says that it is ready."""
    began = process.began()
    while process.process.poll() is None and time.monotonic() - began < _PATIENCE_SECONDS:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{PROBES_PORT}/readyz", timeout=1).close()
            return time.monotonic() - began
        time.sleep(0.002)
    process.process.kill()
    raise AssertionError(f"the proxy is not ready: {process.process.communicate()[1].decode()[-3000:]}")


def _serves(process: Process) -> None:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{PROXY_PORT}/near/v1/chat/completions",
        json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert json.load(answer)["choices"][0]["message"]["content"] == "from the provider"
        assert answer.headers["x-sidecar-provider"] == "near", dict(answer.headers)
    inside = Path(f"/proc/{process.inner}/root")
    bundle = (inside / BUNDLE.lstrip("/")).read_text()
    assert (inside / CERTIFICATE.lstrip("/")).read_text().strip() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 100, "the bundle has the public CAs, too"
    with urllib.request.urlopen(f"http://127.0.0.1:{PROBES_PORT}/metrics", timeout=5) as metrics:
        assert metrics.status == 200


def _status(process: Process) -> dict[str, str]:
    lines = Path(f"/proc/{process.inner}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _processor_seconds(process: Process) -> float:
    fields = Path(f"/proc/{process.inner}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Provider(BaseHTTPRequestHandler):
    """Answers every chat completion with the same words, and takes traces."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "from the provider"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def _provider() -> Iterator[tuple[int, list[str]]]:
    """Its port, and the paths that it is asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        asked: list[str] = []
        server.asked = asked  # type: ignore[attr-defined]
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()


def forbidden(directory: Path) -> str:
    """What of the kernel's is closed to us, as in containers without privileges; "" for nothing."""
    tried = subprocess.run(
        ("unshare", "--net", "--mount", "--pid", "--fork", "nft", "add", "table", "inet", "probe"),
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        return f"this machine allows no namespaces with rules: {tried.stderr.strip()[:200]}"
    node = directory / "null"
    try:
        os.mknod(node, 0o20666, os.makedev(1, 3))
        node.write_bytes(b"")
    except OSError as error:
        return f"this machine allows no devices in {directory}: {error.strerror}"
    node.unlink()
    return ""
