"""What an injector keeps in order in Kubernetes: one Secret, and the webhooks of one configuration. No I/O."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct


class Objects(NamedTuple):
    """What an injector keeps in order, by name; *namespace* is its own."""

    namespace: str
    service: str
    secret: str
    configuration: str

    @property
    def names(self) -> tuple[str, ...]:
        """What API servers call the service by."""
        name = f"{self.service}.{self.namespace}.svc"
        return name, f"{name}.cluster.local"


class _Metadata(Struct):
    resourceVersion: str


class _SecretView(Struct):
    metadata: _Metadata
    data: dict[str, str] | None = None


class _ServiceView(Struct):
    name: str
    namespace: str


class _ClientConfigView(Struct):
    service: _ServiceView | None = None
    caBundle: str | None = None


class _WebhookView(Struct):
    clientConfig: _ClientConfigView


class _ConfigurationView(Struct):
    metadata: _Metadata
    webhooks: list[_WebhookView] | None = None


class Secret:
    """As it was read. Values of ``data`` are empty where they are not base64.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: *body* is none.
    """

    def __init__(self, body: bytes) -> None:
        view = msgspec.json.decode(body, type=_SecretView)
        self._whole: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        self.data = {name: _unpacked(value) for name, value in (view.data or {}).items()}

    def holding(self, data: Mapping[str, bytes]) -> bytes:
        """The same with *data* put into it, and with its version: of two who replace it, the second learns that."""
        packed = {name: b64encode(value).decode() for name, value in data.items()}
        return msgspec.json.encode({**self._whole, "data": {**(self._whole.get("data") or {}), **packed}})


class Configuration:
    """As it was read. ``bundles``: whom API servers trust, PEM, by the place of each webhook that calls us.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: *body* is none.
    """

    def __init__(self, body: bytes, objects: Objects) -> None:
        view = msgspec.json.decode(body, type=_ConfigurationView)
        ours = _ServiceView(objects.service, objects.namespace)
        self._version = view.metadata.resourceVersion
        self.bundles = {
            place: _unpacked(webhook.clientConfig.caBundle or "")
            for place, webhook in enumerate(view.webhooks or ())
            if webhook.clientConfig.service == ours
        }

    def trusting(self, roots: bytes) -> bytes:
        """The JSON patch that has all of ours trust *roots*. It fails if anything has changed since, places too."""
        value = b64encode(roots).decode()
        return msgspec.json.encode(
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": self._version},
                *(
                    {"op": "add", "path": f"/webhooks/{place}/clientConfig/caBundle", "value": value}
                    for place, bundle in self.bundles.items()
                    if bundle != roots
                ),
            ]
        )


def _unpacked(value: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except (NotBase64, ValueError):
        return b""
