"""What the API server takes: Kubernetes' own schemas, and of kinds that others bring, as much as we use of them."""

import json
from functools import cache, lru_cache
from typing import Any

import jsonschema
import kubernetes_validate
from kubernetes_validate import utils

# it reads the same megabytes for every object anew
utils.schema_contents = lru_cache(8)(utils.schema_contents)

Table = dict[str, Any]
Schema = dict[str, Any]


def fields(required: str = "", **properties: Schema) -> Schema:
    """A mapping of these fields and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": {name.strip("_"): schema for name, schema in properties.items()},
    }


def several(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": item}


TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
SWITCH: Schema = {"type": "boolean"}
DURATION: Schema = {"type": "string", "pattern": r"^(\d+(ms|[smhdwy]))+$"}
#: As kubernetes-validate has it for other kinds.
METADATA: Schema = fields("name namespace", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
SELECTOR: Schema = fields(
    matchLabels=TEXTS,
    matchExpressions=several(fields("key operator", key=TEXT, operator=TEXT, values=several(TEXT))),
)

#: By API version and kind, what stands under spec. Sources: the operators' documentation of their API.
FOREIGN: dict[tuple[str, str], Schema] = {
    ("cert-manager.io/v1", "Issuer"): fields(selfSigned=fields()),
    ("cert-manager.io/v1", "Certificate"): fields(
        "secretName issuerRef",
        secretName=TEXT,
        dnsNames=several(TEXT),
        privateKey=fields(
            algorithm={"enum": ["RSA", "ECDSA", "Ed25519"]}, rotationPolicy={"enum": ["Never", "Always"]}
        ),
        issuerRef=fields("name", name=TEXT, kind=TEXT, group=TEXT),
        duration=DURATION,
        renewBefore=DURATION,
        usages=several(TEXT),
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): fields(
        "selector podMetricsEndpoints",
        namespaceSelector=fields(any=SWITCH, matchNames=several(TEXT)),
        selector=SELECTOR,
        podMetricsEndpoints=several(
            fields(
                "port",
                port=TEXT,
                path=TEXT,
                interval=DURATION,
                relabelings=several(fields(action={"enum": ["replace"]}, targetLabel=TEXT, replacement=TEXT)),
            )
        ),
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): fields(
        "groups",
        groups=several(
            fields(
                "name rules",
                name=TEXT,
                rules=several(
                    fields("expr", alert=TEXT, record=TEXT, expr=TEXT, for_=DURATION, labels=TEXTS, annotations=TEXTS)
                ),
            )
        ),
    ),
}


def validate(document: Table, version: str) -> None:
    """
    Raises:
        Exception: Kubernetes of that version would not take *document*, or would drop a field of it.
    """
    if (spec := FOREIGN.get((document["apiVersion"], document["kind"]))) is None:
        _validated(json.dumps(document, sort_keys=True), version)
    else:
        jsonschema.validate(document, fields("metadata spec", apiVersion=TEXT, kind=TEXT, metadata=METADATA, spec=spec))


@cache
def _validated(document: str, version: str) -> None:
    """What is the same in several places is looked at once."""
    kubernetes_validate.validate(json.loads(document), version, strict=True)
