"""The sub-commands by name. Only the one that is called is imported: `sidecar run` gets the server and nothing else."""

import difflib
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from sidecar import __version__
from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.errors import AdminUnreachable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_HELP: Final = ["-h", "--help"]


class Entry(NamedTuple):
    """A command's home, and what `sidecar --help` says of it without going there."""

    module: str
    help: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "run": Entry("sidecar.cli.run", "Serve."),
    "check": Entry("sidecar.cli.check", "Say everything that is wrong with a configuration."),
    "stacks": Entry("sidecar.cli.stacks", "Show the way of a call, per operation."),
    "plugins": Entry("sidecar.cli.extensions", "Show which plugins are installed, and what they can."),
    "config": Entry("sidecar.cli.show", "Show what is configured, and where it comes from."),
    "schema": Entry("sidecar.cli.schema", "Print the JSON Schema of the configuration."),
    "status": Entry("sidecar.cli.status", "Show what a running sidecar is and does."),
    "tail": Entry("sidecar.cli.tail", "Follow the calls of a running sidecar."),
    "explain": Entry("sidecar.cli.explain", "Show all that is known of one call."),
    "doctor": Entry("sidecar.cli.doctor.command", "Find out what is wrong with this set-up, and how to mend it."),
    "inject": Entry("sidecar.cli.inject", "Put a sidecar into the pods of Kubernetes manifests."),
    "uninject": Entry("sidecar.cli.inject", "Take it out of them."),
    "webhook": Entry("sidecar.cli.webhook", "Put it into every pod that Kubernetes asks about."),
    "version": Entry("sidecar.cli.version", "Print the versions."),
}


#: The group of entry points by which plugins offer commands of their own.
GROUP: Final = "sidecar.commands"


@cache
def of_plugins() -> Mapping[str, "EntryPoint"]:
    """The commands that plugins offer, by name; none of them is imported."""
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in COMMANDS}


class Program(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *of_plugins()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (entry := COMMANDS.get(cmd_name)) is not None:
            command: click.Command = getattr(import_module(entry.module), cmd_name)
        elif (offered := of_plugins().get(cmd_name)) is not None:
            command = offered.load()
        else:
            return None
        command.context_settings.setdefault("help_option_names", _HELP)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing and name not in of_plugins():
            names = self.list_commands(ctx)
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise click.UsageError(f"no command is called {name}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])
        if of_plugins():
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, f"See sidecar {name} --help.") for name in of_plugins()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]
        names += [CompletionItem(name) for name in of_plugins() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AdminUnreachable as error:
            raise Stop(str(error), Exit.ENVIRONMENT) from error
        except BrokenPipeError:
            # whoever read us (head, a pager) has seen enough; nothing may be flushed there at exit either
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(Exit.OK)


@click.group(cls=Program, epilog=EPILOG, context_settings={"help_option_names": _HELP})
@click.version_option(__version__, prog_name="agent-sidecar", message="%(prog)s %(version)s")
def program() -> None:
    """A sidecar proxy for the speech and language-model calls of AI agents.

    Data goes to standard output, everything else to standard error.
    """
