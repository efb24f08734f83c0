"""TLS sessions, to go on with: a handshake without certificates, and with TLS 1.2 one round trip less.

asyncio and uvloop have no parameter for a session, but both make their TLS objects by `SSLContext.wrap_bio`, and in the
context (`contextvars`) of whoever opened the connection. There the handshake under way is left for `ResumingContext`.
"""

import ssl
import time
from collections import deque
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

#: A ticket is for one connection (RFC 8446 appendix C.4); as many as connections are likely to be opened at once.
_KEPT: Final = 4

_UNDER_WAY: ContextVar["Handshake | None"] = ContextVar("handshake", default=None)


class _Kept(NamedTuple):
    session: ssl.SSLSession
    again: bool
    """Whether it may be used more than once: before TLS 1.3."""
    until: float


class Sessions:
    """Those of one server under one `ssl.SSLContext`: another's are of no use to it, and tell it who we are.

    Python copies a session each time it is looked at, by way of its encoding: a quarter of a millisecond. So that is
    done once per connection at most, and not while a call waits.
    """

    def __init__(self) -> None:
        self._kept: deque[_Kept] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def full(self) -> bool:
        return len(self._kept) == _KEPT or bool(self._kept and self._kept[-1].again)

    def keep(self, handshake: "Handshake") -> bool:
        """Keep what the server has given to go on with. It comes after the handshake: ask again if this is false."""
        tls, offered = handshake.tls, handshake.offered
        session = None if tls is None else tls.session
        if tls is None or session is None or not (session.has_ticket or session.id):
            return False
        version = tls.version()
        if version == "TLSv1.3" and (not session.has_ticket or session == offered):
            return False
        until = time.monotonic() + (session.ticket_lifetime_hint or session.timeout)
        self._kept.append(_Kept(session, version != "TLSv1.3", until))
        return True

    def take(self) -> ssl.SSLSession | None:
        """The newest one, which is not given out again if it is good for one connection only."""
        while self._kept:
            kept = self._kept[-1] if self._kept[-1].again else self._kept.pop()
            if time.monotonic() < kept.until:
                return kept.session
            self.forget()  # the older ones are out of date as well
        return None

    def forget(self) -> None:
        """Begin anew: what was kept has led to a handshake that failed."""
        self._kept.clear()


class Handshake:
    """One TLS handshake: ``with Handshake(sessions): await loop.create_connection(…)``.

    ``tls`` is its TLS object, None if there was no handshake; ``offered`` the session that it was to go on with.
    """

    __slots__ = ("_sessions", "_token", "offered", "tls")

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.tls: ssl.SSLObject | None = None
        self.offered: ssl.SSLSession | None = None

    def __enter__(self) -> "Handshake":
        self._token = _UNDER_WAY.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _UNDER_WAY.reset(self._token)

    @property
    def resumed(self) -> bool:
        return self.tls is not None and bool(self.tls.session_reused)

    @property
    def version(self) -> str:
        """``TLSv1.3``"""
        return "" if self.tls is None else self.tls.version() or ""

    def begins(self, tls: ssl.SSLObject) -> None:
        self.tls = tls
        session = self._sessions.take()
        if session is None:
            return
        try:
            tls.session = session
            self.offered = session
        except ValueError:  # it is of another context
            self._sessions.forget()


class ResumingContext(ssl.SSLContext):
    """A client's context that goes on with sessions, where a `Handshake` stands around the opening of a connection."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        tls = super().wrap_bio(*args, **kwargs)
        handshake = _UNDER_WAY.get()
        if handshake is not None and handshake.tls is None:  # callbacks of a connection keep its context for life
            handshake.begins(tls)
        return tls
