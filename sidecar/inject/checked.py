"""The configuration in a pod's annotations, held to what `sidecar check` says.

References are not followed: ${env:…} stands for the environment of a container that is not there yet, and the file of a
${file:…} must not be looked for where the injector runs.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from sidecar.configuration import Configuration, Problem
from sidecar.configuration.document import Node, parsed
from sidecar.configuration.loading import put_together
from sidecar.configuration.override import Override, from_environment
from sidecar.configuration.problem import Finding, Place, Source, ordered
from sidecar.enabled import with_those_of_plugins
from sidecar.settings import Settings

_FILE_REFERENCE = re.compile(r"(?<!\$)\$\{file:(?:/|~/)[^}]*\}")
_NOT_HERE = "${env:FILE}"


def checked(
    config: str, listed: Node | None, name: str, environ: Mapping[str, str]
) -> tuple[Configuration, tuple[Problem, ...]]:
    """The configuration of a pod, and everything that is wrong with it but for what is only missing here.

    Args:
        config: the YAML of an annotation, "" for none.
        listed: the plugins that another annotation names, or None.
        name: what *config* is called in messages.
        environ: the variables with settings that the proxy will have.
    """
    findings: list[Finding] = []
    root = parsed(Source(name, config), findings.append)
    readable = not findings
    overrides = from_environment(environ, findings.append)
    if listed is not None:
        overrides.append(Override(("plugins",), _sealed(listed)))
    sealed = None if root is None else _sealed(root)
    configuration, problems = put_together(sealed, overrides, {}, findings, readable=readable)
    # the default plugins need no looking at, which would take longer than all the rest
    if configuration is not None and (config or listed is not None):
        problems = with_those_of_plugins(configuration, problems)
    told = tuple(problem for problem in problems if not problem.missing)
    return configuration or Configuration(Settings(), None, {}), told


def listed_plugins(text: str, name: str) -> tuple[Node | None, tuple[Problem, ...]]:
    """What an annotation called *name* lists: ``tracing, cache``, or what ``plugins:`` takes. None if that is wrong."""
    source = Source(name, text)
    findings: list[Finding] = []
    node = parsed(source, findings.append)
    if not findings and (node is None or node.value is None):
        hint = "write [] for none, or name plugins: tracing, cache"
        findings.append(Finding(place=Place(source), path="", message="has no value", hint=hint))
    if findings or node is None:
        return None, ordered(findings)
    return (replace(node, value=list(_entries(source, node))) if isinstance(node.value, str) else node), ()


def _entries(source: Source, node: Node) -> Iterator[Node]:
    """An entry for each name of the short form."""
    for matched in re.finditer(r"[^\s,][^,\n]*", source.text):
        name = matched[0].strip().strip("\"'")
        line = source.text.count("\n", 0, matched.start()) + 1
        column = matched.start() - source.text.rfind("\n", 0, matched.start())
        place, end = Place(source, line, column), Place(source, line, column + len(name))
        yield Node({"use": Node(name, place, end, name)}, place, end)


def _sealed(node: Node) -> Node:
    """*node* without references to files: what is in them is not known here, and not for us to know."""
    value = node.value
    if isinstance(value, dict):
        return replace(node, value={key: _sealed(child) for key, child in value.items()})
    if isinstance(value, list):
        return replace(node, value=[_sealed(child) for child in value])
    if isinstance(value, str) and "${file:" in value:
        return replace(node, value=_FILE_REFERENCE.sub(_NOT_HERE, value))
    return node
