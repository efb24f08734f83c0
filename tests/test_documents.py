"""What the documents show is what comes.

The samples of ``docs/plugins.md`` are worked through in order, in a directory of their own: a block under a line that
is nothing but a bold file name becomes that file, commands are given to a shell, and what they print is compared. In
what is shown, ``…`` stands for anything, a line of it for any lines; times, durations, ids and digests may differ.

Two remarks in a document, in HTML comments before a block: ``not run: WHY``, and ``refused`` for a configuration that
shows a mistake.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import click
import pytest
from click.testing import CliRunner

import sidecar
from sidecar import testing
from sidecar.cli.exits import MEANINGS
from sidecar.cli.line import HEADING
from sidecar.cli.program import program
from sidecar.configuration import load
from sidecar.hookspecs import HOOKS
from sidecar.intercept.incoming import SMALL_BYTES
from tests.running import Running, running

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))
CLI, PLUGINS = ROOT / "docs" / "cli.md", ROOT / "docs" / "plugins.md"
LANGUAGES: Final = {"console", "json", "python", "sh", "text", "toml", "yaml"}
#: How commands begin that no test gives to a shell, and why.
NOT_RUN: Final = {
    "apt-get": "it changes the machine; CI does it",
    "bash": "it is CI itself",
    "make": "tests/scenarios/test_demo.py runs the demonstration, CI the others; that there is such a target is tested",
    "eval": "it is for an interactive shell",
    "kubectl": "there is no cluster; tests/deploy renders what is applied",
    "_SIDECAR_COMPLETE=fish_source": "it is for an interactive shell",
    "OPENAI_BASE_URL=http://127.0.0.1:15080/openai/v1": "agent.py is the reader's",
}
_PATIENCE_SECONDS = 10.0


class Block(NamedTuple):
    document: Path
    line: int
    language: str
    text: str
    file: str
    """The file that it is; "" for none."""
    remark: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        """Each command with what it prints."""
        if self.language == "sh":
            yield from ((line, "") for line in re.sub(r"\\\n", "", self.text).splitlines() if line.strip())
        for found in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE):
            yield found[1], found[2]


def blocks(document: Path) -> Iterator[Block]:
    text = document.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        before = text[: found.start()]
        lines = [line for line in before.splitlines()[-5:] if line.strip()]
        remark = re.fullmatch(r"<!-- (.*) -->", lines[-1]) if lines else None
        named = re.fullmatch(r"\*\*`(.+)`\*\*", lines[-2 if remark and len(lines) > 1 else -1]) if lines else None
        line = before.count("\n") + 2
        yield Block(document, line, found[1], found[2], named[1] if named else "", remark[1] if remark else "")


def prose(document: Path) -> str:
    """What stands between the blocks."""
    return re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


ALL = [block for document in DOCUMENTS for block in blocks(document)]


def of(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


# -- every document --------------------------------------------------------------------------------------------------


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {str(block): block.language for block in ALL if block.language not in LANGUAGES} == {}
    assert {block.remark.partition(":")[0] for block in ALL} <= {"", "not run", "refused"}
    assert [str(block) for block in ALL if block.remark.startswith("not run") and not block.remark[9:].strip()] == []


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path) if path else document
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_configurations_are_taken(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(block.text, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", block.text), "k")
    if block.remark == "refused":
        return  # with plugins it is: what is said of it is compared where it is shown
    assert load(file, environ).warnings == ()


@pytest.mark.parametrize("block", of("json", "toml", "python"), ids=str)
def test_files_can_be_read(block: Block) -> None:
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    else:
        compile(block.text, str(block), "exec")
        assert block.file or block.remark, "a sample is a file that a test runs"


def command_lines() -> list[tuple[str, str]]:
    """Where, and what: in blocks, and in the text between them."""
    found = [(str(block), command) for block in of("sh", "console") for command, _ in block.commands]
    for document in DOCUMENTS:
        found += [
            (document.name, each.replace("\n", " ")) for each in re.findall(r"`(sidecar [^`]+)`", prose(document))
        ]
    return found


def test_every_command_in_a_block_is_run_or_known_not_to_be() -> None:
    for block in of("sh", "console"):
        for command, _ in block.commands:
            first = shlex.split(command, comments=True)[0]
            ours = first.removeprefix(".venv/bin/") == "sidecar"
            assert ours or block.document.name == "plugins.md" or first in NOT_RUN, f"{block}: {command}"


def test_every_command_line_of_ours_is_one_that_there_is() -> None:
    for where, command in command_lines():
        words = shlex.split(re.split(r" [|>] ", command)[0], comments=True)
        if words[0].removeprefix(".venv/bin/") == "sidecar" and "COMMAND" not in words:
            try:
                understood(program, words[1:])
            except click.MissingParameter:
                pass  # the command is spoken of
            except click.ClickException as error:
                pytest.fail(f"{where}: {command}: {error.format_message()}")


def understood(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """
    Raises:
        click.ClickException: it is not.
    """
    try:
        context = command.make_context(command.name or "sidecar", list(words), parent)
    except click.exceptions.Exit:
        return  # it was asked for help, or its version
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        _, child, below = command.resolve_command(context, rest)
        assert child is not None
        understood(child, below, context)


def test_every_make_target_is_one_that_there_is() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for where, command in command_lines():
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            assert words[1] in targets, f"{where}: {command}"


def test_exit_codes_in_the_text_are_those_that_there_are() -> None:
    text = CLI.read_text(encoding="utf-8")
    named = {int(code) for code in re.findall(r"\b(?:ends|with|Ends with|exit code is) (\d)\b", text)}
    assert named
    assert named <= {int(code) for code in MEANINGS}
    for code, meaning in MEANINGS.items():
        assert f"| {code:d} | {meaning} |" in text


def test_the_readme_lists_every_document() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"](docs/{path.name})" not in text] == []


# -- docs/cli.md: what commands print without a running sidecar ------------------------------------------------------


@pytest.mark.parametrize("example", ["version", "plugins info cache"])
def test_the_command_prints_what_the_document_shows(example: str, tmp_path: Path) -> None:
    shown = {
        command: text for block in of("console") if block.document.name == "cli.md" for command, text in block.commands
    }
    walk = Walk(tmp_path)
    expected = shown[f"sidecar {example}"]
    told = re.sub(r"\d+\.\d+\.\d+", "0.0.0", walk.shell(f"sidecar {example}")[1])
    assert_shown(re.sub(r"\d+\.\d+\.\d+", "0.0.0", re.sub(r"\(/.*\)", "(…)", expected)), told, example)


def shown_by(command: str) -> list[str]:
    """All that docs/cli.md shows of *command*."""
    found = [each for block in of("console") if block.document == CLI for each in block.commands]
    return [text for each, text in found if each == command]


async def asked(sidecar: Running, *arguments: str) -> str:
    """What a command says that asks a running sidecar."""
    done = await asyncio.to_thread(
        CliRunner().invoke, program, [*arguments, "--admin", sidecar.admin], env={"COLUMNS": "100"}
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def anywhere(text: str) -> str:
    """*text* whatever the addresses, directories, durations and the width of the terminal."""
    text = re.sub(r"(http://)?(127\.0\.0\.1|0\.0\.0\.0):\d+", "HERE", text)
    text = re.sub(r"(/[\w.~-]+)+/bundle.crt", "BUNDLE", text)
    text = re.sub(r"\n {4}(?=\S)", " ", text)  # where lines are broken
    return re.sub(r"[█▌▐]+ *", "", re.sub(r"(?<=up )[\d.]+\w+", "LASTED", text))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the examples, in the directory we are in."""
    (block,) = (block for block in of("yaml") if block.document == CLI and "credential:" in block.text)
    monkeypatch.chdir(tmp_path)
    file = Path("sidecar.yaml")
    file.write_text(block.text)
    return file


