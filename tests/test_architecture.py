"""The laws of the house: who may know whom, what is never loaded, how large a module may be."""

import ast
import asyncio
import importlib
import re
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import sidecar
from tests.sidecar.cli.processes import FREE_PORTS, environment

ROOT = Path(__file__).parents[1]

# -- who may know whom ----------------------------------------------------------------------------------------------

#: What the package is made of, and which parts each may import besides itself.
PARTS: Final = {
    "nouns": "addresses body codings credentials dialect errors exchange failure headers hosts multipart notes payload "
    "provider sse traceparent units websocket",
    "certificates": "certificates",
    "dialects": "dialects",
    "translation": "interruption phrasing repeatable translation",
    "layers": "dispatch guard hookspecs host stack watchdog",
    "settings": "catalogue configuration settings",
    "telling": "journal logs metrics",
    "upstream": "upstream",
    "doors": "intercept routing",
    "injector": "inject",
    "process": "admin application enabled listening reloading service trust",
    "webhook": "webhook",
    "testing": "testing",
    "cli": "__main__ cli",
    "lab": "lab",
}
MAY_IMPORT: Final = {
    "nouns": "",
    "certificates": "",
    "dialects": "nouns",
    "translation": "nouns dialects",
    "layers": "nouns",
    "settings": "nouns dialects",
    "telling": "nouns layers",
    "upstream": "nouns layers",
    "doors": "nouns certificates layers upstream",
    "process": "nouns dialects layers settings telling upstream doors",
    "injector": "nouns dialects layers settings process",
    "webhook": "nouns certificates process injector",
    "testing": "nouns dialects layers settings telling doors",
    "cli": "nouns dialects layers settings telling upstream doors process injector webhook",
    # emulated providers know nothing of the sidecar; the demonstration shows calls as `sidecar tail` does
    "lab": "nouns certificates telling cli",
}
#: Libraries, and the only modules that may import them. What is not here may be imported anywhere.
ONLY_IN: Final = {
    "aiocache": "sidecar_cache.backends sidecar_cache.redis",
    "aiodns": "sidecar.upstream.dns",
    "aiohttp": "sidecar.admin sidecar.application sidecar.intercept.reference sidecar.upstream.reference "
    "sidecar.webhook sidecar.lab",
    "click": "sidecar.cli sidecar.lab sidecar_cache.commands",
    "cryptography": "sidecar.certificates sidecar.intercept.authority sidecar.webhook.certificate "
    "sidecar.webhook.presented sidecar.cli.doctor sidecar.lab sidecar_cache.codec",
    "grpc": "sidecar_tracing.exporter sidecar.lab",
    "httptools": "sidecar.intercept sidecar.upstream",
    "opentelemetry": "sidecar_tracing sidecar.lab",
    "pycares": "sidecar.upstream.dns",
    "pluggy": "sidecar.hookspecs sidecar.host",
    "redis": "sidecar_cache.backends sidecar_cache.redis sidecar_ordering.keeping",
    "sqlite3": "sidecar_cache.disk sidecar_cache.rows",
    "uvloop": "sidecar.cli.run sidecar.cli.webhook sidecar.lab",
    "yaml": "sidecar.configuration sidecar.cli sidecar.inject.documents",
}
#: What does I/O, and has no place among nouns and dialects.
INPUT_AND_OUTPUT: Final = {
    "aiohttp",
    "httptools",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "select",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "urllib.request",
}
#: What plugins of ours take from where plugins of others cannot rely on finding it.
BORROWED: Final = {
    **{
        f"sidecar.cli.{name}": "the cache's own commands ask, speak and end as the others do"
        for name in (
            *("asking.Asking", "asking.Refused", "exits.EPILOG", "exits.Exit", "exits.Stop", "legible.clean"),
            *("legible.columns", "legible.json_text", "options.admin_option", "options.output_option"),
            *("quantities.seconds", "quantities.size"),
        )
    },
    **{
        f"sidecar.{name}": "ordering alone asks others for what one could not do; no second plugin has asked for it yet"
        for name in (
            *("dialect.Limit", "dialect.Resource", "failure.Failure", "failure.Kind", "failure.failure_of"),
            *("interruption.interruption", "phrasing.final_failure", "phrasing.phrase_failure"),
            *("repeatable.repeatable", "translation.Inexpressible", "translation.Target", "translation.Translated"),
            *("translation.Untranslatable", "translation.chat.resumed", "translation.translate"),
        )
    },
    "sidecar.credentials.HEADERS": "the cache keeps agents apart by what they identify themselves with",
    "sidecar.credentials.QUERY": "the cache keeps agents apart by what they identify themselves with",
    "sidecar.codings.unpacked": "the cache looks into answers that come coded",
    "sidecar.multipart.Part": "the cache compares forms field by field",
    "sidecar.multipart.parse": "the cache compares forms field by field; no second plugin has asked for it yet",
    "sidecar.sse.blocks": "the cache takes kept streams apart",
    "sidecar.sse.event_of": "the cache takes kept streams apart",
    "sidecar.traceparent.TraceParent": "tracing alone propagates traces",
    "sidecar.traceparent.read_traceparent": "tracing alone propagates traces",
    "sidecar.websocket.TRAFFIC": "tracing alone tells of frames",
}


