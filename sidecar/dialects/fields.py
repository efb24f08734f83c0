"""Named values of a query or a form, and the file that came with them."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, unquote_plus

from msgspec import Struct

from sidecar import credentials, multipart
from sidecar.dialects import formats
from sidecar.dialects.family import Asked

Pairs = tuple[tuple[str, str], ...]

_REPEATED = re.compile(r"\[\d*\]$")


class Fields:
    """Values by name. What has been taken is not among the rest, so that a reader says what it knows and no more."""

    __slots__ = ("_pairs", "_taken")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)
        self._taken: set[int] = set()

    def take(self, *names: str) -> str | None:
        """The first value under the first of *names* that has one that is not empty; nothing else is taken with it."""
        for wanted in names:
            for at, (name, value) in enumerate(self._pairs):
                if name == wanted and value:
                    self._taken.add(at)
                    return value
        return None

    def take_all(self, name: str) -> tuple[str, ...]:
        """All values of a list, however it is spelled: ``name=``, ``name[]=`` or ``name[0]=``."""
        found = []
        for at, (key, value) in enumerate(self._pairs):
            if key == name or (key.startswith(name) and _REPEATED.sub("", key) == name):
                self._taken.add(at)
                found.append(value)
        return tuple(found)

    def rest(self) -> Pairs:
        return tuple([pair for at, pair in enumerate(self._pairs) if at not in self._taken])


class Form(Struct, frozen=True):
    """The fields of a form, and its file part if one has begun to arrive."""

    fields: Fields
    file: multipart.Part | None = None

    @property
    def audio(self) -> bytes | None:
        """The file's content, if all of it is here."""
        return bytes(self.file.data) if self.file is not None and self.file.complete else None

    @property
    def media_type(self) -> str | None:
        return None if self.file is None else self.file.content_type

    @property
    def filename(self) -> str | None:
        return None if self.file is None else self.file.filename

    @property
    def format(self) -> str | None:
        """In the words of `sidecar.payload.Speech.format`, by what the file part says of itself."""
        return formats.declared(self.filename, self.media_type)


def of_query(query: str) -> Fields:
    return Fields(pair for pair in decoded_pairs(query) if pair[0] not in credentials.QUERY)


def whole_pairs(asked: Asked) -> str:
    """An urlencoded body; of one that has only begun, the pairs that are all there."""
    body = asked.body if asked.complete else asked.body.rpartition(b"&")[0]
    return body.decode("utf-8", "replace")


def decoded_pairs(encoded: str) -> list[tuple[str, str]]:
    """The pairs of ``a=1&b=2``, percent-decoded as far as they are encoded."""
    pairs = []
    for item in encoded.split("&"):
        if item:
            name, _, value = item.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return pairs


def of_form(asked: Asked, *file_names: str) -> Form:
    """The form in a body, multipart or urlencoded. Its file is the first part with a file name, or one of *file_names*.

    Raises:
        ValueError: the body is no form.
    """
    content_type = asked.headers.get("content-type") or ""
    if content_type.lower().startswith("application/x-www-form-urlencoded"):
        return Form(Fields(decoded_pairs(whole_pairs(asked))))
    parts = multipart.parse(content_type, asked.body).parts
    if not parts:
        raise ValueError("not a form")
    file = next((part for part in parts if part.filename is not None or part.name in file_names), None)
    return Form(Fields((part.name, part.text) for part in parts if part is not file and part.complete), file)


def query_value(name: str) -> Callable[[str], str | None]:
    """A quick reader of one field of a query, for recognising calls (a regular expression takes twice the time)."""
    first, later = f"{name}=", f"&{name}="

    def value(query: str) -> str | None:
        if (at := query.find(later)) >= 0:
            start = at + len(later)
        elif query.startswith(first):
            start = len(first)
        else:
            return None
        end = query.find("&", start)
        found = query[start:] if end < 0 else query[start:end]
        return unquote_plus(found) if "%" in found or "+" in found else found or None

    return value


def path_value(segment: str) -> str:
    return unquote(segment) if "%" in segment else segment


def flag(value: str | None) -> bool:
    return value is not None and value.lower() in ("1", "true", "yes")


def number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def integer(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 19 else None
