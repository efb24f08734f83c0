"""The fields of multipart forms in one way, whatever their boundary, their order and the names of their files."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from sidecar.multipart import Part, parse
from sidecar_cache.rules import json_values, samples
from sidecar_cache.rules.endpoint import Endpoint
from sidecar_cache.rules.unsuitable import Unsuitable

Values = list[bytes | memoryview | None]


class Field(NamedTuple):
    """All fields of one name, in their order."""

    name: str
    values: Values
    """None for a name without ``=`` in an urlencoded form."""
    texts: list[str]
    """What the values say, for `refusals`; of files, nothing."""
    forms: Values
    """What decides how each is decoded (the extension and type of a file); empty where nothing does."""


#: What stands where a file's extension and type would, if its samples are known.
_AS_SAMPLES: Final = b"samples"


def of_multipart(content_type: str, data: bytes, endpoint: Endpoint, by_samples: bool) -> Iterator[Field]:
    """
    Raises:
        Unsuitable: it is no whole form.
    """
    form = parse(content_type, data)
    if not form.parts or not form.complete:
        raise Unsuitable("the request's form is not whole")
    groups: dict[str, list[Part]] = {}
    for part in form.parts:
        groups.setdefault(part.name, []).append(part)
    for name, parts in groups.items():
        values: Values = []
        forms: Values = []
        for part in parts:
            value, form_of = _file(part, by_samples) if part.filename is not None else _field(part, endpoint)
            values += value
            forms.append(form_of)
        texts = [part.text for part in parts if part.filename is None]
        yield Field(name, ordered(name, values, endpoint), texts, forms if any(forms) else [])


def ordered(name: str, values: Values, endpoint: Endpoint) -> Values:
    """*values*, those of a set in an order of their own, and each but once."""
    if name not in endpoint.sets or any(value is None for value in values):
        return values
    return [*sorted({bytes(value) for value in values if value is not None})]


def _field(part: Part, endpoint: Endpoint) -> tuple[Values, bytes]:
    return [written(part.name, bytes(part.data), endpoint)], _head_of(part, b"")


def written(name: str, value: bytes, endpoint: Endpoint) -> bytes:
    """The value of a field in one way."""
    if name in endpoint.numbers:
        number = json_values.number_text(value)
        return value if number is None else number
    if name in endpoint.documents:
        return json_values.written(json_values.read(value))
    return value


def _file(part: Part, by_samples: bool) -> tuple[Values, bytes]:
    found = samples.read(part.data) if by_samples else None
    if found is not None:
        return [found.head, found.data], _AS_SAMPLES
    dot, extension = (part.filename or "").rpartition(".")[1:]
    return [part.data], _head_of(part, b"file " + (extension.lower().encode() if dot else b""))


def _head_of(part: Part, begin: bytes) -> bytes:
    """*begin*, and what else a part's head says that may change what its content is taken for."""
    said = b"" if part.content_type is None else b" " + part.content_type.lower().encode()
    if part.head.count(b"\n") <= (part.content_type is not None):
        return begin + said
    others = sorted(
        line.strip().lower()
        for line in part.head.splitlines()
        if not line.lower().startswith((b"content-disposition:", b"content-type:", b"content-length:"))
    )
    return b"\n".join((begin + said, *others))