class Module(NamedTuple):
    name: str
    path: Path
    lines: int
    tree: ast.Module

    @property
    def imports(self) -> Iterator[tuple[str, str | None, bool]]:
        """Module, name taken from it (None for all of it), and whether it is imported with this module."""
        for node in ast.walk(self.tree):
            at_once = node in self.tree.body
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((node.module, alias.name, at_once) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((alias.name, None, at_once) for alias in node.names)


@cache
def modules() -> tuple[Module, ...]:
    """Everything that is shipped."""
    found = []
    for root, base in ((ROOT / "sidecar", ROOT), (ROOT / "plugins", ROOT / "plugins")):
        for path in sorted(root.rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            name = ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
            found.append(Module(name, path.relative_to(ROOT), len(text.splitlines()), ast.parse(text)))
    return tuple(found)


def is_in(module: str, places: str) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places.split())


def part_of(module: str) -> str | None:
    """None for what is no module of the package."""
    if not module.startswith("sidecar."):
        return None
    unit = module.split(".")[1]
    return next((part for part, units in PARTS.items() if unit in units.split()), None)


def test_every_module_has_a_place_in_the_plan() -> None:
    own = [module.name for module in modules() if is_in(module.name, "sidecar") and module.name != "sidecar"]
    assert [name for name in own if part_of(name) is None] == [], "give it a place in PARTS"
    units = {name.split(".")[1] for name in own}
    assert set(" ".join(PARTS.values()).split()) - units == set(), "no longer there: take it out of PARTS"


def test_parts_know_only_those_that_the_plan_lets_them_know() -> None:
    wrong = []
    for module in modules():
        part = part_of(module.name)
        for imported, _, _ in module.imports:
            other = part_of(imported)
            if part and other and other != part and other not in MAY_IMPORT[part].split():
                wrong.append(f"{module.name} ({part}) imports {imported} ({other})")
    assert wrong == []


def test_the_plan_has_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(PARTS):
        free = {part for part in PARTS if part not in done and set(MAY_IMPORT[part].split()) <= done}
        assert free, f"in a circle: {PARTS.keys() - done}"
        done |= free


def test_nothing_that_serves_knows_the_plugins_that_ship_with_it() -> None:
    plugins = {module.name.split(".")[0] for module in modules() if module.name.startswith("sidecar_")}
    for module in modules():
        if not module.name.startswith("sidecar_"):
            assert not {imported for imported, _, _ in module.imports if imported.split(".")[0] in plugins}, module.name


def test_plugins_know_nothing_of_each_other() -> None:
    for module in modules():
        own = module.name.split(".")[0]
        others = {each.split(".")[0] for each, _, _ in module.imports if each.startswith("sidecar_")} - {own}
        assert not own.startswith("sidecar_") or not others, module.name


def test_nouns_and_dialects_do_no_io() -> None:
    for module in modules():
        if part_of(module.name) in ("nouns", "dialects"):
            taken = {each for each, name, _ in module.imports if (each, name) != ("pathlib", "PurePosixPath")}
            assert not taken & INPUT_AND_OUTPUT, module.name


def test_libraries_are_imported_where_they_belong() -> None:
    wrong = [
        f"{module.name} imports {imported}"
        for module in modules()
        for imported, _, _ in module.imports
        if (places := ONLY_IN.get(imported.split(".")[0])) is not None and not is_in(module.name, places)
    ]
    assert wrong == []


def test_plugins_use_only_what_other_peoples_plugins_may_use() -> None:
    borrowed = set()
    for module in modules():
        if not module.name.startswith("sidecar_"):
            continue
        for imported, name, _ in module.imports:
            if imported.split(".")[0] != "sidecar":
                continue
            assert name is not None, f"{module.name}: import {imported}; name what is needed of it"
            thing = getattr(importlib.import_module(imported), name)
            if name not in sidecar.__all__ or getattr(sidecar, name) is not thing:
                borrowed.add(f"{imported}.{name}")
    assert borrowed - BORROWED.keys() == set(), "export it from sidecar, or do without it"
    assert BORROWED.keys() - borrowed == set(), "no longer borrowed: take it out of BORROWED"


# -- what is never loaded --------------------------------------------------------------------------------------------

#: What no sidecar that serves by the default configuration has in memory.
NEVER_SERVING: Final = (
    "grpc opentelemetry.exporter.otlp.proto.grpc sidecar.inject sidecar.lab sidecar.testing tests pytest pip "
    "setuptools numpy av soundfile faster_whisper ctranslate2 onnxruntime piper openai anthropic deepgram elevenlabs "
    "google.cloud google.genai groq mistralai cartesia assemblyai langchain_openai websockets redis "
    "sidecar_cache.commands sidecar_cache.report"
)
#: What of the command line the server has in memory.
OF_THE_COMMAND: Final = {"", ".exits", ".options", ".program", ".run"}

_WATCHED = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), sep="\\n"))
from sidecar.cli import main
main()
"""


async def loaded(directory: Path, plugins: str) -> set[str]:
    """The modules of a process that has run ``sidecar run``, served a call and ended."""
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))  # and does not listen
    lab = f"providers.lab={{url: 'http://127.0.0.1:{nobody.getsockname()[1]}', dialect: openai}}"
    fixed = (*FREE_PORTS, f"tls.directory={directory}", f"plugins={plugins}", lab)
    options = [option for override in fixed for option in ("--set", override)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _WATCHED, "run", *options),
        env=environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            said = b""
            while (proxy := re.search(rb'"ready: proxy 127\.0\.0\.1:(\d+)', said)) is None:
                line = await process.stderr.readline()
                said += line
                assert line, said.decode()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy[1]))
            body = b'{"model": "m", "messages": []}'
            writer.write(b"POST /lab/v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            assert await reader.readline() == b"HTTP/1.1 502 Bad Gateway\r\n"
            writer.close()
            process.send_signal(signal.SIGTERM)
            out, err = await process.communicate()
            assert process.returncode == 0, err
    finally:
        nobody.close()
        if process.returncode is None:
            process.kill()
            await process.wait()
    return set(out.decode().split())


async def test_a_server_loads_neither_lab_nor_sdks_nor_grpc_nor_other_commands(tmp_path: Path) -> None:
    found = await loaded(tmp_path, "[{use: tracing}, {use: cache}]")
    assert {"sidecar_tracing", "sidecar_cache", "sidecar.intercept.lean"} <= found
    assert sorted(module for module in found if is_in(module, NEVER_SERVING)) == []
    commands = {module.removeprefix("sidecar.cli") for module in found if is_in(module, "sidecar.cli")}
    assert commands == OF_THE_COMMAND


async def test_only_plugins_that_are_named_are_loaded(tmp_path: Path) -> None:
    found = await loaded(tmp_path, "[{use: cache}]")
    assert "sidecar_cache" in found
    assert not {module for module in found if is_in(module, "sidecar_tracing opentelemetry requests")}
    assert not {module for module in found if module.startswith("sidecar_") and not is_in(module, "sidecar_cache")}


# -- how it is written -----------------------------------------------------------------------------------------------

MOST_LINES: Final = 350
#: Modules that are longer, each with what is to become of it.
NAMES_OF_NOTHING: Final = {"utils", "util", "helpers", "helper", "common", "base", "manager", "core", "misc", "tools"}
#: Where the time of day is due, since it is told to somebody or compared with a date.
TIME_OF_DAY: Final = {
    "sidecar.intercept.authority": "certificates are valid from and until dates",
    "sidecar.webhook.keeping": "certificates are valid from and until dates",
    "sidecar.cli.doctor.command": "holds certificates against today",
    "sidecar.lab.certificates": "certificates are valid from and until dates",
}


def test_no_module_is_too_long() -> None:
    long = [module.name for module in modules() if module.lines > MOST_LINES]
    assert long == [], f"more than {MOST_LINES} lines: one idea each"


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.path for module in modules() if not ast.get_docstring(module.tree)]
    assert [path for path in silent if path.stat().st_size] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    tests = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")]
    paths = [module.path for module in modules()]
    assert [path for path in (*paths, *tests) if NAMES_OF_NOTHING & {*path.parts, path.stem}] == []


def calls_of(module: Module) -> set[str]:
    """What a module calls, as it is written: ``time.time``, ``dt.datetime.now``."""
    return {ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}


def test_nothing_is_printed_but_by_the_command_and_the_lab() -> None:
    printing = [module.name for module in modules() if "print" in calls_of(module)]
    assert [name for name in printing if not is_in(name, "sidecar.cli sidecar.lab")] == []


def test_times_are_measured_by_a_clock_that_nobody_sets() -> None:
    users = defaultdict(set)
    for module in modules():
        for called in calls_of(module):
            if re.search(r"(^|\.)(time\.time|datetime\.(now|utcnow|today)|date\.today)$", called):
                users[called].add(module.name)
    found = set().union(*users.values())
    assert found - TIME_OF_DAY.keys() == set(), "time.monotonic, or time.time_ns where a moment is told"
    assert TIME_OF_DAY.keys() - found == set(), "no longer asked there: take it out of TIME_OF_DAY"


def test_what_a_plugin_may_import_is_there_and_has_one_home() -> None:
    for name in sidecar.__all__:
        getattr(sidecar, name)
    with pytest.raises(AttributeError, match="nonsense"):
        sidecar.nonsense  # type: ignore[attr-defined]
