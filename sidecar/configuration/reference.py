"""References in values: ``${env:NAME}`` and ``${file:/path}``.

One rule: what a reference stands for is used and never shown. `config show`, problems and digests have the reference as
it was written, whether it stands for a secret or not.

A reference may stand anywhere within a text, and several times; a setting that is a secret must be one reference and
nothing else. Its value is text: for a number or a switch use an override. ``$${`` is a literal ``${``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_MOST_BYTES = 64 * 1024
_TOKEN = re.compile(r"\$\$\{|\$\{(?P<inside>[^}]*)(?P<end>\}?)")

#: Exactly one reference.
WHOLE = re.compile(r"\$\{(?:env:[^}=]+|file:(?:/|~/)[^}]+)\}")


class Unresolved(Exception):
    """A reference stands for nothing. ``args``: what is wrong, what to do."""


class Missing(Unresolved):
    """What it refers to is not here; it may be where the configuration is going to be used."""


def resolved(text: str, environ: Mapping[str, str]) -> str:
    """*text* with each reference replaced by what it stands for.

    Raises:
        Unresolved: one of them stands for nothing.
    """
    if "${" not in text:
        return text
    return _TOKEN.sub(lambda matched: _value(matched, environ), text)


def refers(text: str) -> bool:
    """Whether there is a reference in *text*."""
    return "${" in text and any(matched[0] != "$${" for matched in _TOKEN.finditer(text))


def _value(matched: re.Match[str], environ: Mapping[str, str]) -> str:
    if matched[0] == "$${":
        return "${"
    inside = matched["inside"]
    if not matched["end"]:
        raise Unresolved("a reference has no end", "close it with }, or write $${ for a literal ${")
    kind, _, target = inside.partition(":")
    if kind == "env" and target and "=" not in target:
        if (value := environ.get(target)) is None:
            raise Missing(f"the environment variable {target} is not set", "set it, or remove the reference")
        return value
    if kind == "file" and target.startswith(("/", "~/")):
        return _content(target, environ)
    if kind == "file":
        raise Unresolved(f"${{{inside}}} is a relative path", "write it from the root: ${file:/…}")
    meant = f"write ${{env:{inside}}}" if re.fullmatch(r"\w+", inside) else "write ${env:NAME} or ${file:/path}"
    raise Unresolved(f"${{{inside}}} is not a reference", f"{meant}, or $${{ for a literal ${{")


def _content(target: str, environ: Mapping[str, str]) -> str:
    """The text of a file, without the line end that editors and ``echo`` put after a secret."""
    path = Path(environ.get("HOME") or "/", target[2:]) if target.startswith("~/") else Path(target)
    try:
        if not path.is_file():  # a device or a pipe may never end
            raise Missing(f"there is no file {target}", "mount it, or remove the reference")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise Unresolved(f"the file {target} is larger than {_MOST_BYTES} bytes")
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Unresolved(f"the file {target} is not UTF-8 text") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (getattr(error, "strerror", None) or "not a path").lower()
        raise Unresolved(f"the file {target} cannot be read: {reason}") from None
