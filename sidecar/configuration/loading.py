"""From a file, the environment and the command line to the configuration in force.

Loading is a pure function of its arguments and of the files that they name, so it can be done again whenever one of
them may have changed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from sidecar.catalogue import CATALOGUE
from sidecar.configuration.decoding import Decoder
from sidecar.configuration.document import MOST_BYTES, Node, at, parsed
from sidecar.configuration.inforce import Configuration
from sidecar.configuration.override import Override, applied, from_environment, from_options
from sidecar.configuration.problem import DEFAULTS, Finding, InvalidConfiguration, Place, Problem, Source, ordered
from sidecar.dialects import names
from sidecar.settings import Settings


def load(
    path: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    *,
    dialects: Collection[str] | None = None,
) -> Configuration:
    """The configuration of the file at *path*, with what *environ* and *overrides* change.

    What *overrides* say holds before what *environ* says, before the file, before the defaults.

    Args:
        path: a YAML file; None for the defaults.
        environ: where ``SIDECAR__…`` and ``${env:…}`` are looked up; nothing if None.
        overrides: ``path=value`` each, as after ``--set``.
        dialects: the names of dialects that there are; None for those of `sidecar.dialects`.

    Raises:
        InvalidConfiguration: with everything that is wrong, each with its place.
    """
    environ = {} if environ is None else dict(environ)
    findings: list[Finding] = []
    source = None if path is None else _source(Path(path), findings)
    root = None if source is None else parsed(source, findings.append)
    readable = not findings
    found = [*from_environment(environ, findings.append), *from_options(overrides, findings.append)]
    configuration, problems = put_together(root, found, environ, findings, readable=readable, dialects=dialects)
    if configuration is None or any(problem.severity == "error" for problem in problems):
        raise InvalidConfiguration(problems, configuration)
    configuration.warnings = problems
    return configuration


def put_together(
    root: Node | None,
    overrides: Sequence[Override],
    environ: Mapping[str, str],
    findings: list[Finding],
    *,
    readable: bool = True,
    dialects: Collection[str] | None = None,
) -> tuple[Configuration | None, tuple[Problem, ...]]:
    """The configuration of a document with *overrides*, defaults in place of what is wrong, and all that is wrong.

    Args:
        root: the document; None if it is empty.
        environ: where ``${env:…}`` is looked up.
        findings: what is wrong so far.
        readable: whether the document could be read; if not, there is no configuration.
    """
    settings = None
    if readable:
        root = applied(root, overrides, findings.append)
        settings = _settings(root, environ, findings.append)
    if settings is None:
        return None, ordered(findings)
    configuration = Configuration(settings, root, environ)
    findings += configuration.contradictions(names() if dialects is None else dialects, findings)
    return configuration, ordered(findings)


def _source(path: Path, findings: list[Finding]) -> Source | None:
    """The text of the file; None, and a finding, if it cannot be read."""
    source = Source(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        return Source(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        lines = data[: error.start].decode("utf-8", "replace")
        message = f"is not UTF-8 from byte {error.start} on (line {lines.count(chr(10)) + 1})"
        findings.append(Finding(place=Place(source), path="", message=message, hint="save it as UTF-8"))
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        hint = "name the configuration with --config" if isinstance(error, FileNotFoundError) else ""
        findings.append(Finding(place=Place(source), path="", message=f"cannot be read: {reason}", hint=hint))
    return None


def _settings(root: Node | None, environ: Mapping[str, str], report: Callable[[Finding], None]) -> Settings | None:
    """What *root* says over the defaults; where it is wrong, which *report* is told, the defaults."""
    if root is None:
        root = Node({}, Place(DEFAULTS), Place(DEFAULTS))
    elif root.value is not None and not isinstance(root.value, dict):
        kind = "a list" if isinstance(root.value, list) else "a single value"
        message = f"the configuration is {kind}; expected sections such as listen, providers and plugins"
        report(Finding(place=root.place, path="", message=message))
        return None
    switch = at(root, ("catalogue",))
    built_in = {} if switch is not None and switch.value is False else CATALOGUE
    base = Settings(providers=dict(built_in))
    settings: Settings = Decoder(environ, report).section(root, Settings, "", base)
    return settings
