"""What holds for all pods unless one asks otherwise, and what each mode needs of the proxy's configuration."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from sidecar import __version__
from sidecar.inject.names import HTTPS_PORT, KEYS, PROBES_PORT, PROXY_PORT, REDIRECT_PORT, TRUST

#: How calls reach the sidecar. hosts: the providers' names mean loopback. redirect: the kernel turns connections round.
#: env: variables tell SDKs where to call.
Mode = Literal["hosts", "redirect", "env"]
MODES: Final[tuple[Mode, ...]] = ("hosts", "redirect", "env")

#: What the proxy is told by its environment, by the path of the setting: in every mode, and in each.
EVERY_MODE: Final[Mapping[str, str | Sequence[str]]] = {
    # the probes and the base URLs of this pod point there, whatever the configuration says
    "listen.address": f"127.0.0.1:{PROXY_PORT}",
    "probes.address": f"0.0.0.0:{PROBES_PORT}",
    "tls.directory": KEYS,
    "tls.trust_directory": TRUST,
}
EACH_MODE: Final[Mapping[Mode, Mapping[str, str | Sequence[str]]]] = {
    "hosts": {
        "listen.transparent": (f"127.0.0.1:{HTTPS_PORT}", f"[::1]:{HTTPS_PORT}"),
        # the pod's hosts file leads back to ourselves
        "upstream.resolver": "dns",
    },
    "redirect": {"listen.transparent": (f"127.0.0.1:{REDIRECT_PORT}", f"[::1]:{REDIRECT_PORT}")},
    # for agents that cannot be made to trust us: what comes by HTTPS_PROXY is spliced
    "env": {"tls.intercept": "false"},
}


def overrides(mode: Mode) -> dict[str, str]:
    """What the proxy is told in *mode*, as variables that put settings over those of its configuration."""
    settings = {**EVERY_MODE, **EACH_MODE[mode]}
    return {variable(path): value if isinstance(value, str) else as_list(*value) for path, value in settings.items()}


def variable(path: str) -> str:
    """The variable for the setting at *path*."""
    return f"SIDECAR__{path.replace('.', '__').upper()}"


def as_list(*items: str) -> str:
    """A list as a variable has it."""
    return json.dumps(items)


class InjectSettings(Struct, frozen=True, kw_only=True):
    """What a pod gets that asks for nothing else by annotations."""

    image: str = f"agent-sidecar:{__version__}"
    mode: Mode = "hosts"
    uid: int = 64443
    """User and group of the added containers; nobody else's in the pod, for its traffic is not redirected."""
    cpu_request: str = "50m"
    memory_request: str = "96Mi"
    memory_limit: str = "256Mi"
