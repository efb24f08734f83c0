"""Finds the plugins that the configuration names, checks them, and composes their layers.

The life of a plugin: 1 its entry point (group ``sidecar``) is found and imported; nothing that the configuration does
not name is imported · 2 its part of the configuration is decoded into ``Plugin.Config`` · 3 ``Plugin(config)``, which
does no I/O · 4 its hooks are registered and checked · 5 its layers are composed into the stacks · 6 ``lifespan`` is
entered · 7 it serves · 8 ``lifespan`` is left. Whatever is wrong in 1 to 4 is reported with everything else that is
wrong, before anything serves.
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from msgspec import Struct
from msgspec.structs import replace

from sidecar.dialect import Operation
from sidecar.exchange import Attempt, Exchange, Record
from sidecar.guard import Guard
from sidecar.hookspecs import HOOKS, PluginConfig, Question, Sample, Told
from sidecar.stack import Handler, compose

GROUP = "sidecar"
_ASYNC = frozenset(("around_exchange", "around_attempt", "console"))
_HOOK_NAMES = tuple(name for spec in HOOKS for name in vars(spec) if not name.startswith("_"))
_ARGUMENTS = {
    name: tuple(inspect.signature(vars(spec)[name]).parameters)
    for spec in HOOKS
    for name in vars(spec)
    if name in _HOOK_NAMES
}


class Unusable(Exception):
    """A plugin cannot be taken into service; the message says why and what to do."""


class Loaded(Struct, frozen=True, eq=False):
    """A plugin in place: ``label`` is its name in the configuration."""

    label: str
    plugin: Any
    operations: Sequence[Operation] | None
    """What it stands around and is told of. None: it stands around all but passthrough, and is told of all."""
    guard: Guard

    def stands_around(self, operation: Operation, *, socket: bool) -> bool:
        if socket and not self.sockets:
            return False
        return operation != Operation.PASSTHROUGH if self.operations is None else operation in self.operations

    @property
    def sockets(self) -> bool:
        return bool(getattr(self.plugin, "sockets", False))


@lru_cache(1)
def _installed(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """What the distributions on *path*, which is `sys.path`, offer. To look through all of them takes 20 ms."""
    return tuple(entry_points(group=GROUP))


def find(name: str) -> type:
    """The class that an installed distribution offers under *name*.

    Raises:
        Unusable: none does, two do, or it cannot be imported.
    """
    path = tuple(sys.path)
    if not (found := [entry for entry in _installed(path) if entry.name == name]):
        _installed.cache_clear()  # it may have been installed since
        found = [entry for entry in _installed(path) if entry.name == name]
    if not found:
        known = sorted({entry.name for entry in _installed(path)})
        near = difflib.get_close_matches(name, known, 1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; installed are: {', '.join(known) or 'none'}"
        raise Unusable(f'nothing installed is named "{name}"{hint}')
    if len({entry.value for entry in found}) > 1:
        offers = " and ".join(f"{entry.dist.name if entry.dist else '?'} ({entry.value})" for entry in found)
        raise Unusable(f'two distributions offer "{name}": {offers}; uninstall one of them')
    try:
        loaded = found[0].load()
    except Exception as error:
        raise Unusable(f'"{name}" ({found[0].value}) cannot be imported: {type(error).__name__}: {error}') from error
    return check_class(name, loaded)


def check_class(name: str, loaded: object) -> type:
    """
    Raises:
        Unusable: *loaded* is not what a plugin must be; all that is wrong is named.
    """
    if not isinstance(loaded, type):
        raise Unusable(f'"{name}" is {loaded!r}, where a class is expected')
    problems = []
    config = getattr(loaded, "Config", None)
    if not (isinstance(config, type) and issubclass(config, PluginConfig)):
        problems.append(f"{loaded.__name__}.Config must be a subclass of sidecar.PluginConfig")
    hooks = 0
    for hook in _HOOK_NAMES:
        method = getattr(loaded, hook, None)
        if method is None or method in (vars(spec).get(hook) for spec in HOOKS):
            continue
        options = getattr(method, f"{GROUP}_impl", None)
        if options is None:
            problems.append(f"{loaded.__name__}.{hook} lacks @hookimpl, so it would never be called")
            continue
        hooks += 1
        if options["tryfirst"] or options["trylast"] or options["hookwrapper"] or options["wrapper"]:
            problems.append(f"{loaded.__name__}.{hook} asks for a place of its own; the configuration gives the order")
        if (hook in _ASYNC) != inspect.iscoroutinefunction(method):
            problems.append(f"{loaded.__name__}.{hook} must {'' if hook in _ASYNC else 'not '}be async")
        taken, due = tuple(inspect.signature(method).parameters), _ARGUMENTS[hook]
        if taken != due:  # pluggy would take fewer of them, and any order
            problems.append(f"{loaded.__name__}.{hook} takes ({', '.join(taken)}), where ({', '.join(due)}) is due")
    for attribute in dir(loaded):
        method = getattr(loaded, attribute, None)
        if attribute not in _HOOK_NAMES and hasattr(method, f"{GROUP}_impl"):
            near = difflib.get_close_matches(attribute, _HOOK_NAMES, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; hooks are: {', '.join(_HOOK_NAMES)}"
            problems.append(f"{loaded.__name__}.{attribute} is no hook{hint}")
    if not hooks and not problems:
        problems.append(f"{loaded.__name__} has no hook; hooks are: {', '.join(_HOOK_NAMES)}")
    if problems:
        raise Unusable("; ".join(problems))
    return loaded


class Host:
    """The plugins of one configuration, outermost first."""

    def __init__(self, plugins: Iterable[Loaded]) -> None:
        """
        Raises:
            Unusable: a hook's arguments are not the specification's.
        """
        self.plugins = tuple(plugins)
        self._manager = pluggy.PluginManager(GROUP)
        for spec in HOOKS:
            self._manager.add_hookspecs(spec)
        by_object = {id(loaded.plugin): loaded for loaded in self.plugins}
        for loaded in reversed(self.plugins):  # pluggy calls the last registered first
            try:
                self._manager.register(loaded.plugin, loaded.label)
            except pluggy.PluginValidationError as error:
                raise Unusable(f"{loaded.label}: {error}") from error
            except Exception:
                self._manager.unregister(loaded.plugin)
                raise
        self._hooks: dict[str, tuple[tuple[Loaded, Callable[..., Any]], ...]] = {
            name: tuple(
                (by_object[id(implementation.plugin)], implementation.function)
                for implementation in reversed(getattr(self._manager.hook, name).get_hookimpls())
            )
            for name in _HOOK_NAMES
        }
        self._closed = self._hooks["exchange_closed"]

    def implementations(self, hook: str) -> tuple[tuple[Loaded, Callable[..., Any]], ...]:
        """Who implements *hook*, outermost first."""
        return self._hooks[hook]

    def standing_around(self, hook: str, operation: Operation, *, socket: bool) -> tuple[Loaded, ...]:
        """The plugins whose layer of *hook* a call of *operation* passes, outermost first."""
        return tuple(loaded for loaded, _ in self._hooks[hook] if loaded.stands_around(operation, socket=socket))

    def exchange_stack(self, innermost: Handler[Exchange], operation: Operation, *, socket: bool) -> Handler[Exchange]:
        standing = self.standing_around("around_exchange", operation, socket=socket)
        return compose(
            [(loaded.plugin.around_exchange, loaded.guard.around_exchange) for loaded in standing], innermost
        )

    def attempt_stack(self, innermost: Handler[Attempt], operation: Operation, *, socket: bool) -> Handler[Attempt]:
        standing = self.standing_around("around_attempt", operation, socket=socket)
        return compose([(loaded.plugin.around_attempt, loaded.guard.around_attempt) for loaded in standing], innermost)

    def alike(self, other: Loaded) -> object | None:
        """The plugin that has the name and the class of *other*."""
        for loaded in self.plugins:
            if loaded.label == other.label and type(loaded.plugin) is type(other.plugin):
                return loaded.plugin  # type: ignore[no-any-return]
        return None

    async def console(self, label: str, question: Question) -> Told | None:
        """What the plugin called *label* says; None if it has nothing to say, or there is none.

        Raises:
            Exception: whatever it raises.
        """
        for loaded, method in self._hooks["console"]:
            if loaded.label == label:
                told: Told = await method(question)
                return told
        return None

    def samples(self, of: Loaded) -> Iterable[Sample]:
        """What plugin *of* says of itself; its label tells it from others of its kind.

        Raises:
            Exception: whatever it raises; TypeError for what is no sample.
        """
        for loaded, method in self._hooks["samples"]:
            if loaded is of:
                for sample in method():
                    if not isinstance(sample, Sample) or not isinstance(sample.value, int | float):
                        raise TypeError(f"{sample!r:.80} is no Sample of a number")
                    yield replace(sample, labels=(("plugin", of.label), *sample.labels))

    def exchange_closed(self, record: Record) -> None:
        """Tell every plugin; one that fails harms nobody else."""
        for loaded, function in self._closed:
            if loaded.operations is not None and record.exchange.operation not in loaded.operations:
                continue
            try:
                function(record)
            except Exception as error:
                reason = f"raised {type(error).__name__}: {error}"
                loaded.guard.report("exchange_closed", record.exchange.notes, reason, "ignored", error)
