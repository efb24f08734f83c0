"""A JSON value that follows a schema and fits a text."""

from typing import Any

from sidecar.lab.engines import words

Schema = dict[str, Any]

_MAX_DEPTH = 8


def filled(schema: Schema, text: str, name: str = "") -> Any:
    """The value for *schema* that *text* suggests; *name* is the field's, if it is one."""
    return _Filling(schema, text).value(schema, name, 0)


class _Filling:
    def __init__(self, root: Schema, text: str) -> None:
        self._root = root
        self._text = text

    def value(self, schema: Schema, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if isinstance(options := schema.get("enum"), list) and options:
            return options[words.choice([str(option) for option in options], self._text)]
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(self._alternative(alternatives, name), name, depth)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((option for option in kind if option != "null"), "null")
        return self._by_type(str(kind).lower(), schema, name, depth)

    def _by_type(self, kind: str, schema: Schema, name: str, depth: int) -> Any:
        about = f"{name} {schema.get('description', '')}"
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            count = int(schema.get("minItems", 1))
            return (
                [self.value(schema.get("items", {}), name, depth + 1) for _ in range(count)]
                if depth < _MAX_DEPTH
                else []
            )
        if kind == "boolean":
            return words.yes(about, self._text) >= 0.5
        if kind in ("integer", "number"):
            return self._number(kind, schema, name)
        if kind == "null":
            return None
        return self._string(schema, name)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        made = {}
        for name, part in schema.get("properties", {}).items():
            wanted = name in required or (words.is_slot(name) and words.slot(name, self._text) is not None)
            if depth < _MAX_DEPTH and (wanted or not required):
                made[name] = self.value(part, name, depth + 1)
        return made

    def _number(self, kind: str, schema: Schema, name: str) -> int | float:
        if "confidence" in name or "probability" in name or "score" in name:
            found: float | None = 0.9
        else:
            found = words.number(self._text)
        low, high = schema.get("minimum", 0), schema.get("maximum")
        value = max(found if found is not None else low, low)
        if high is not None:
            value = min(value, high)
        return int(value) if kind == "integer" else float(value)

    def _string(self, schema: Schema, name: str) -> str:
        text = words.slot(name, self._text)
        if text is None:
            text = "" if words.is_slot(name) else self._text.strip()
        limit = schema.get("maxLength")
        return text[:limit] if isinstance(limit, int) else text

    def _alternative(self, alternatives: list[Schema], name: str) -> Schema:
        """Null where the field is one for which the text says nothing, else the first that is not null."""
        resolved = [self._resolved(alternative) for alternative in alternatives]
        null = next((schema for schema in resolved if schema.get("type") == "null"), None)
        if null is not None and words.is_slot(name) and words.slot(name, self._text) is None:
            return null
        return next((schema for schema in resolved if schema.get("type") != "null"), resolved[0])

    def _resolved(self, schema: Schema) -> Schema:
        for _ in range(_MAX_DEPTH):
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                break
            target: Any = self._root
            for step in reference.removeprefix("#/").split("/"):
                target = target.get(step, {}) if step != "#" else target
            schema = target
        return schema
