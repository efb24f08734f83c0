"""JSON Schema as far as providers differ in it: which keywords each follows, and what it wants to be said."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from sidecar.translation.chat.losses import Losses

Schema = dict[str, Any]

_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS: Final = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_SINGLE: Final = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
#: What may be named in a reason: it is nobody's content.
_KNOWN: Final = frozenset(
    (
        *("pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "format", "not"),
        *("additionalProperties", "patternProperties", "propertyNames", "prefixItems", "contains", "allOf", "if"),
    )
)
#: What tells people something, and models nothing that would bind them.
_REMARKS: Final = frozenset(
    ("$schema", "$id", "$comment", "$anchor", "examples", "example", "deprecated", "readOnly", "writeOnly", "default")
)
#: Said in anthropic/lib/_parse/_transform.py of its SDK: what else there is goes into the description there.
ANTHROPIC: Final = frozenset(
    (
        *("type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "title", "description"),
        *("properties", "required", "additionalProperties", "items", "minItems", "format"),
    )
)
_ANTHROPIC_FORMATS: Final = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
#: Said of ``responseJsonSchema`` in google/genai/types.py; ``oneOf`` is read as ``anyOf``.
GEMINI: Final = frozenset(
    (
        *("type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems"),
        *("minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required"),
        *("$defs", "$ref", "propertyOrdering"),
    )
)

_decode = msgspec.json.Decoder(Schema).decode


def raw_of(schema: Schema) -> Raw:
    return Raw(msgspec.json.encode(schema))


def for_anthropic(raw: Raw, losses: Losses, feature: str) -> Schema:
    """*raw* as an answer, or a call that must follow it, is bound there.

    Raises:
        Inexpressible: of *feature*, it binds in a way that is not known there.
    """
    schema = _each(_decode(raw), _closed)
    schema = _each(schema, lambda each: _renamed(each, "oneOf", "anyOf"))
    return _each(schema, lambda each: _only(each, ANTHROPIC, losses, feature, _binds_anthropic))


def for_gemini(raw: Raw, losses: Losses, feature: str) -> Schema:
    """
    Raises:
        Inexpressible: of *feature*, *raw* binds in a way that is not known there.
    """
    schema = _each(_decode(raw), lambda each: _renamed(each, "definitions", "$defs"))
    schema = _each(schema, _enumerated)
    return _each(schema, lambda each: _only(each, GEMINI, losses, feature, lambda *_: True))


def for_openai(raw: Raw) -> tuple[Schema, bool]:
    """*raw* as it is bound there, and whether it can be: all properties must be required, and no others allowed.

    https://platform.openai.com/docs/guides/structured-outputs names these two rules.
    """
    schema = _each(_decode(raw), _closed)
    bound = True

    def look(each: Schema) -> Schema:
        nonlocal bound
        if "properties" in each or _has_type(each, "object"):
            properties = each.get("properties")
            names = set(properties) if isinstance(properties, dict) else set()
            required = each.get("required")
            whole = (
                names == {name for name in required if isinstance(name, str)}
                if isinstance(required, list)
                else not names
            )
            bound = bound and whole and each.get("additionalProperties") is False
        return each

    _each(schema, look)
    return schema, bound and _has_type(schema, "object")


def of_openapi(raw: Raw) -> Raw:
    """JSON Schema of the subset of OpenAPI's that Gemini's older fields take: types in capitals, ``nullable``."""
    return raw_of(_each(_decode(raw), _from_openapi))


def object_schema(raw: Raw | None) -> Schema:
    """A tool's parameters as an object's schema, which is what providers insist on."""
    schema = {} if raw is None else _decode(raw)
    if "type" not in schema and not schema.keys() & {"anyOf", "oneOf", "allOf", "$ref"}:
        schema = {"type": "object", "properties": {}, **schema}
    return schema


def _each(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """*schema* with *change* made to it and to all that are in it, the innermost first."""
    made: Schema = {}
    for name, value in schema.items():
        if name in _LISTS and isinstance(value, list):
            made[name] = [_each(each, change) if isinstance(each, dict) else each for each in value]
        elif name in _MAPS and isinstance(value, dict):
            made[name] = {key: _each(each, change) if isinstance(each, dict) else each for key, each in value.items()}
        elif name in _SINGLE and isinstance(value, dict):
            made[name] = _each(value, change)
        else:
            made[name] = value
    return change(made)


def _has_type(schema: Schema, kind: str) -> bool:
    said = schema.get("type")
    return said == kind or (isinstance(said, list) and kind in said)


def _closed(schema: Schema) -> Schema:
    """An object that names its properties gets no others: what is answered then still follows the wider schema."""
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


def _renamed(schema: Schema, name: str, other: str) -> Schema:
    if name not in schema or other in schema:
        return schema
    return {other if each == name else each: value for each, value in schema.items()}


def _enumerated(schema: Schema) -> Schema:
    if "const" not in schema or "enum" in schema:
        return schema
    return {
        "enum" if name == "const" else name: [value] if name == "const" else value for name, value in schema.items()
    }


def _only(
    schema: Schema, known: frozenset[str], losses: Losses, feature: str, binds: Callable[[str, Any], bool]
) -> Schema:
    made = {}
    for name, value in schema.items():
        if name in known and binds(name, value):
            made[name] = value
        elif name not in _REMARKS:
            losses.cannot(feature, f"{name if name in _KNOWN else 'a keyword'} of the schema is not followed there")
    return made


def _binds_anthropic(name: str, value: Any) -> bool:
    if name == "additionalProperties":
        return value is False
    if name == "minItems":
        return value in (0, 1)
    return name != "format" or (isinstance(value, str) and value in _ANTHROPIC_FORMATS)


def _from_openapi(schema: Schema) -> Schema:
    made = dict(schema)
    kind = made.get("type")
    if isinstance(kind, str):
        made["type"] = kind.lower()
    made.pop("propertyOrdering", None)
    made.pop("property_ordering", None)
    for name, other in (("any_of", "anyOf"), ("min_items", "minItems"), ("max_items", "maxItems")):
        made = _renamed(made, name, other)
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    return made
