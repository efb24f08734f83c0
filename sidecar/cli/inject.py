"""``sidecar inject`` and ``sidecar uninject``: sidecars put into the pods of manifests, and taken out of them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import click

from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.cli.injecting import image_option, mode_option
from sidecar.inject import InjectSettings, Refused, eject
from sidecar.inject import inject as injected
from sidecar.inject.documents import Document, Unreadable, documents
from sidecar.inject.injection import declines
from sidecar.inject.manifests import Found, changed, restricted
from sidecar.inject.names import DOMAIN
from sidecar.inject.pod import malformed
from sidecar.inject.settings import Mode

file_option = click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    default=("-",),
    metavar="FILE",
    help="A manifest, YAML or JSON; - for standard input, which is read if none is named. Repeatable.",
)

#: A pod, and what a person should know of it.
Changed = tuple[dict[str, Any], tuple[str, ...]]


class Manifest(NamedTuple):
    name: str
    documents: list[Document]


@click.command(epilog=EPILOG)
@file_option
@click.option("-n", "--namespace", default="default", show_default=True, help="Of objects that do not say theirs.")
@mode_option
@image_option
@click.option(
    "--set-annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    help="An annotation of every pod: mode=redirect is short for agent-sidecar.io/mode=redirect. Repeatable.",
)
def inject(files: tuple[str, ...], namespace: str, mode: Mode, image: str, annotations: tuple[str, ...]) -> None:
    """Put a sidecar into every pod and workload of manifests, and print them.

    Annotations agent-sidecar.io/… of a pod say how; one with the label agent-sidecar.io/inject: "false" stays as it is,
    and so do all other objects. Ends with 3, and prints no manifest, if a pod cannot have a sidecar.
    """
    settings = InjectSettings(mode=mode, image=image)
    extra = dict(map(_annotation, annotations))
    manifests = _read(files)
    forbidding = {*restricted(document.value for manifest in manifests for document in manifest.documents)}

    def change(found: Found) -> Changed:
        if declines(found.pod):
            return found.pod, ()
        where = found.namespace or namespace
        pod = _annotated(found.pod, extra)
        done = injected(pod, settings, namespace=where, allowed="hosts" if where in forbidding else "any")
        return done.pod, done.warnings

    _rewrite(manifests, change)


@click.command(epilog=EPILOG)
@file_option
def uninject(files: tuple[str, ...]) -> None:
    """Take the sidecar out of every pod and workload of manifests, and print them.

    What others have changed since stays.
    """
    _rewrite(_read(files), lambda found: (eject(found.pod), ()))


def _annotation(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text} is not NAME=VALUE", param_hint="--set-annotation")
    return (name if "/" in name else f"{DOMAIN}{name}"), value


def _annotated(pod: Any, annotations: dict[str, str]) -> Any:
    """*pod* with *annotations* over its own; as it is if it cannot be read as a pod."""
    if not annotations or any(malformed(pod)):
        return pod
    metadata = pod.get("metadata") or {}
    return {**pod, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}}


def _read(files: Iterable[str]) -> list[Manifest]:
    """
    Raises:
        Stop: one of *files* cannot be read; all that cannot are named.
    """
    manifests: list[Manifest] = []
    problems: list[str] = []
    for file in files:
        name = "standard input" if file == "-" else file
        try:
            with click.open_file(file, "rb") as stream:
                manifests.append(Manifest(name, documents(stream.read().decode("utf-8-sig"))))
        except Unreadable as error:
            problems.append(f"{name}:{error}")
        except UnicodeDecodeError:
            problems.append(f"{name}: is not UTF-8; save it as UTF-8")
        except OSError as error:
            problems.append(f"{name}: cannot be read: {str(error.strerror).lower()}")
    if problems:
        raise Stop("\n".join(("nothing is printed, for not all could be read", *problems)), Exit.CONFIGURATION)
    return manifests


def _rewrite(manifests: Iterable[Manifest], change: Callable[[Found], Changed]) -> None:
    """Print *manifests* with each pod as *change* makes it, or nothing of them.

    Raises:
        Stop: *change* refuses a pod; all reasons are given, for all pods.
    """
    told: list[str] = []
    refused: list[str] = []
    texts = []
    for manifest in manifests:

        def replaced(found: Found, file: str = manifest.name) -> Any:
            try:
                pod, warnings = change(found)
            except Refused as error:
                refused.extend(f"{file}: {found.name}: {reason}" for reason in error.reasons)
                return found.pod
            told.extend(f"{file}: {found.name}: {warning}" for warning in warnings)
            return pod

        texts.append([document.written(changed(document.value, replaced)) for document in manifest.documents])
    for line in told:
        click.echo(line, err=True)
    if refused:
        raise Stop("\n".join(("nothing is printed, for not every pod can be changed", *refused)), Exit.CONFIGURATION)
    json = all(document.json for manifest in manifests for document in manifest.documents)
    click.echo("".join(_joined(map("".join, texts), json=json)), nl=False)


def _joined(texts: Iterable[str], *, json: bool) -> Iterator[str]:
    """The texts of files, so that each begins a document of its own."""
    before = ""
    for text in texts:
        if before and not before.endswith("\n"):
            yield "\n"
        if before and not json and not text.startswith("---"):
            yield "---\n"
        yield text
        before = text or before