async def test_status_is_as_shown(example: Path) -> None:
    async with running(file=example, environ={"OPENAI_API_KEY": "k"}) as sidecar:
        told = await asked(sidecar, "status")
    (shown,) = shown_by("sidecar status")
    assert_shown(anywhere(shown), anywhere(told), "cli.md")


async def test_a_call_that_failed_is_explained_as_shown() -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello there"}]}
    async with (
        running("providers.groq.url=http://127.0.0.1:1", plugins="[{use: cache}]") as sidecar,
        aiohttp.ClientSession() as agent,
    ):
        async with agent.post(f"{sidecar.proxy}/groq/openai/v1/chat/completions", json=body) as answer:
            assert answer.status == 502
        told = await asked(sidecar, "explain", "last")
    (shown,) = shown_by("sidecar explain last")
    assert_shown(anywhere(shown), anywhere(told), "cli.md")


def test_calls_are_shown_under_the_heading_that_there_is() -> None:
    (shown,) = shown_by("sidecar tail --no-follow")
    assert shown.startswith(f"{HEADING}\n")


# -- docs/plugins.md -------------------------------------------------------------------------------------------------


class Walk:
    """The reader's terminals, in *directory*."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "manners"
        self.directory.mkdir()
        self.site = directory / "site"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIDECAR", "OTEL", "PYTEST"))}
        self.env = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.directory}:{self.site}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # but for the one that the document names
            "PYTEST_PLUGINS": "pytest_asyncio.plugin",
        }
        self.instead: dict[str, str] = {}
        """What is written in the document, and what stands for it here."""
        self.running: dict[str, subprocess.Popen[str]] = {}

    def here(self, text: str) -> str:
        for shown, real in self.instead.items():
            text = text.replace(shown, real)
        return text

    def there(self, text: str) -> str:
        for shown, real in self.instead.items():
            text = text.replace(real, shown)
        return text.replace(f"{self.directory}/", "")

    def step(self, block: Block) -> None:
        if block.remark.startswith("not run"):
            return
        if block.file:
            (self.directory / block.file).write_text(self.here(block.text), encoding="utf-8")
            if block.file == "pyproject.toml":
                self.install(tomllib.loads(block.text)["project"])
            return
        for command, shown in block.commands:
            if command.startswith(("sidecar run", "python -m sidecar.lab")):
                self.start(command)
            elif block.language == "sh":
                code, told = self.shell(command)
                assert code == 0, f"{block}: {command}: {told}"
            else:
                self.shows(command, shown, str(block))

    def shows(self, command: str, shown: str, where: str) -> None:
        """What is shown comes, if not at once then soon: a call may still be being told of."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                assert_shown(shown, self.shell(command)[1], where)
                return
            except AssertionError:
                if time.monotonic() > until or not command.startswith(("sidecar tail", "cat")):
                    raise

    def shell(self, command: str) -> tuple[int, str]:
        """The exit code, and all that is printed."""
        done = subprocess.run(
            ["bash", "-c", self.here(command)],
            cwd=self.directory,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        return done.returncode, self.there(done.stdout)

    def install(self, project: Mapping[str, object]) -> None:
        """Put in place what ``pip install --editable .`` would: where the code is, and what it offers."""
        shutil.rmtree(self.site, ignore_errors=True)
        name, points = str(project["name"]), project["entry-points"]["sidecar"]  # type: ignore[index]
        information = self.site / f"{name.replace('-', '_')}-{project['version']}.dist-info"
        information.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n"
        (information / "METADATA").write_text(metadata)
        lines = "".join(f"{point} = {value}\n" for point, value in points.items())
        (information / "entry_points.txt").write_text(f"[sidecar]\n{lines}")

    def start(self, command: str) -> None:
        """Run what does not end by itself, on free ports; what was started so before ends."""
        name = command.split()[2 if command.startswith("python") else 0]
        self.end(name)
        ports = {f"SIDECAR__{each}__ADDRESS": "127.0.0.1:0" for each in ("LISTEN", "ADMIN", "PROBES")}
        env = {**self.env, **ports, "SIDECAR__TLS__DIRECTORY": str(self.site.parent / "tls")}
        process = self.running[name] = subprocess.Popen(
            shlex.split(command.replace("8100", "0")),
            cwd=self.directory,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"^openai +http://(\S+)", line):
                self.instead["127.0.0.1:8100"] = found[1]
                return
            if '"ready: ' in line:
                addresses = json.loads(line)["addresses"]
                self.instead["127.0.0.1:15080"] = addresses["proxy"]
                self.env["SIDECAR_ADMIN"] = f"http://{addresses['admin']}"
                return
        pytest.fail(f"{command} has ended: {said}")

    def end(self, name: str) -> None:
        process = self.running.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            out, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert process.returncode == 0, out

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *exc: object) -> None:
        for name in list(self.running):
            self.end(name)


