"""What a pod's annotations ask for, and what is wrong with them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from msgspec import Struct

from sidecar.configuration import Configuration, Problem
from sidecar.configuration.document import Node
from sidecar.configuration.wording import choices, nearest
from sidecar.hosts import HostPattern
from sidecar.inject.aliases import is_name
from sidecar.inject.checked import checked, listed_plugins
from sidecar.inject.names import DOMAIN, LABEL, STATUS
from sidecar.inject.settings import MODES, InjectSettings, Mode, overrides

#: What can be asked for.
KNOWN: Final = (
    "config",
    "config-map",
    "cpu-request",
    "egress-lock",
    "env-secret",
    "extra-ca-config-map",
    "hosts",
    "image",
    "memory-limit",
    "memory-request",
    "mode",
    "plugins",
    "trust-java",
    "uid",
)
#: The name of the annotation with the configuration, in messages.
INLINE: Final = f"annotation {DOMAIN}config"

_OBJECT_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = r"[A-Za-z0-9._-]{1,253}"
_IMAGE = re.compile(r"[^\s]+")
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([-+]?\d{1,2}))?")
_SCALE: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LAST_UID = 2**31 - 1

Refuse = Callable[[str], None]


class Asked(Struct, frozen=True, kw_only=True):
    """What the pod is to get."""

    mode: Mode
    image: str
    uid: int
    cpu_request: str
    memory_request: str
    memory_limit: str
    hosts: tuple[str, ...]
    """Names that mean a provider in this pod, beside those of the configuration."""
    trust_java: bool
    inline: bool
    """Whether an annotation has the configuration in it."""
    config_map: str
    """The ConfigMap with the configuration; "" for none."""
    plugins: str
    """What the proxy is told of its plugins, as YAML; "" for what the configuration says."""
    egress_lock: tuple[IPv4Network | IPv6Network, ...] | None
    """The networks that containers may dial themselves, if all else must go through the sidecar."""
    env_secret: str
    """The Secret with what ``${env:…}`` of the configuration refers to; "" for none."""
    extra_ca: tuple[str, str] | None
    """The ConfigMap with further certificates, and the key in it."""
    configuration: Configuration
    """As far as it is known here: that of a ConfigMap is not."""
    remarks: tuple[str, ...] = ()
    """What works, but hardly as wanted."""


def asked(annotations: Mapping[str, Any], settings: InjectSettings, refuse: Refuse) -> Asked:
    """What *annotations* ask for, over what *settings* say. *refuse* is told of everything that is wrong."""
    texts = _texts(annotations, refuse)
    mode = settings.mode
    if "mode" in texts:
        if (found := next((each for each in MODES if each == texts["mode"]), None)) is None:
            refuse(_wrong("mode", texts["mode"], choices(MODES), nearest(texts["mode"], MODES)))
        else:
            mode = found
    config_map = _matched(texts, "config-map", _OBJECT_NAME, "the name of a ConfigMap", refuse)
    if "config" in texts and "config-map" in texts:
        refuse(f"{INLINE} and {DOMAIN}config-map both give a configuration; remove one of them")
    plugins, configuration, problems = _configured(texts.get("config", ""), texts.get("plugins"), mode)
    for problem in problems:
        if problem.severity == "error":
            refuse(str(problem))
    extra = _matched(texts, "extra-ca-config-map", rf"{_OBJECT_NAME}(?:/{_KEY})?", "NAME or NAME/KEY", refuse)
    name, _, key = extra.partition("/")
    cpu = _quantity(texts, "cpu-request", settings.cpu_request, refuse)
    request = _quantity(texts, "memory-request", settings.memory_request, refuse)
    limit = _quantity(texts, "memory-limit", settings.memory_limit, refuse)
    if size(request) > size(limit):
        refuse(f"the sidecar would ask for {request} of memory and may have {limit}; change {DOMAIN}memory-limit")
    return Asked(
        mode=mode,
        image=_matched(texts, "image", _IMAGE.pattern, "an image", refuse) or settings.image,
        uid=_uid(texts, settings.uid, refuse),
        cpu_request=cpu,
        memory_request=request,
        memory_limit=limit,
        hosts=tuple(_hosts(texts.get("hosts", ""), refuse)),
        trust_java=_switch(texts, "trust-java", refuse),
        inline="config" in texts,
        config_map=config_map,
        plugins=plugins,
        egress_lock=_egress_lock(texts, refuse),
        env_secret=_matched(texts, "env-secret", _OBJECT_NAME, "the name of a Secret", refuse),
        extra_ca=(name, key or "ca.crt") if name else None,
        configuration=configuration,
        remarks=tuple(f"{each.path}: {each.message}" for each in problems if each.severity != "error"),
    )


def size(quantity: str) -> Decimal:
    """The number that a quantity of Kubernetes stands for: ``64Mi``, ``0.5``, ``1e3``; zero for what is none."""
    if (matched := _QUANTITY.fullmatch(quantity)) is None:
        return Decimal(0)
    number, suffix, exponent = Decimal(matched[1]), matched[2] or "", matched[3]
    if exponent:
        return number.scaleb(int(exponent))
    if suffix.endswith("i"):
        return number * Decimal(1024) ** ("KMGTPE".index(suffix[0]) + 1)
    return number.scaleb(_SCALE[suffix])


def _texts(annotations: Mapping[str, Any], refuse: Refuse) -> dict[str, str]:
    """Our annotations by their short names."""
    texts = {}
    for full, value in annotations.items():
        if not str(full).startswith(DOMAIN) or full == STATUS:
            continue
        name = full.removeprefix(DOMAIN)
        if full == LABEL:
            refuse(f"annotation {full} selects nothing; make it a label")
        elif name not in KNOWN:
            hint = nearest(name, KNOWN) or f"there are {', '.join(KNOWN)}"
            refuse(f"annotation {full} is not known; {hint}")
        elif not isinstance(value, str):
            refuse(f"annotation {full} is {json.dumps(value, default=str)}; expected text, so put it in quotes")
        else:
            texts[name] = str(value)
    return texts


@lru_cache(128)
def _configured(config: str, listed: str | None, mode: Mode) -> tuple[str, Configuration, tuple[Problem, ...]]:
    """What the proxy is to be told of its plugins, its configuration, and everything that is wrong with both.

    Remembered, since pods come in replicas: what one asks for the next asks for as well.
    """
    plugins, node, problems = ("", None, ()) if listed is None else _plugins(listed)
    configuration, found = checked(config, node, INLINE, overrides(mode))
    return plugins, configuration, (*problems, *found)


def _plugins(listed: str) -> tuple[str, Node | None, tuple[Problem, ...]]:
    """What the proxy is to be told, the same as a tree, and what is wrong with it."""
    node, problems = listed_plugins(listed, f"annotation {DOMAIN}plugins")
    if node is None:
        return "", None, problems
    if isinstance(node.value, list) and (entries := [_use(item) for item in node.value]) and all(entries):
        return json.dumps([{"use": name} for name in entries], separators=(",", ":")), node, problems
    return listed, node, problems


def _use(item: Node) -> str | None:
    """The plugin's name, if nothing else is said of it."""
    if isinstance(item.value, dict) and item.value.keys() == {"use"}:
        return item.value["use"].written
    return None


