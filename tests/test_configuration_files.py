"""The files in ``config/``: the default says what the types say, the schema is fresh, the examples work.

Run as a program, this writes the schema: ``python tests/test_configuration_files.py``.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace as structs_replace

from sidecar.catalogue import CATALOGUE
from sidecar.configuration import Configuration, load, providers, schema
from sidecar.configuration.document import Node, parsed
from sidecar.configuration.problem import Finding, Source
from sidecar.configuration.shape import Form, Shape, fields_of
from sidecar.dialects import names
from sidecar.host import find
from sidecar.settings import Settings

CONFIG = Path(__file__).parents[1] / "config"
DEFAULT = CONFIG / "sidecar.yaml"
SCHEMA = CONFIG / "sidecar.schema.json"
#: Those that do nothing unless they are told what: all of their settings stand in an example.
ELSEWHERE = {"ordering": CONFIG / "examples" / "several-providers.yaml"}
EXAMPLES = sorted((CONFIG / "examples").glob("*.yaml"))
KEYS = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", "".join(path.read_text() for path in EXAMPLES)), "k")


def plugin_structs() -> dict[str, type[Struct]]:
    """The Config of each plugin that ships with the sidecar."""
    shipped = tomllib.loads((CONFIG.parent / "pyproject.toml").read_text(encoding="utf-8"))
    return {use: find(use).Config for use in shipped["project"]["entry-points"]["sidecar"]}


def current_schema() -> str:
    return json.dumps(schema(plugin_structs(), names()), indent=2, ensure_ascii=False) + "\n"


def unexpected(finding: Finding) -> None:
    pytest.fail(str(finding.problem(())))


def test_the_default_file_is_what_holds_without_a_file() -> None:
    written, built_in = load(DEFAULT), load()
    assert without_plugins(written) == without_plugins(built_in)
    assert written.warnings == ()
    structs = plugin_structs()
    for index, plugin in enumerate(written.settings.plugins):
        struct = structs[plugin.use]
        assert written.convert_plugin(index, struct) == built_in.convert_plugin(index, struct) == struct()
        unwritten = built_in.settings.plugins[index]
        assert structs_replace(plugin, config={}) == structs_replace(unwritten, config={})


def without_plugins(configuration: Configuration) -> Settings:
    return structs_replace(configuration.settings, plugins=())


def missing(node: Node, shape: Shape, path: str) -> list[str]:
    """The keys that the types have and the file does not."""
    if shape.form is Form.SECTION:
        if shape.nullable and node.value is None:
            return []
        assert isinstance(node.value, dict)
        return [
            absent
            for key, field in fields_of(shape.kind).items()
            for absent in (
                missing(node.value[key], field.shape, f"{path}.{key}") if key in node.value else [f"{path}.{key}"]
            )
        ]
    children = list(node.value.values()) if isinstance(node.value, dict) else node.value
    if shape.inner is None or not isinstance(children, list):
        return []
    return [absent for child in children for absent in missing(child, shape.inner, path)]


def test_the_default_file_has_every_setting() -> None:
    root = parsed(Source("sidecar.yaml", DEFAULT.read_text(encoding="utf-8")), unexpected)
    assert root is not None
    assert missing(root, Shape(Form.SECTION, Settings), "") == []
    plugins = {str(builtins(node)["use"]): node for node in root.value["plugins"].value}
    assert plugins.keys() == plugin_structs().keys() - ELSEWHERE.keys()
    for use, struct in plugin_structs().items():
        if use in ELSEWHERE:
            continue
        assert missing(plugins[use].value["config"], Shape(Form.SECTION, struct), use) == []


@pytest.mark.parametrize("use", ELSEWHERE)
def test_an_example_has_every_setting_of_those_that_do_nothing_by_default(use: str) -> None:
    text = ELSEWHERE[use].read_text(encoding="utf-8")
    assert [name for name in names_in(plugin_structs()[use]) if not re.search(rf"\b{name}:", text)] == []


def names_in(section: type[Struct]) -> list[str]:
    """The settings of *section*, and of those below it."""
    found = []
    for name, setting in fields_of(section).items():
        found.append(name)
        inner: Shape | None = setting.shape
        while inner is not None:
            found += names_in(inner.kind) if inner.form is Form.SECTION else []
            inner = inner.inner
    return found


def test_the_default_file_explains_every_section_and_names_every_choice() -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    for section in Settings.__struct_fields__:
        assert re.search(rf"(?m)^# .*\n{section}:", text), section
    for word in (*names(), *(name for name in CATALOGUE if not name.startswith(("assemblyai-", "deepgram-")))):
        assert re.search(rf"[ #]{word}[,.:]?\s", text), word
    assert all(len(line) <= 120 for line in text.splitlines())


def test_the_schema_is_fresh() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == current_schema(), "run python tests/test_configuration_files.py"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_works(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("k\n", encoding="utf-8")
    text = re.sub(r"\$\{file:[^}]+\}", f"${{file:{secret}}}", path.read_text(encoding="utf-8"))
    (tmp_path / path.name).write_text(text, encoding="utf-8")
    configuration = load(tmp_path / path.name, KEYS)
    assert configuration.warnings == ()
    assert providers(configuration)


@pytest.mark.parametrize("path", [DEFAULT, *EXAMPLES], ids=lambda path: path.stem)
def test_editors_find_the_schema_and_nothing_wrong_by_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    assert (path.parent / named[1]).resolve() == SCHEMA.resolve()
    root = parsed(Source(path.name, text), unexpected)
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert root is not None
    assert complaints(builtins(root), document, document, "") == []


def builtins(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: builtins(child) for key, child in node.value.items()}
    return [builtins(child) for child in node.value] if isinstance(node.value, list) else node.value


KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def complaints(value: Any, rule: dict[str, Any], document: dict[str, Any], path: str) -> list[str]:
    """What JSON Schema has against *value*, as far as our schema uses it."""
    found = []
    if "$ref" in rule:
        found += complaints(value, document["$defs"][rule["$ref"].rpartition("/")[2]], document, path)
    kinds = [rule["type"]] if isinstance(rule.get("type"), str) else rule.get("type", list(KINDS))
    is_kind = any(isinstance(value, KINDS[kind]) and (kind == "boolean") == isinstance(value, bool) for kind in kinds)
    if "type" in rule and not is_kind:
        found.append(f"{path}: {value!r} is no {kinds}")
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{path}: {value!r} is none of {rule['enum']}")
    if "const" in rule and value != rule["const"]:
        found.append(f"{path}: {value!r} is not {rule['const']}")
    if "anyOf" in rule and all(complaints(value, one, document, path) for one in rule["anyOf"]):
        found.append(f"{path}: {value!r} fits none of {rule['anyOf']}")
    for one in rule.get("allOf", ()):
        if not complaints(value, one["if"], document, path):
            found += complaints(value, one["then"], document, path)
    if isinstance(value, str) and not re.search(rule.get("pattern", ""), value):
        found.append(f"{path}: {value!r} does not match {rule['pattern']}")
    if isinstance(value, (int, float)) and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        found.append(f"{path}: {value!r} is out of range")
    if isinstance(value, list):
        found += [each for item in value for each in complaints(item, rule.get("items", {}), document, f"{path}[]")]
        if len(value) < rule.get("minItems", 0):
            found.append(f"{path}: too few")
    if isinstance(value, dict):
        found += [f"{path}.{key} is missing" for key in rule.get("required", ()) if key not in value]
        for key, item in value.items():
            others = rule.get("additionalProperties", True)
            below = rule.get("properties", {}).get(key, others)
            if below is False:
                found.append(f"{path}.{key} is unknown")
            found += complaints(item, below if isinstance(below, dict) else {}, document, f"{path}.{key}")
            found += complaints(key, rule.get("propertyNames", {}), document, f"{path}.{key}")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "listen: {adress: 127.0.0.1:1}",
        "listen: {address: localhost}",
        "upstream: {max_connections: 0}",
        "upstream: {client: curl}",
        "shutdown: {grace: 25}",
        "providers: {OpenAI: {}}",
        "providers: {openai: {credential: sk-live}}",
        "providers: {openai: {dialect: opnai}}",
        "plugins: [cache]",
        "plugins: [{name: cache}]",
        "forward: {deny: [https://x]}",
    ],
)
def test_editors_see_what_is_wrong(text: str) -> None:
    root = parsed(Source("sidecar.yaml", text), unexpected)
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert root is not None
    assert complaints(builtins(root), document, document, "") != []


if __name__ == "__main__":
    SCHEMA.write_text(current_schema(), encoding="utf-8")
