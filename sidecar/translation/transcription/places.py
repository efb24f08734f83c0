"""Where a request names its model, and how that alone is changed: every other byte stays as the agent wrote it."""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, unquote_plus

import msgspec
from msgspec import Raw

from sidecar import credentials, multipart
from sidecar.exchange import Exchange, Request
from sidecar.multipart import Form, Part
from sidecar.payload import edited
from sidecar.translation.contract import Inexpressible
from sidecar.translation.transcription.google import recognizer_of

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_DEPLOYMENT = re.compile(r"(?<=/openai/deployments/)[^/]+")
_SECOND_VERSION = re.compile(r"/v2/projects/[^/]+/locations/[^/]+/recognizers/[^/:]+(?=:|%3A)")
_URLENCODED = "application/x-www-form-urlencoded"

_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def with_model(exchange: Exchange, model: str) -> Request:
    """The request of *exchange*, which asks for *model* instead.

    Raises:
        Inexpressible: there is no place for it.
    """
    request, dialect = exchange.request, exchange.provider.dialect
    place = _PLACES.get("" if dialect is None else dialect.name)
    if place is None or not model.isprintable():
        raise Inexpressible("model", "nobody knows where this call names it")
    try:
        return place(request, model)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Inexpressible("body", "it cannot be read") from None


def without_credentials(request: Request) -> Request:
    """Whoever sent it is not told to others."""
    path, question_mark, query = request.target.partition("?")
    pairs = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in credentials.QUERY]
    target = f"{path}?{'&'.join(pairs)}" if question_mark and any(pairs) else path
    return request.with_target(target).with_headers(request.headers.without(*credentials.HEADERS))


def in_form(request: Request, name: str, value: str) -> Request:
    """The field *name* of a form set to *value*; it is put first if it was not there."""
    content_type, body = request.headers.get("content-type") or "", _body(request)
    if content_type.lower().startswith(_URLENCODED):
        pairs = _in_pairs(body.decode("utf-8", "surrogateescape"), name, value)
        return request.with_body(pairs.encode("utf-8", "surrogateescape"))
    form = multipart.parse(content_type, body)
    if not form.parts:
        raise ValueError("not a form")
    span = _span(body, form, name)
    if span is not None:
        begin, end = span
        return request.with_body(b"".join((body[:begin], value.encode(), body[end:])))
    boundary = multipart.boundary_of(content_type)
    if boundary is None:
        raise ValueError("a form without a boundary")
    first = multipart.write([Part.of(name, value)], boundary).removesuffix(f"--{boundary}--\r\n".encode())
    return request.with_body(first + body)


def _span(body: bytes, form: Form, name: str) -> tuple[int, int] | None:
    """Where the content of the first part called *name* stands in *body*."""
    at = 0
    for part in form.parts:
        begin = body.find(part.head, at) + len(part.head)
        blank = _BLANK_LINE.match(body, begin)
        begin = begin if blank is None else blank.end()
        at = begin + len(part.data)
        if part.name == name:
            return begin, at
    return None


def _body(request: Request) -> bytes:
    if request.body.data is None:
        raise Inexpressible("body", "it is not in memory")
    return request.body.data


def _in_pairs(pairs: str, name: str, value: str) -> str:
    """*value* in place of the first *name* in ``a=1&b=2``, or at the end."""
    written, placed, found = f"{name}={quote(value, safe='')}", False, []
    for pair in pairs.split("&") if pairs else ():
        if unquote_plus(pair.partition("=")[0]) != name:
            found.append(pair)
        elif not placed:
            found.append(written)
            placed = True
    return "&".join(found if placed else (*found, written))


def in_query(name: str) -> Callable[[Request, str], Request]:
    def place(request: Request, model: str) -> Request:
        return request.with_target(f"{request.path}?{_in_pairs(request.query, name, model)}")

    return place


def _form_field(name: str) -> Callable[[Request, str], Request]:
    def place(request: Request, model: str) -> Request:
        return in_form(request, name, model)

    return place


def _deployment(request: Request, model: str) -> Request:
    """A deployment stands in the path, where there is one, and the SDK leaves it in the form too."""
    path = _DEPLOYMENT.sub(lambda _: quote(model, safe=""), request.path)
    if path == request.path:
        return in_form(request, "model", model)
    form = multipart.parse(request.headers.get("content-type") or "", _body(request))
    if any(part.name == "model" for part in form.parts):
        request = in_form(request, "model", model)
    return request.with_target(f"{path}?{request.query}" if request.query else path)


def _google(request: Request, model: str) -> Request:
    """In the second version, *model* may name a recognizer as well."""
    recognizer, name = recognizer_of(model)
    if recognizer is not None:
        if not _SECOND_VERSION.match(request.target):
            raise Inexpressible("model", "the first version has no recognizers")
        request = request.with_target(_SECOND_VERSION.sub(lambda _: f"/v2/{recognizer}", request.target))
        if "x-goog-request-params" in request.headers:
            routed = request.headers.with_field("x-goog-request-params", f"recognizer={recognizer}")
            request = request.with_headers(routed)
    if name is None:
        return request
    body = _body(request)
    config = edited(bytes(_fields(body).get("config", Raw(b"{}"))), {"model": name})
    return request.with_body(edited(body, {"config": Raw(config)}))


def _assemblyai(request: Request, model: str) -> Request:
    request = request.with_headers(request.headers.with_field("X-AAI-Model", model))
    body = _body(request)
    form = multipart.parse(request.headers.get("content-type") or "", body)
    config = next((part for part in form.parts if part.name == "config"), None)
    if config is None or "model" not in _fields(bytes(config.data)):
        return request
    return in_form(request, "config", edited(bytes(config.data), {"model": model}).decode())


_PLACES: Final[Mapping[str, Callable[[Request, str], Request]]] = {
    "assemblyai": _assemblyai,
    "azure_openai": _deployment,
    "azure_speech": in_query("cid"),
    "cartesia": _form_field("model"),
    "deepgram": in_query("model"),
    "elevenlabs": _form_field("model_id"),
    "google_cloud": _google,
    "groq": _form_field("model"),
    "mistral": _form_field("model"),
    "openai": _form_field("model"),
    "yandex": in_query("topic"),
}
