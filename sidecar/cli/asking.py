"""Asking a running sidecar over its admin interface."""

import http.client
import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

from sidecar.errors import AdminUnreachable

_PATIENCE_SECONDS = 5.0
_EXPECTED = ("application/json", "application/x-ndjson", "application/octet-stream")
_LOCAL = frozenset(("127.0.0.1", "localhost", "::1"))


class Refused(Exception):
    """The sidecar has no such thing to tell; ``str()`` says what it said."""


class Asking:
    """
    Args:
        url: ``http://127.0.0.1:15088``; host and port alone will do.
    """

    def __init__(self, url: str) -> None:
        """
        Raises:
            AdminUnreachable: *url* is none.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme != "http" or not host or not re.fullmatch(r"[\w.:%-]+", host):
            raise AdminUnreachable(f"--admin {url} is no address to ask; expected http://127.0.0.1:15088 or the like")
        self.url = f"http://{parts.netloc}"
        self._host = host
        self._port = port or 15088

    def whole(
        self, target: str, method: str = "GET", body: bytes | None = None, patience_seconds: float = 5.0
    ) -> bytes:
        """The answer to a question for *target*: JSON, or bytes that a plugin tells.

        Raises:
            Refused: it has no such thing.
            AdminUnreachable: there is no sidecar there.
        """
        connection = http.client.HTTPConnection(self._host, self._port, timeout=patience_seconds)
        try:
            answer = self._asked(connection, target, method, body)
            return answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def status(self) -> bytes:
        return self.whole("/status")

    def last(self, calls: int) -> bytes:
        """The last *calls*, oldest first."""
        return self.whole(f"/calls?last={calls}")

    def call(self, prefix: str) -> bytes:
        """The call whose id begins with *prefix*; ``last`` is the last one."""
        return self.whole(f"/calls/{quote(prefix, safe='')}")

    def follow(self) -> Iterator[bytes]:
        """First an empty line, as soon as nothing can be missed any more; then a line of JSON per call, as it ends.

        Ends when the sidecar does.

        Raises:
            AdminUnreachable: there is no sidecar there.
        """
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE_SECONDS)
        try:
            answer = self._asked(connection, "/calls/follow")
            first = answer.readline()
            if connection.sock is not None:
                connection.sock.settimeout(None)  # the next call may be hours away
            yield first
            while line := answer.readline():
                if line.endswith(b"\n"):  # the last one may have been cut off
                    yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def plugin(
        self,
        name: str,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        patience_seconds: float = 5.0,
        **query: str,
    ) -> bytes:
        """What the plugin called *name* says to a question of its own."""
        asked = f"?{urlencode(query)}" if query else ""
        return self.whole(f"/plugins/{quote(name, safe='')}/{path}{asked}", method, body, patience_seconds)

    def _asked(
        self, connection: http.client.HTTPConnection, target: str, method: str = "GET", body: bytes | None = None
    ) -> http.client.HTTPResponse:
        connection.request(method, target, body)
        answer = connection.getresponse()
        if answer.status == 200 and (answer.getheader("Content-Type") or "").startswith(_EXPECTED):
            return answer
        said = answer.read(2000).decode("utf-8", "replace")
        if answer.status in (400, 404, 409) and said.startswith('{"error":'):
            raise Refused(_error_in(said))
        if answer.status == 403 and said.startswith('{"error":'):
            raise AdminUnreachable(f"the sidecar at {self.url} does not tell: {_error_in(said)}")
        if answer.status >= 500:
            raise AdminUnreachable(f"what answers at {self.url} failed (status {answer.status}); its log says why")
        raise AdminUnreachable(
            f"what answers at {self.url} is no sidecar's admin interface (status {answer.status}); "
            f"name the right one with --admin or SIDECAR_ADMIN"
        )

    def _unreachable(self, error: BaseException) -> AdminUnreachable:
        if isinstance(error, TimeoutError):
            reason = f"no answer within {_PATIENCE_SECONDS:g} s"
        elif isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
        else:
            reason = f"what answers speaks no HTTP ({type(error).__name__})"
        hint = "start one with sidecar run, or name where it is with --admin or SIDECAR_ADMIN"
        if self._host not in _LOCAL:
            hint = "the admin interface answers only on its own machine; use kubectl port-forward"
        return AdminUnreachable(f"no sidecar answers at {self.url}: {reason}; {hint}")


def _error_in(said: str) -> str:
    import json

    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return said
