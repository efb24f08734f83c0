"""Admission reviews (admission.k8s.io/v1): whether a pod is let in, and what is changed of it. No I/O.

Whatever comes gets a well-formed answer. A pod that cannot have a sidecar is refused with all reasons; one that we fail
at by a defect of our own is let in without a sidecar, and told so: what an agent does must not depend on us.
"""

import logging
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

from sidecar.inject import InjectSettings, Refused, inject

logger = logging.getLogger(__name__)

VERSION: Final = "admission.k8s.io/v1"
_BAD_REQUEST, _UNPROCESSABLE = 400, 422


class Answered(NamedTuple):
    body: bytes
    outcome: Literal["injected", "unchanged", "refused", "malformed", "failed"]


class _Malformed(Exception):
    """What came is no review of a pod's creation; the message says what was expected."""


def answered(body: bytes, settings: InjectSettings, allowed: Literal["hosts", "any"]) -> Answered:
    """The answer to a review.

    Args:
        body: an AdmissionReview as JSON.
        allowed: see `sidecar.inject.inject`.
    """
    uid = ""
    try:
        request = _request(body)
        uid = request["uid"]
        pod, namespace = _pod(request)
        done = inject(pod, settings, namespace=namespace, allowed=allowed)
        patch = list(_changes(pod, done.pod))
    except _Malformed as error:
        return Answered(_review(uid, refusal=(_BAD_REQUEST, f"agent-sidecar: {error}")), "malformed")
    except Refused as error:
        reasons = "; ".join(error.reasons)
        return Answered(_review(uid, refusal=(_UNPROCESSABLE, f"agent-sidecar: {reasons}")), "refused")
    except Exception:
        logger.exception("a pod could not be injected; this is a defect")
        told = "agent-sidecar: no sidecar was injected, by a defect of the injector; its log says more"
        return Answered(_review(uid, warnings=(told,)), "failed")
    warnings = tuple(f"agent-sidecar: {warning}"[:120] for warning in done.warnings)
    return Answered(_review(uid, patch=patch, warnings=warnings), "injected" if patch else "unchanged")


def _request(body: bytes) -> dict[str, Any]:
    try:
        review = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _Malformed("the review is not valid JSON") from None
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise _Malformed("expected an object of kind AdmissionReview")
    if review.get("apiVersion") != VERSION:
        raise _Malformed(f"apiVersion is {review.get('apiVersion')!r:.40}; expected {VERSION}")
    request = review.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise _Malformed("expected a request with a uid")
    return request


def _pod(request: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The pod that is to be created, and where."""
    kind = request.get("kind")
    kind = kind.get("kind") if isinstance(kind, dict) else None
    if kind != "Pod" or request.get("operation") != "CREATE":
        raise _Malformed(
            f"asked for {request.get('operation')!r:.20} of {kind!r:.40}; the webhook's rules must be CREATE of pods"
        )
    pod, namespace = request.get("object"), request.get("namespace")
    if not isinstance(pod, dict):
        raise _Malformed("expected the pod under request.object")
    return pod, namespace if isinstance(namespace, str) and namespace else "default"


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """From one pod to the other as a JSON patch (RFC 6902), by what is in their metadata and spec."""
    for part in ("metadata", "spec"):
        if not isinstance(old := before.get(part), dict):
            if part in after:
                yield {"op": "add", "path": f"/{part}", "value": after[part]}
            continue
        new = after[part]
        for key in dict.fromkeys((*old, *new)):
            path = f"/{part}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in new:
                yield {"op": "remove", "path": path}
            elif key not in old:
                yield {"op": "add", "path": path, "value": new[key]}
            elif old[key] != new[key]:
                yield {"op": "replace", "path": path, "value": new[key]}


def _review(
    uid: str,
    *,
    patch: list[dict[str, Any]] | None = None,
    warnings: tuple[str, ...] = (),
    refusal: tuple[int, str] | None = None,
) -> bytes:
    response: dict[str, Any] = {"uid": uid, "allowed": refusal is None}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(msgspec.json.encode(patch)).decode()
    if warnings:
        response["warnings"] = warnings
    if refusal is not None:
        response["status"] = {"code": refusal[0], "message": refusal[1]}
    return msgspec.json.encode({"apiVersion": VERSION, "kind": "AdmissionReview", "response": response})
