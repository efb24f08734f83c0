"""Closed-loop load: wrk with 32 kept connections, each of which calls again as soon as it is answered."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.calls import Template
from tests.benchmarks.machine import find_tool
from tests.benchmarks.processes import Unfit

CONNECTIONS = 32
_MARK = "benchmark-result "


@dataclass(frozen=True)
class Aim:
    """What is called: what listens on *port* of *address*, by TLS as *server_name* if that is not empty.

    Args:
        within: a command that runs wrk where it is to run.
    """

    port: int
    server_name: str = ""
    address: str = "127.0.0.1"
    within: tuple[str, ...] = ()


@dataclass(frozen=True)
class Load:
    """What came of it. ``errors``: answers other than 2xx and 3xx, broken connections and time-outs."""

    calls: int
    seconds: float
    errors: int
    received_bytes: int


def script(template: Template, directory: Path, address: str) -> Path:
    """A Lua script that sends *template* to *address*, numbered from where the argument after ``--`` says."""
    for index, piece in enumerate(template.pieces):
        (directory / f"piece{index}").write_bytes(piece)
    reading = "\n".join(
        f'local piece{index} = io.open("{directory}/piece{index}", "rb"):read("*a")'
        for index in range(len(template.pieces))
    )
    joined = ["piece0"]
    for index, form in enumerate(template.formats, 1):
        joined += (f'string.format("{form}", number)', f"piece{index}")
    file = directory / "load.lua"
    file.write_text(f"""\
{reading}
function wrk.resolve(host, service) wrk.addrs = wrk.lookup("{address}", service) end
local number = 0
function init(arguments) number = tonumber(arguments[1]) end
function request()
  number = number + 1
  return {" .. ".join(joined)}
end
function done(summary, latency, requests)
  local wrong = summary.errors
  io.write(string.format(
    '\\n{_MARK}{{"calls": %d, "microseconds": %d, "errors": %d, "bytes": %d}}\\n',
    summary.requests, summary.duration,
    wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout, summary.bytes))
end
""")
    return file


def run(
    load_script: Path, aim: Aim, seconds: float, numbered_from: int, prepare: Callable[[], None] | None = None
) -> Load:
    """Load *aim*, for whose address the script was made, for so many *seconds*; wrk itself knows whole ones only, so it
    is interrupted. *prepare* is called by its process before it begins.

    Raises:
        Unfit: wrk does not work.
    """
    program = find_tool("wrk")
    if program is None:
        raise Unfit("wrk is not here; install it with: apt-get install wrk")
    command = [
        *aim.within,
        program,
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{int(seconds) + 60}s",
        "--timeout",
        "30s",
        "-s",
        str(load_script),
    ]
    origin = f"https://{aim.server_name}" if aim.server_name else f"http://{aim.address}"
    process = subprocess.Popen(
        [*command, f"{origin}:{aim.port}/", "--", str(numbered_from)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=prepare,
    )
    try:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return parsed(output)


def parsed(output: str) -> Load:
    """
    Raises:
        Unfit: wrk failed; with what it said.
    """
    lines: Sequence[str] = [line for line in output.splitlines() if line.startswith(_MARK)]
    if not lines:
        raise Unfit(f"wrk failed:\n{output[-2000:]}")
    told = json.loads(lines[-1].removeprefix(_MARK))
    return Load(told["calls"], told["microseconds"] / 1e6, told["errors"], told["bytes"])
