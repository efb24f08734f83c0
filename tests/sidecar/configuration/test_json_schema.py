"""The JSON Schema says the same as the types."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from sidecar.configuration import schema
from sidecar.provider import Secret
from sidecar.units import Duration


class Keeping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long answers are kept."""

    ttl: Annotated[Duration, Meta(description="How long.")] = Duration("1h")
    share: Annotated[float, Meta(ge=0, le=1, description="How many.")] | None = None
    mode: Annotated[Literal["read", "write"], Meta(description="Which way.")] = "read"
    key: Annotated[Secret | None, Meta(description="For the store.")] = None
    model: Annotated[str, Meta(description="Which.")]


DOCUMENT = schema({"keeping": Keeping}, ["openai", "groq"])
PLUGIN = DOCUMENT["$defs"]["PluginSettings"]
PROVIDER = DOCUMENT["$defs"]["ProviderSettings"]["properties"]


def parts(value: Any) -> Iterator[Any]:
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(child)


def test_every_section_refuses_unknown_keys_and_describes_the_known() -> None:
    sections = [part for part in parts(DOCUMENT) if isinstance(part, dict) and "additionalProperties" in part]
    assert len(sections) >= len(DOCUMENT["$defs"])
    for section in sections:
        if "properties" in section:
            assert section["additionalProperties"] is False
            assert all("description" in described for described in section["properties"].values())


def test_every_reference_leads_somewhere() -> None:
    targets = {part["$ref"] for part in parts(DOCUMENT) if isinstance(part, dict) and "$ref" in part}
    assert targets == {f"#/$defs/{name}" for name in DOCUMENT["$defs"]}


def test_the_config_of_a_plugin_depends_on_which_it_is() -> None:
    (case,) = PLUGIN["allOf"]
    assert case["if"] == {"properties": {"use": {"const": "keeping"}}, "required": ["use"]}
    config = case["then"]["properties"]["config"]
    assert config["description"] == "How long answers are kept."
    assert config["required"] == ["model"]
    assert config["properties"]["ttl"]["default"] == "1h"
    assert config["properties"]["share"]["anyOf"] == [
        {"type": "number", "minimum": 0, "maximum": 1, "description": "How many."},
        {"type": "null"},
    ]
    assert config["properties"]["mode"]["enum"] == ["read", "write"]
    assert PLUGIN["properties"]["config"]["type"] == ["object", "null"]


def test_names_of_dialects_are_a_choice() -> None:
    assert PROVIDER["dialect"]["anyOf"][0] == {"enum": ["groq", "openai"]}
    assert {"type": "string"} in schema({})["$defs"]["ProviderSettings"]["properties"]["dialect"]["anyOf"]


def test_a_secret_is_a_reference() -> None:
    assert PROVIDER["credential"]["anyOf"][0]["pattern"].startswith(r"^\$\{(env:")


def test_the_names_of_providers_have_their_pattern() -> None:
    assert DOCUMENT["properties"]["providers"]["propertyNames"]["pattern"].startswith("^[a-z0-9]")


def test_the_same_arguments_give_the_same_bytes() -> None:
    again = schema({"keeping": Keeping}, ["groq", "openai"])
    assert json.dumps(DOCUMENT) == json.dumps(again)
    assert DOCUMENT["$schema"] == "https://json-schema.org/draft/2020-12/schema"
