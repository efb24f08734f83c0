"""What the emulation of a provider consists of, and how a request finds its handler."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from urllib.parse import unquote

from sidecar.lab.call import Bench, Call
from sidecar.lab.reply import HeaderList, Refusal, Reply, Trouble, Upgrade

Handler = Callable[[Call], Awaitable[Reply]]
SocketHandler = Callable[[Call], Awaitable[Upgrade]]

_VARIABLE = re.compile(r"\{(\w+)\}")


class Route:
    """``Route("POST", "/v1/models/{model}:generate", handler)``; a variable stands for one segment or a part of one."""

    def __init__(
        self,
        method: str,
        template: str,
        handler: Handler | SocketHandler,
        *,
        socket: bool = False,
        public: bool = False,
    ) -> None:
        self.method = method
        self.template = template
        self.handler = handler
        self.socket = socket
        """Whether it takes WebSocket upgrades, and nothing else."""
        self.public = public
        """Whether it needs no credential."""
        pieces = _VARIABLE.split(template)
        self._pattern = re.compile(
            "".join(
                re.escape(piece) if number % 2 == 0 else f"(?P<{piece}>[^/]+?)" for number, piece in enumerate(pieces)
            )
        )

    def match(self, path: str) -> dict[str, str] | None:
        """The variables of a percent-encoded path, decoded."""
        found = self._pattern.fullmatch(path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


def post(template: str, handler: Handler) -> Route:
    return Route("POST", template, handler)


def get(template: str, handler: Handler) -> Route:
    return Route("GET", template, handler)


def socket(template: str, handler: SocketHandler, *, public: bool = False) -> Route:
    return Route("GET", template, handler, socket=True, public=public)


class Emulation:
    """One provider. A subclass names it, lists its routes, and says how it refuses."""

    name: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]]
    """The real ones; ``*.`` stands for one label."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._routes = tuple(self.routes())

    def routes(self) -> Sequence[Route]:
        raise NotImplementedError

    def credential(self, call: Call) -> str | None:
        """What the call brings to prove who it is, in its provider's way; None if it brings nothing."""
        return bearer(call)

    def refuse(self, refusal: Refusal) -> Reply:
        """*refusal* in the provider's words."""
        raise NotImplementedError

    def refuse_call(self, call: Call, refusal: Refusal) -> Reply:
        """The same for a provider whose words depend on what the client is."""
        return self.refuse(refusal)

    def answer_headers(self, call: Call) -> HeaderList:
        """What the provider adds to every answer: request ids, limits, …"""
        return []

    def find(self, method: str, path: str, *, upgrade: bool) -> tuple[Route, dict[str, str]]:
        """Raises:
        Refusal: nothing is there, or not for this method.
        """
        path_known = False
        for route in self._routes:
            params = route.match(path)
            if params is None:
                continue
            if route.method == method and route.socket == upgrade:
                return route, params
            path_known = True
        raise Refusal(Trouble.METHOD if path_known else Trouble.NOT_FOUND, f"Unknown request URL: {method} {path}.")

    def check(self, call: Call) -> None:
        """Any credential will do, but for those that call themselves wrong.

        Raises:
            Refusal: no credential came, or a wrong one.
        """
        credential = self.credential(call)
        if not credential:
            raise Refusal(Trouble.AUTH, "No credentials were provided.")
        if "wrong" in credential or "invalid" in credential:
            raise Refusal(Trouble.AUTH, "The credentials are not valid.")


def bearer(call: Call, scheme: str = "bearer") -> str | None:
    found, _, credential = call.headers.get("Authorization", "").partition(" ")
    return credential.strip() if found.lower() == scheme.lower() else None
