"""Single settings from the environment and the command line, put over what the file says.

``SIDECAR__UPSTREAM__MAX_CONNECTIONS=20`` and ``--set upstream.max_connections=20`` mean the same; the value is YAML.
Mappings are merged key by key, everything else is replaced. Plugins go by their name:
``SIDECAR__PLUGINS__CACHE__BUDGET`` sets a key of the list's entry, and what is no key of the entry is one of the
plugin's own (its ``config``). Providers go by theirs, with ``_`` for ``-``. A variable that is set to nothing counts as
not set.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sidecar.catalogue import CATALOGUE
from sidecar.configuration.document import Node, parsed
from sidecar.configuration.problem import DEFAULTS, Finding, Place, Source
from sidecar.configuration.wording import nearest
from sidecar.settings import PluginSettings, Settings

PREFIX = "SIDECAR__"

_KEYS_OF_AN_ENTRY = frozenset(PluginSettings.__struct_encode_fields__)
_EXAMPLE = "write it like --set log.level=debug"
_DEFAULT = Place(DEFAULTS)

Report = Callable[[Finding], None]


class Override(Struct, frozen=True, eq=False):
    path: tuple[str, ...]
    value: Node


def from_environment(environ: Mapping[str, str], report: Report) -> list[Override]:
    """What variables set, the shorter paths first, so that what is more exact holds."""
    names = sorted(name for name, value in environ.items() if name.startswith(PREFIX) and value)
    overrides = []
    for name in sorted(names, key=lambda name: name.count("__")):
        path = name.removeprefix(PREFIX).lower().split("__")
        overrides += _override(Source(name, environ[name], f"{name}="), path, report)
    return overrides


def from_options(options: Sequence[str], report: Report) -> list[Override]:
    """What ``--set path=value`` sets, in their order."""
    overrides = []
    for option in options:
        path, equals, value = option.partition("=")
        if not equals:
            place = Place(Source("--set", option, "--set "), 1, 1)
            report(Finding(place=place, path="", message="has no value; expected path=value", hint=_EXAMPLE))
            continue
        overrides += _override(Source("--set", value, f"--set {path}="), _parts(path), report)
    return overrides


def applied(root: Node | None, overrides: Sequence[Override], report: Report) -> Node | None:
    """*root* with each of *overrides* put over it; as it is if it is no mapping, which whoever reads it will say."""
    if root is not None and root.value is not None and not isinstance(root.value, dict):
        return root
    for override in overrides:
        root = _placed(root, override, report)
    return root


def _override(source: Source, path: Sequence[str], report: Report) -> list[Override]:
    shown = _dotted(path)
    start = Place(source, 1, 1)
    if not all(path):
        message = "has an empty part in its path; expected names of settings, such as listen.address"
        report(Finding(place=start, path=shown, message=message))
        return []
    failed: list[Finding] = []
    node = parsed(source, failed.append)
    for finding in failed:
        report(replace(finding, path=finding.path or shown))
    return [] if failed else [Override(tuple(path), node or Node(None, start, start))]


def _dotted(path: Sequence[str]) -> str:
    return ".".join(path).replace(".[", "[")


def _parts(path: str) -> list[str]:
    """``plugins[1].config.ttl`` in parts; the number stays in its brackets."""
    return [part for dotted in path.strip().split(".") for part in re.split(r"(?=\[\d+\]$)", dotted)]


def _placed(root: Node | None, override: Override, report: Report) -> Node | None:
    path, value = override.path, override.value
    if len(path) > 1 and path[0] == "providers":
        return _with(root, ("providers", _provider_name(root, path[1]), *path[2:]), value)
    if len(path) == 1 or path[0] != "plugins":
        return _with(root, path, value)
    entries = _entries(root)
    index = _index(entries, path[1])
    if index is None:
        names = [name for entry in entries for name in _names(entry)]
        hint = nearest(path[1], names) or "add it to the list of plugins first"
        message = f"no plugin is called {path[1]}; expected one of {', '.join(names) or 'none, for the list is empty'}"
        report(Finding(place=value.place, path=_dotted(path), message=message, hint=hint))
        return root
    rest = path[2:]
    if rest and rest[0] not in _KEYS_OF_AN_ENTRY:
        rest = ("config", *rest)
    changed = [_with(entry, rest, value) if at == index else entry for at, entry in enumerate(entries)]
    old = _child(root, "plugins")
    place = _DEFAULT if old is None else old.place
    return _with(root, ("plugins",), Node(changed, place, place, key=None if old is None else old.key))


def _with(node: Node | None, path: tuple[str, ...], value: Node) -> Node:
    """*node* with *value* at *path*; the tree that is given stays as it is, for aliases share parts of it."""
    if not path:
        return value if node is None else _merged(node, value)
    if node is None or not isinstance(node.value, dict):
        return Node({path[0]: _with(None, path[1:], value)}, value.place, value.end)
    child = node.value.get(path[0])
    return replace(node, value={**node.value, path[0]: _with(child, path[1:], value)})


def _merged(below: Node, above: Node) -> Node:
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = _merged(merged[key], node) if key in merged else node
    return replace(below, value=merged)


def _child(node: Node | None, key: str) -> Node | None:
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _entries(root: Node | None) -> list[Node]:
    """The list of plugins: the file's, or the default one."""
    listed = _child(root, "plugins")
    if listed is not None and isinstance(listed.value, list):
        return listed.value
    return [
        Node({"use": Node(str(plugin.use), _DEFAULT, _DEFAULT, str(plugin.use))}, _DEFAULT, _DEFAULT)
        for plugin in Settings().plugins
    ]


def _names(entry: Node) -> list[str]:
    label = _child(entry, "name") or _child(entry, "use")
    return [label.written] if label is not None and label.written else []


def _index(entries: Sequence[Node], name: str) -> int | None:
    if matched := re.fullmatch(r"\[(\d{1,4})\]", name):
        return int(matched[1]) if int(matched[1]) < len(entries) else None
    return next((at for at, entry in enumerate(entries) if _folded(name) in map(_folded, _names(entry))), None)


def _provider_name(root: Node | None, name: str) -> str:
    configured = _child(root, "providers")
    own = configured.value if configured is not None and isinstance(configured.value, dict) else {}
    known = (*own, *CATALOGUE)
    return next((other for other in known if _folded(other) == _folded(name)), name.replace("_", "-"))


def _folded(name: str) -> str:
    return name.replace("-", "_").lower()
