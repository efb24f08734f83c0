"""The JSON Schema of a configuration file, for editors and for whoever checks a file without this program."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct

from sidecar.configuration.shape import Field, Form, Shape, fields_of, shape_of
from sidecar.settings import ProviderSettings, Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"^\$\{(env:[^}=]+|file:(/|~/)[^}]+)\}$"}
_HAS_REFERENCE = {"type": "string", "pattern": r"\$\{(env:[^}=]+|file:(/|~/)[^}]+)\}"}


def schema(plugin_structs: Mapping[str, type[Struct]], dialects: Collection[str] = ()) -> dict[str, Any]:
    """The schema, the same for the same arguments down to the order of its keys.

    Args:
        plugin_structs: by the name in ``use``, what a plugin's ``config`` is decoded into. The ``config`` of other
            plugins may be any mapping.
        dialects: the names that ``dialect`` may have; any if there are none.
    """
    writer = _Writer()
    document = writer.section(Settings)
    if dialects:
        provider = writer.definitions[ProviderSettings.__name__]
        provider["properties"]["dialect"]["anyOf"] = [{"enum": sorted(dialects)}, {"type": "null"}, _HAS_REFERENCE]
    entry = writer.definitions["PluginSettings"]
    entry["allOf"] = [
        {
            "if": {"properties": {"use": {"const": use}}, "required": ["use"]},
            "then": {"properties": {"config": writer.section(plugin_structs[use])}},
        }
        for use in sorted(plugin_structs)
    ]
    return {
        "$schema": _DIALECT,
        "title": "Configuration of agent-sidecar",
        **document,
        "$defs": dict(sorted(writer.definitions.items())),
    }


class _Writer:
    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}

    def section(self, kind: type[Struct]) -> dict[str, Any]:
        """The schema of a Struct, whole."""
        fields = fields_of(kind)
        required = [key for key, field in fields.items() if field.required]
        # null for a whole section is what is left when all its lines are commented out
        described: dict[str, Any] = {"type": ["object", "null"]}
        if kind.__doc__:
            described["description"] = kind.__doc__.partition("\n\n")[0]
        described["properties"] = {key: self._field(field) for key, field in fields.items()}
        if required:
            described["type"] = "object"
            described["required"] = required
        described["additionalProperties"] = not kind.__struct_config__.forbid_unknown_fields
        return described

    def _field(self, field: Field) -> dict[str, Any]:
        described = self._value(field.shape)
        if field.shape.description:
            described = {"description": field.shape.description, **described}
        if field.default is not NODEFAULT and field.shape.form is not Form.SECTION:
            described["default"] = _plain(field.default)
        return described

    def _value(self, shape: Shape) -> dict[str, Any]:
        described = self._bare(shape)
        if not shape.nullable or shape.form is Form.LEAF:
            return described
        return {"anyOf": [described, {"type": "null"}]}

    def _bare(self, shape: Shape) -> dict[str, Any]:
        if shape.form is Form.SECTION:
            return self._defined(shape.kind)
        if shape.form is Form.TABLE and shape.inner is not None and shape.key is not None:
            described = shape.key.kind.schema if shape.key.form is Form.TEXT else self._value(shape.key)
            names = {key: value for key, value in described.items() if key != "type"}
            table = {"type": ["object", "null"], "additionalProperties": self._value(shape.inner)}
            return {**table, "propertyNames": names} if names else table
        if shape.form is Form.SEQUENCE and shape.inner is not None:
            least = {"minItems": shape.least} if shape.least else {}
            most = {} if shape.most is None else {"maxItems": shape.most}
            return {"type": "array", "items": self._value(shape.inner), **least, **most}
        if shape.form is Form.SECRET:
            return dict(_REFERENCE)
        if shape.form is Form.TEXT:
            return {"anyOf": [dict(shape.kind.schema), dict(_HAS_REFERENCE)]}
        if shape.form is Form.DEFERRED:
            return {"type": ["object", "null"]}
        return self._leaf(shape.kind)

    def _defined(self, kind: type[Struct]) -> dict[str, Any]:
        name = kind.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # a Struct may hold itself
            self.definitions[name] = self.section(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _leaf(self, kind: Any) -> dict[str, Any]:
        described = msgspec.json.schema(kind, schema_hook=_hook, ref_template="#/$defs/{name}")
        self.definitions.update(described.pop("$defs", {}))
        described.pop("description", None)
        return described


def _hook(kind: type[Any]) -> dict[str, Any]:
    if shape_of(kind).form is Form.TEXT:
        return dict(kind.schema)
    raise NotImplementedError


def _plain(value: Any) -> Any:
    """A default as it would be written."""
    if isinstance(value, Struct):
        return {key: _plain(getattr(value, field.name)) for key, field in fields_of(type(value)).items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if hasattr(type(value), "expected"):
        return str(value)
    return msgspec.to_builtins(value)
