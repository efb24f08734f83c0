"""Which calls are the same, per dialect and endpoint: what is left out of keys and why, and what is written in one way.

No text is lower-cased, trimmed or normalised: no provider says that it takes two spellings of a text for one.
"""

from typing import Final

from sidecar_cache.rules import chat, headers, recordings, speech
from sidecar_cache.rules.endpoint import Endpoint, Endpoints, Row
from sidecar_cache.rules.unsuitable import Unsuitable

_ENDPOINTS: Final[Endpoints] = {**chat.ENDPOINTS, **speech.ENDPOINTS, **recordings.ENDPOINTS}
_JOB: Final = "the answer is a job that has only begun"
_REFUSED: Final = {
    ("assemblyai", "transcript"): _JOB,
    ("google_cloud", "speech.longrunningrecognize"): _JOB,
    ("yandex", "stt.v3.recognizeFileAsync"): _JOB,
    ("mistral", "agents.completions"): "the answer depends on an agent that the provider keeps",
}


def endpoint_of(dialect: str, endpoint: str, *, stateless: bool = False) -> Endpoint:
    """
    Args:
        stateless: whether nobody reads what the provider keeps of answers.

    Raises:
        Unsuitable: no call of it has a key.
    """
    of = dialect, endpoint
    found = (chat.STATELESS.get(of) if stateless else None) or _ENDPOINTS.get(of)
    if found is None:
        raise Unsuitable(
            _REFUSED.get((dialect, endpoint), f"nothing is known of which calls of {endpoint} are the same")
        )
    return found


def known_endpoints() -> tuple[tuple[str, str], ...]:
    """Dialect and name of every endpoint whose calls can have keys."""
    return tuple(_ENDPOINTS)


def refused_endpoints() -> tuple[Row, ...]:
    """The endpoints of which no call has a key, and why."""
    return tuple(Row(*of, "path", "*", reason) for of, reason in _REFUSED.items())


def left_out() -> tuple[Row, ...]:
    """All that keys say nothing of, each with its reason."""
    rows = headers.rows()
    for of, endpoint in _ENDPOINTS.items():
        rows += endpoint.rows(*of)
    return tuple(rows)