_VARYING: Final = (
    (r"\b\d{4}-\d\d-\d\d\b", "DAY"),
    (r"\b\d\d:\d\d:\d\d\.\d+(?:\+\d{4})?\b", "TIME"),
    (r"\b(?:[0-9a-f]{32}|[0-9a-f]{12}|(?=[0-9a-f]*\d)[0-9a-f]{8})\b", "ID"),
    (r"\b\d+(?:\.\d+)?(?:us|µs|ms|s)\b", "LASTED"),
    (r"[ \t]+", " "),
)


def constant(text: str) -> list[str]:
    """*text* by lines, without what is another at each time."""
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.splitlines()]


def assert_shown(shown: str, told: str, where: str) -> None:
    """*told* is what is *shown*."""
    if shown.startswith(f"{HEADING}\n"):  # which is for terminals
        shown = shown.removeprefix(f"{HEADING}\n")
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == "…" else f"{re.escape(line).replace('…', '.*')}\n" for line in constant(shown)
    )
    comes = "".join(f"{line}\n" for line in constant(told))
    assert re.fullmatch(pattern, comes), f"{where} shows\n{shown}\nand what comes is\n{told}"


def test_the_way_through_the_document_leads_where_it_says(tmp_path: Path) -> None:
    steps = list(blocks(PLUGINS))
    lab = next(
        command for block in steps for command, _ in block.commands if command.startswith("python -m sidecar.lab")
    )
    with Walk(tmp_path) as walk:
        walk.start(lab)  # before files name its port
        for block in steps:
            if lab not in block.text:
                walk.step(block)


def test_every_hook_every_public_name_and_every_promise_is_documented() -> None:
    text = PLUGINS.read_text(encoding="utf-8")
    for spec in HOOKS:
        (hook,) = (name for name in vars(spec) if not name.startswith("_"))
        assert re.search(rf"\| `(async )?{hook}\(self", text), hook
    names = set(re.findall(r"`(\w+)`", text.partition("## Reference")[2])) | {"__version__"}
    assert set(sidecar.__all__) - names == set()
    for name in testing.__all__:
        assert f"`{name}`" in text or re.search(rf"\b{name}\(", text), name
    assert f"larger than {SMALL_BYTES // 1024} KiB" in text
