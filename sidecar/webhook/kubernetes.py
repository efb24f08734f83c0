"""The few things that are asked of the Kubernetes API; see `sidecar.webhook.objects`.

Files are read for each look, since the kubelet replaces tokens within the hour and clusters change their authority.
What the API says is not repeated in messages but for its one-word reason: nothing secret can come into a log by it.
"""

import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from sidecar.addresses import Url
from sidecar.errors import ConfigurationError, SidecarError
from sidecar.webhook.objects import Configuration, Objects, Secret

#: Where Kubernetes puts what a pod needs to speak to its API.
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0, connect=5.0)
#: Objects have at most 1.5 MiB in etcd; JSON writes some of it longer.
_MAX_BYTES: Final = 4 * 1024 * 1024
_CONFLICTS: Final = (409, 422)


class ApiError(SidecarError):
    """The API did not do what was asked; the message says what to do, and has no secret in it."""


class Conflict(ApiError):
    """Somebody else has changed the object since it was read."""


class Access(NamedTuple):
    """Where the API is, and the directory with the token and the authority for it."""

    url: URL
    directory: Path


def access(environ: Mapping[str, str], directory: Path) -> Access:
    """
    Raises:
        ConfigurationError: this is no pod.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigurationError(
            "KUBERNETES_SERVICE_HOST is not set, and without Kubernetes there is nowhere to keep a certificate; "
            "run this in a pod, or name files with --cert and --key"
        )
    bare = ":" in host and not host.startswith("[")
    try:
        origin = Url(f"https://{f'[{host}]' if bare else host}:{port}").origin
        return Access(URL.build(scheme="https", host=origin.host, port=origin.port), directory)
    except ValueError as error:
        raise ConfigurationError(
            f"KUBERNETES_SERVICE_HOST {host!r:.80} with KUBERNETES_SERVICE_PORT {port!r:.20} {error.args[0]}; expected "
            "a host or an IP address, and a port"
        ) from None


def own_namespace(directory: Path) -> str:
    """
    Raises:
        ConfigurationError: the pod's service account is not mounted.
    """
    try:
        namespace = (directory / "namespace").read_text(encoding="ascii").strip()
        problem = "" if namespace else "it is empty"
    except (OSError, UnicodeDecodeError) as error:
        namespace, problem = "", _why(error)
    if problem:
        raise ConfigurationError(
            f"{directory}/namespace cannot be read: {problem}; set the pod's automountServiceAccountToken to true, or "
            "name files with --cert and --key"
        )
    return namespace


def _why(error: OSError | UnicodeDecodeError) -> str:
    """Without what was read."""
    return (error.strerror or type(error).__name__).lower() if isinstance(error, OSError) else "it is no text"


class Api:
    """Made by `connected`; all of it may raise `ApiError`."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, objects: Objects) -> None:
        self._session = session
        self._objects = objects
        self._where = f"{url.host}:{url.port}"
        self._secret = url.joinpath("api/v1/namespaces", objects.namespace, "secrets", objects.secret)
        self._configuration = url.joinpath(
            "apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", objects.configuration
        )

    async def secret(self) -> Secret:
        body = await self._ask("get", self._secret)
        try:
            return Secret(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ApiError(f"the API at {self._where} answers with something that is no Secret") from None

    async def replace_secret(self, body: bytes) -> None:
        """
        Raises:
            Conflict
        """
        await self._ask("update", self._secret, body, "application/json")

    async def configuration(self) -> Configuration:
        body = await self._ask("get", self._configuration)
        try:
            return Configuration(body, self._objects)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ApiError(
                f"the API at {self._where} answers with something that is no MutatingWebhookConfiguration"
            ) from None

    async def patch_configuration(self, patch: bytes) -> None:
        """
        Raises:
            Conflict
        """
        await self._ask("patch", self._configuration, patch, "application/json-patch+json")

    async def _ask(self, verb: str, url: URL, body: bytes | None = None, kind: str | None = None) -> bytes:
        method = {"get": "GET", "update": "PUT", "patch": "PATCH"}[verb]
        headers = {"Content-Type": kind} if kind else {}
        try:
            # the token is for nobody else, wherever we might be sent
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                told = await _read(answer)
        except TimeoutError:
            raise ApiError(f"the API at {self._where} does not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(f"the API at {self._where} cannot be asked: {str(error) or type(error).__name__}") from None
        if answer.status == 200:
            return told
        if answer.status in _CONFLICTS and body is not None:
            raise Conflict(f"the {self._named(url)} cannot be changed: {answer.status} {_reason(told)}")
        raise ApiError(self._refusal(answer.status, verb, url, told))

    def _named(self, url: URL) -> str:
        if url == self._secret:
            return f"Secret {self._objects.namespace}/{self._objects.secret}"
        return f"MutatingWebhookConfiguration {self._objects.configuration}"

    def _refusal(self, status: int, verb: str, url: URL, told: bytes) -> str:
        named, secret = self._named(url), url == self._secret
        if status == 404 and secret:
            return f"there is no {named}; apply deploy/k8s/base/secret.yaml, or name another one with --secret"
        if status == 404:
            return f"there is no {named}; apply deploy/k8s/base/webhook.yaml, or name another one with --configuration"
        if status == 403:
            rule = "get and update on secrets" if secret else "get and patch on mutatingwebhookconfigurations"
            role = "Role" if secret else "ClusterRole"
            name = self._objects.secret if secret else self._objects.configuration
            return (
                f"may not {verb} the {named}; the service account needs a {role} with {rule}, "
                f"resourceNames [{name}]: deploy/k8s/base/rbac.yaml"
            )
        if status == 401:
            return f"the API at {self._where} does not take the service account's token; start the pod anew"
        return f"the API at {self._where} answers {status} {_reason(told)} when asked to {verb} the {named}"


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    told = bytearray()
    async for chunk in answer.content.iter_any():
        told += chunk
        if len(told) > _MAX_BYTES:
            raise ValueError(f"it answers with more than {_MAX_BYTES} bytes")
    return bytes(told)


def _reason(told: bytes) -> str:
    """Of a failure, in Kubernetes' one word."""
    found = re.search(rb'"reason"\s*:\s*"([A-Za-z]{1,40})"', told[:10_000])
    return found[1].decode() if found else "without a reason"


@contextlib.asynccontextmanager
async def connected(access: Access, objects: Objects) -> AsyncIterator[Api]:
    """For one look.

    Raises:
        ApiError: token or authority cannot be used.
    """
    try:
        token = (access.directory / "token").read_text(encoding="ascii").strip()
        trust = ssl.create_default_context(cafile=str(access.directory / "ca.crt"))
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError(
            f"token or ca.crt in {access.directory} cannot be used: {_why(error)}; "
            "the pod needs automountServiceAccountToken: true"
        ) from None
    if not token or not token.isprintable():
        raise ApiError(f"{access.directory}/token is no token; the pod needs automountServiceAccountToken: true")
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "agent-sidecar"},
        connector=aiohttp.TCPConnector(ssl=trust),
        timeout=_TIMEOUT,
        trust_env=False,
    ) as session:
        yield Api(session, access.url, objects)
