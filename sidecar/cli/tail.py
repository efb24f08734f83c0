"""``sidecar tail``: the calls of a running sidecar, as they end."""

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain

import click
import msgspec

from sidecar.cli import received
from sidecar.cli.asking import Asking
from sidecar.cli.exits import EPILOG
from sidecar.cli.legible import Paint, paint_for, say
from sidecar.cli.line import HEADING, line
from sidecar.cli.options import admin_option, colour_option, output_option
from sidecar.cli.selection import FIELDS, NEGATED, InvalidSelection, Selection
from sidecar.errors import AdminUnreachable
from sidecar.journal import CallTold

_RETRY_SECONDS = 0.5
#: No journal holds more.
_ALL = 100_000

Show = Callable[[CallTold, bytes], None]

_FILTERS = "\n".join(
    (
        "\b\nFilters; all of them must hold, and - in front of one turns it round:",
        *(f"  {name:<9} {field.help}" for name, field in FIELDS.items()),
        "  PLUGIN    a plugin's verdict, by its name: cache:hit",
        '  "text"    a text in ids, names, paths, errors and reasons',
        "",
        "\b\nWords may have * in them and be several: op:stt,tts model:gpt-4o*. Numbers are",
        "compared with = != < <= > >=. Quote what the shell would take for itself:",
        "  sidecar tail op:tts 'status:>=500' 'ttfb>300ms' answered:cache -model:gpt-4o",
    )
)


class _Tail(click.Command):
    """Takes ``-model:gpt-4o`` for a filter and not for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        negated = [arg for arg in args[:end] if NEGATED.match(arg)]
        rest = [arg for arg in args[:end] if not NEGATED.match(arg)]
        return super().parse_args(ctx, [*rest, "--", *negated, *args[end + 1 :]])


@click.command(cls=_Tail, epilog=f"{_FILTERS}\n\n{EPILOG}")
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@click.option(
    "-n",
    "--last",
    default=10,
    show_default=True,
    type=click.IntRange(0),
    help="Past calls to begin with, of those wanted.",
)
@click.option("--follow/--no-follow", default=True, help="Go on with calls as they end; the default.")
@admin_option
@output_option
@colour_option
def tail(filters: tuple[str, ...], last: int, follow: bool, admin: str, output: str, no_color: bool) -> None:
    """Follow the calls of a running sidecar, one line each, until Ctrl-C.

    A call is shown when it is over. If the sidecar is restarted, this goes on with the new one; calls that ended
    in between are shown if the new sidecar served them.
    """
    asking, paint = Asking(admin), paint_for(sys.stdout, no_color)
    _selection(filters, None)  # before asking anybody
    wanted = _selection(filters, _plugins(asking))
    if output == "text" and sys.stdout.isatty():
        say(paint(HEADING, bold=True), paint)
    tailing = Tailing(asking, wanted, _writer(output, paint))
    if not follow:
        tailing.past(last)
        return
    try:
        tailing.follow(last)
    except KeyboardInterrupt:
        click.echo(err=True)


class Tailing:
    """Shows every wanted call once."""

    def __init__(self, asking: Asking, wanted: Selection, show: Show) -> None:
        self._asking = asking
        self._wanted = wanted
        self._show = show
        self._seen: dict[str, None] = {}
        self._began_ns = time.time_ns()

    def past(self, last: int) -> None:
        """The *last* of those that are wanted."""
        if not last:
            return
        calls = self._kept()
        wanted = [call.id for call, _ in calls if self._wanted(call)][-last:]
        for call, raw in calls:
            if call.id in wanted:
                self._take(call, raw)
            self._remember(call)

    def follow(self, last: int) -> None:
        """The *last* calls and those that end from now on, with this sidecar and the ones after it."""
        self._listen(self._asking.follow(), lambda: self.past(last))
        while True:
            click.echo(f"sidecar: the one at {self._asking.url} has gone; waiting for the next", err=True)
            lines = self._returned()
            click.echo("sidecar: it is back", err=True)
            self._listen(lines, self._missed)

    def _listen(self, lines: Iterator[bytes], catch_up: Callable[[], None]) -> None:
        """Until the sidecar goes. *catch_up* is called as soon as no call can fall between past and future."""
        try:
            for raw in lines:
                if raw.strip():
                    self._take(received.call(raw), raw)
                else:
                    catch_up()
        except AdminUnreachable:
            return

    def _returned(self) -> Iterator[bytes]:
        """What the next sidecar at this address says, once there is one."""
        while True:
            lines = self._asking.follow()
            with contextlib.suppress(AdminUnreachable):
                for first in lines:
                    return chain((first,), lines)
            time.sleep(_RETRY_SECONDS)

    def _missed(self) -> None:
        """What ended while nobody listened. The sidecar may be the same as before, with calls from before."""
        for call, raw in self._kept():
            if call.at_ns + call.duration_seconds * 1e9 > self._began_ns:
                self._take(call, raw)

    def _kept(self) -> list[tuple[CallTold, bytes]]:
        """All calls that the sidecar remembers, oldest first."""
        raws = msgspec.json.decode(self._asking.last(_ALL), type=list[msgspec.Raw])
        return [(received.call(raw), bytes(raw)) for raw in raws]

    def _take(self, call: CallTold, raw: bytes) -> None:
        if call.id not in self._seen and self._wanted(call):
            self._show(call, raw)
        self._remember(call)

    def _remember(self, call: CallTold) -> None:
        self._seen[call.id] = None
        if len(self._seen) > _ALL:
            del self._seen[next(iter(self._seen))]


def _selection(filters: Sequence[str], plugins: Collection[str] | None) -> Selection:
    try:
        return Selection(filters, plugins)
    except InvalidSelection as error:
        raise click.UsageError(str(error)) from error


def _plugins(asking: Asking) -> list[str]:
    """The names that verdicts may have."""
    return [plugin["name"] for plugin in msgspec.json.decode(asking.status())["plugins"]]


def _writer(output: str, paint: Paint) -> Show:
    if output == "json":
        return lambda call, raw: click.echo(raw.strip().decode())
    return lambda call, raw: say(line(call, paint), paint)
