"""``sidecar cache``: to look into a running sidecar's cache, and change what is there. Never imported by a server."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from sidecar.cli.asking import Asking, Refused
from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.cli.legible import json_text
from sidecar.cli.options import admin_option, output_option
from sidecar_cache import carried
from sidecar_cache.listing import FILTERS, SORTS
from sidecar_cache.report import listed, statistics, told_entry, warmed

Command = TypeVar("Command", bound=Callable[..., Any])

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.2
#: So much is sent in one piece.
_PIECE_BYTES = 8 * 1024 * 1024
_MEANINGS: Mapping[str, str] = {
    "provider": "Of this provider.",
    "operation": "tts, stt or chat.",
    "endpoint": "audio.speech, chat.completions, …",
    "model": "Of this model.",
    "voice": "In this voice.",
    "language": "In this language.",
    "source": "From where: call, warm, refresh or import.",
    "older": "Stored longer ago than 2h, say.",
}


def _filter_options(command: Command) -> Command:
    for name in reversed(FILTERS):
        command = click.option(f"--{name}", metavar="AGE" if name == "older" else "WORD", help=_MEANINGS[name])(command)
    return command


def _asked_options(command: Command) -> Command:
    named = click.option(
        "--plugin", default="cache", show_default=True, metavar="NAME", help="The cache's name in the configuration."
    )
    return admin_option(named(command))


class _Cache:
    """One sidecar's cache."""

    def __init__(self, admin: str, plugin: str) -> None:
        self._asking = Asking(admin)
        self._plugin = plugin

    def raw(self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None) -> bytes:
        try:
            return self._asking.plugin(self._plugin, path, method, body, _PATIENCE_SECONDS, **(query or {}))
        except Refused as error:
            raise Stop(str(error), Exit.NO) from error

    def __call__(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Any:
        return msgspec.json.decode(self.raw(method, path, query, body))


def _given(filters: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value is not None}


class _Lists(click.Group):
    """Lists where nothing else is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        nothing = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if nothing else args)


@click.group(cls=_Lists, epilog=EPILOG, subcommand_metavar="[COMMAND] [ARGS]...")
def cache() -> None:
    """Look into the cache of a running sidecar, and change what is there.

    Without a sub-command: list. Entries are named by the first digits of their keys, as verdicts show them. What they
    say is shown only where it is asked for.
    """


@cache.command("list", epilog=EPILOG)
@click.option("--sort", type=click.Choice(list(SORTS)), default="calls", show_default=True, help="What comes first.")
@click.option("-n", "--limit", type=click.IntRange(0), default=50, show_default=True, help="So many; 0 for all.")
@_filter_options
@_asked_options
@output_option
def list_(sort: str, limit: int, admin: str, plugin: str, output: str, **filters: str | None) -> None:
    """Show what is kept in memory and on the disk: by provider, voice, length, age; not what it says.

    WORDs may have * in them.
    """
    found = _Cache(admin, plugin)("GET", "entries", {"sort": sort, "limit": str(limit), **_given(filters)})
    click.echo(json_text(found) if output == "json" else "\n".join(listed(found)))


@cache.command(epilog=EPILOG)
@click.argument("key")
@click.option("--content", is_flag=True, help="Write what it says to standard output, and nothing else.")
@_asked_options
@output_option
def show(key: str, content: bool, admin: str, plugin: str, output: str) -> None:
    """Show one entry, and what its key is made of.

    KEY is the key of an entry, or the first digits of it.
    """
    asked, path = _Cache(admin, plugin), f"entries/{_key(key)}"
    entry = asked("GET", path)
    if not content:
        click.echo(json_text(entry) if output == "json" else "\n".join(told_entry(entry)))
        return
    said = asked.raw("GET", path, {"content": "1"})
    if sys.stdout.isatty() and not _is_text(entry["content_type"]):
        raise Stop(f"{entry['content_type']} is nothing for a terminal; expected a file, so write > FILE", Exit.NO)
    click.echo(said, nl=False)


@cache.command(epilog=EPILOG)
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@_filter_options
@_asked_options
@output_option
def purge(keys: tuple[str, ...], everything: bool, admin: str, plugin: str, output: str, **filters: str | None) -> None:
    """Throw entries out of memory, disk and shared store: those with a KEY, those that all filters fit, or --all.

    Other pods with the same shared store hear of it within seconds. Ends with 1 if that store has not confirmed.
    """
    wanted = _given(filters)
    if bool(keys) + bool(wanted) + everything != 1:
        raise click.UsageError("expected keys, filters, or --all: one of the three")
    asked = _Cache(admin, plugin)
    if keys:
        done = [asked("DELETE", f"entries/{_key(key)}") for key in keys]
    else:
        done = [asked("POST", "purge", {"all": "1"} if everything else wanted)]
    removed = sum(each["removed"] for each in done)
    stores = sorted({each["shared"] for each in done if each["shared"] not in (None, "confirmed")})
    pods = sorted({each["pods"] for each in done if each["shared"] is not None})
    if output == "json":
        told = {"removed": removed, "disk": done[0]["disk"], "shared": stores or done[0]["shared"]}
        if pods:
            told |= {"shared_removed": sum(each["shared_removed"] for each in done), "pods": pods[0]}
        click.echo(json_text(told))
    else:
        further = sum(each.get("shared_removed", 0) for each in done)
        click.echo(f"{removed} entries removed{f', {further} more in the shared store' if further else ''}")
        click.echo("".join(f"other pods: {each}\n" for each in pods), nl=False)
    if stores:
        raise Stop(f"the shared store: {stores[0]}", Exit.NO)
    if untold := [each for each in pods if each.startswith("not told")]:
        raise Stop(f"other pods: {untold[0]}", Exit.NO)


@cache.command(epilog=EPILOG)
@_asked_options
@output_option
def stats(admin: str, plugin: str, output: str) -> None:
    """Show how often calls come again, what is answered of that, and what it saves.

    All of it since the start. Savings are told where control calls are made (control.share in the configuration).
    """
    found = _Cache(admin, plugin)("GET", "stats")
    click.echo(json_text(found) if output == "json" else "\n".join(statistics(found)))


@cache.command(epilog=EPILOG)
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Texts to be spoken instead of the configured ones, one a line, in UTF-8.",
)
@click.option("--wait/--no-wait", default=True, help="Wait until it is done; the default.")
@_asked_options
@output_option
def warm(file: Path | None, wait: bool, admin: str, plugin: str, output: str) -> None:
    """Have speech fetched before it is asked for, as warm.speech of the configuration says.

    What is kept and fresh is not fetched. Ends with 1 if anything is missing in the end.
    """
    body = None
    if file is not None:
        try:
            texts = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise Stop(f"{file}: cannot be read: {error}", Exit.ENVIRONMENT) from error
        body = msgspec.json.encode({"texts": texts})
    asked = _Cache(admin, plugin)
    done = asked("POST", "warm", body=body)
    while wait and done["running"]:
        time.sleep(_LOOK_SECONDS)
        done = asked("GET", "warm")
    click.echo(json_text(done) if output == "json" else "\n".join(warmed(done)))
    if done["troubles"] or done["waiting"] or (wait and done["there"] + done["fetched"] < done["wanted"]):
        raise Stop("not everything is there", Exit.NO)


@cache.command(epilog=EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@_filter_options
@_asked_options
def export(file: Path, admin: str, plugin: str, **filters: str | None) -> None:
    """Write entries to FILE, sealed by the cache's secret; - for standard output."""
    asked, wanted = _Cache(admin, plugin), _given(filters)
    count = 0
    try:
        whole = str(file) != "-" and (file.is_file() or not file.exists())  # never in the place of a device or a pipe
        with click.open_file(str(file), "wb", atomic=whole) as writing:
            for number, page in enumerate(_pages(asked, wanted)):
                read = carried.read(page)
                count += len(read.records)
                writing.write(page if number == 0 else page[len(carried.opening(read.label)) :])
    except OSError as error:
        raise Stop(f"{file}: cannot be written: {error.strerror}", Exit.ENVIRONMENT) from error
    click.echo(f"{count} entries exported", err=True)


def _pages(asked: _Cache, wanted: Mapping[str, str]) -> Iterator[bytes]:
    after = ""
    while True:
        page = asked.raw("GET", "export", {"after": after, **wanted})
        yield page
        read = carried.read(page)
        if read.whole or not read.records:
            return
        after = read.records[-1][0]


@cache.command("import", epilog=EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@_asked_options
@output_option
def import_(file: Path, admin: str, plugin: str, output: str) -> None:
    """Take the entries in FILE, which another sidecar with the same secret has exported; - for standard input.

    What is newer here stays. Ends with 1 if entries were damaged.
    """
    try:
        with click.open_file(str(file), "rb") as reading:
            read = carried.read(reading.read())
    except OSError as error:
        raise Stop(f"{file}: cannot be read: {error.strerror}", Exit.ENVIRONMENT) from error
    except carried.NoExport as error:
        raise Stop(f"{file}: {error}; expected what sidecar cache export has written", Exit.NO) from error
    if not read.whole:
        raise Stop(f"{file}: cut off after {len(read.records)} entries; export it again", Exit.NO)
    asked = _Cache(admin, plugin)
    counts: dict[str, int] = {}
    for piece in carried.batches(read, _PIECE_BYTES):
        for what, number in asked("POST", "import", body=piece).items():
            counts[what] = counts.get(what, 0) + number
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number) or "nothing in it"
    click.echo(json_text(counts) if output == "json" else told)
    if counts.get("garbled"):
        raise Stop(f"{file}: {counts['garbled']} entries were damaged, and left out", Exit.NO)


@cache.command(epilog=EPILOG)
@_asked_options
@output_option
def on(admin: str, plugin: str, output: str) -> None:
    """Give answers again that were switched off because they differed from fresh ones too often."""
    done = _Cache(admin, plugin)("POST", "on")
    click.echo(json_text(done) if output == "json" else f"{done['switched_on']} kinds of answers switched on")


def _key(text: str) -> str:
    key = text.strip().lower().rstrip("…")
    if not key or set(key) - set("0123456789abcdef") or len(key) > 32:
        raise click.UsageError(f"{text} is no key; expected the first of 32 hexadecimal digits, as list shows them")
    return key


def _is_text(content_type: str) -> bool:
    return content_type.startswith("text/") or "json" in content_type