def _matched(texts: Mapping[str, str], name: str, pattern: str, expected: str, refuse: Refuse) -> str:
    """The text of *name*; "" if it is not there, or wrong."""
    if name not in texts:
        return ""
    text = texts[name].strip()
    if re.fullmatch(pattern, text):
        return text
    refuse(_wrong(name, text, expected))
    return ""


def _quantity(texts: Mapping[str, str], name: str, default: str, refuse: Refuse) -> str:
    return _matched(texts, name, _QUANTITY.pattern, "a quantity such as 50m, 0.5 or 256Mi", refuse) or default


def _uid(texts: Mapping[str, str], default: int, refuse: Refuse) -> int:
    if "uid" not in texts:
        return default
    text = texts["uid"].strip()
    if re.fullmatch(r"[1-9][0-9]{0,9}", text) and int(text) <= _LAST_UID:
        return int(text)
    refuse(_wrong("uid", text, f"a whole number from 1 to {_LAST_UID}"))
    return default


def _switch(texts: Mapping[str, str], name: str, refuse: Refuse) -> bool:
    if (text := texts.get(name, "true")) not in ("true", "false"):
        refuse(_wrong(name, text, "true or false"))
    return text != "false"


def _egress_lock(texts: Mapping[str, str], refuse: Refuse) -> tuple[IPv4Network | IPv6Network, ...] | None:
    if (text := texts.get("egress-lock", "false").strip()) in ("true", "false"):
        return () if text == "true" else None
    networks = []
    for each in (part.strip() for part in text.split(",")):
        try:
            networks.append(ip_network(each))
        except ValueError as error:
            expected = "true, or networks separated by commas that may be dialled past the sidecar"
            refuse(_wrong("egress-lock", each, expected, str(error)))
    return tuple(networks)


def _hosts(text: str, refuse: Refuse) -> Iterable[str]:
    for name in filter(None, (part.strip() for part in text.split(","))):
        try:
            pattern = HostPattern(name)
        except ValueError as error:
            refuse(_wrong("hosts", name, "names separated by commas", *error.args[1:]))
            continue
        if is_name(pattern):
            yield str(pattern)
        else:
            refuse(_wrong("hosts", name, "whole names such as eastus.openai.azure.com, for a hosts file has no others"))


def _wrong(name: str, text: str, expected: str, hint: str = "") -> str:
    said = f"annotation {DOMAIN}{name}: {json.dumps(text[:60], ensure_ascii=False)} does not fit; expected {expected}"
    return f"{said}; {hint}" if hint else said
