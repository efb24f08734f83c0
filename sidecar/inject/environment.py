"""The variables that lead an agent's calls to the sidecar, and make it trusted.

A variable that the pod sets itself is never changed; but a JVM takes one variable with all its options, so ours are put
behind them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sidecar.inject.asked import Asked
from sidecar.inject.names import BUNDLE, CERTIFICATE, JAVA_STORE, PROXY_PORT, TRUST

JAVA: Final = "JAVA_TOOL_OPTIONS"
_STORE_OPTION: Final = "-Djavax.net.ssl.trustStore="
#: What Java is told: the store has no password, so none is named.
JAVA_OPTION: Final = f"{_STORE_OPTION}{JAVA_STORE}"

#: Who reads which is in docs/cli.md, under `sidecar doctor`. A bundle replaces the system's certificates, and holds
#: them; Node and Deno add the one that they are given.
TRUST_VARIABLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "AWS_CA_BUNDLE",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
            "GIT_SSL_CAINFO",
            "PIP_CERT",
            "HTTPLIB2_CA_CERTS",
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
            "NIX_SSL_CERT_FILE",
        ),
        BUNDLE,
    ),
    "NODE_EXTRA_CA_CERTS": CERTIFICATE,
    "DENO_CERT": CERTIFICATE,
}
#: The variables that SDKs really read, each with its provider and the path that the SDK expects in it.
BASE_URLS: Final[Mapping[str, tuple[str, str]]] = {
    "OPENAI_BASE_URL": ("openai", "/v1"),
    "AZURE_OPENAI_ENDPOINT": ("azure-openai", ""),
    "ANTHROPIC_BASE_URL": ("anthropic", ""),
    "GOOGLE_GEMINI_BASE_URL": ("gemini", ""),
    "GROQ_BASE_URL": ("groq", ""),
    "TOGETHER_BASE_URL": ("together", "/v1"),
}
_PROXY_URL: Final = f"http://127.0.0.1:{PROXY_PORT}"
_NOT_BY_PROXY: Final = "localhost,127.0.0.1,::1,.svc,.cluster.local"
#: Variables that are read in capitals by some and in small letters by others. NO_PROXY has the API server's address,
#: which Kubernetes puts in.
_PROXIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), _PROXY_URL),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST)"),
}


def variables(asked: Asked) -> dict[str, str]:
    """What each container of the agent is to have, by name, as Kubernetes reads it."""
    if asked.mode != "env":
        return dict(TRUST_VARIABLES) | ({JAVA: JAVA_OPTION} if asked.trust_java else {})
    found = asked.configuration.settings.providers
    urls = {
        name: f"{_PROXY_URL}/{provider}{path}"
        for name, (provider, path) in BASE_URLS.items()
        if (settings := found.get(provider)) is not None and settings.enabled and settings.url is not None
    }
    return {**urls, **_PROXIES}


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether a variable can have come from here, this version or another."""
    value = entry.get("value")
    return isinstance(value, str) and value.startswith((f"{TRUST}/", _PROXY_URL, JAVA_OPTION, _NOT_BY_PROXY))


def missing(env: Sequence[Mapping[str, Any]], due: Mapping[str, str]) -> dict[str, str]:
    """What of *due* a container with *env* does not set itself; for proxies, in capitals or not."""
    own = {str(entry.get("name")) for entry in env}
    folded = {name.lower() for name in own}
    return {
        name: value
        for name, value in due.items()
        if name not in own and not (name in _PROXIES and name.lower() in folded)
    }


def java_options(env: Sequence[Mapping[str, Any]]) -> tuple[int, str] | None:
    """Which entry of *env* has options for Java that ours belong behind, and what to append to it."""
    found = [index for index, entry in enumerate(env) if entry.get("name") == JAVA]
    value = env[found[-1]].get("value") if found else None
    if not isinstance(value, str) or _STORE_OPTION in value:
        return None
    return found[-1], f" {JAVA_OPTION}" if value else JAVA_OPTION


def remarks(container: str, env: Sequence[Mapping[str, Any]], due: Mapping[str, str]) -> Iterator[str]:
    """What a container sets itself although something else is *due*."""
    own = {str(entry.get("name")): entry.get("value") for entry in env}
    differing = [name for name, value in due.items() if name in own and own[name] != value and name not in _PROXIES]
    trusts = [name for name in differing if name in TRUST_VARIABLES or (name == JAVA and java_options(env) is None)]
    if trusts:
        yield f"container {container} must trust {CERTIFICATE} by itself: it sets {', '.join(trusts)}"
    urls = [name for name in differing if name in BASE_URLS]
    if urls:
        yield f"container {container} may call past the sidecar: it sets {', '.join(urls)}"


def escaped(text: str) -> str:
    """*text* as the value of a variable: Kubernetes makes one $ of two, and looks up what stands in $(…)."""
    return text.replace("$", "$$")
