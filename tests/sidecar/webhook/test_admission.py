"""Reviews of pods: whatever Kubernetes sends gets an answer that it understands."""

import json
from base64 import b64decode
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.inject import InjectSettings, inject
from sidecar.webhook import admission
from sidecar.webhook.admission import VERSION, answered

SETTINGS = InjectSettings()


def pod(**annotations: str) -> dict[str, Any]:
    named = {f"agent-sidecar.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {
        "metadata": {"generateName": "agent-", "annotations": named},
        "spec": {"containers": [{"name": "agent", "image": "agent:1"}]},
    }


def review(asked: Any = None, **changes: Any) -> dict[str, Any]:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": "voice",
        "object": pod() if asked is None else asked,
        **changes,
    }
    return {"apiVersion": VERSION, "kind": "AdmissionReview", "request": request}


def ask(asked: Any, allowed: Any = "any") -> dict[str, Any]:
    """The response; what stands round it must be as Kubernetes wants it."""
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    whole = json.loads(answered(body, SETTINGS, allowed).body)
    assert (whole["apiVersion"], whole["kind"]) == (VERSION, "AdmissionReview")
    response: dict[str, Any] = whole["response"]
    assert isinstance(response["uid"], str)
    assert ("patch" in response) == ("patchType" in response)
    assert response["allowed"] or response["status"]["message"].startswith("agent-sidecar: ")
    return response


def patched(before: Any, response: dict[str, Any]) -> Any:
    return jsonpatch.apply_patch(before, json.loads(b64decode(response["patch"])))


def test_a_pod_gets_what_inject_gives_it() -> None:
    response = ask(review())
    assert (response["allowed"], response["patchType"]) == (True, "JSONPatch")
    assert response["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
    assert patched(pod(), response) == inject(pod(), SETTINGS, namespace="voice", allowed="any").pod


def test_asked_again_it_changes_nothing() -> None:
    once = patched(pod(), ask(review()))
    again = ask(review(once))
    assert again["allowed"]
    assert "patch" not in again


def test_what_others_did_in_between_is_set_right() -> None:
    once = patched(pod(), ask(review()))
    once["spec"]["initContainers"].insert(0, {"name": "mesh", "image": "mesh:1"})
    once["spec"]["containers"].append({"name": "late", "image": "late:1"})
    again = patched(once, ask(review(once)))
    assert [each["name"] for each in again["spec"]["initContainers"]] == ["agent-sidecar", "mesh"]
    assert again["spec"]["containers"][1]["env"] == again["spec"]["containers"][0]["env"]


def test_a_pod_that_wants_none_is_let_in_as_it_is() -> None:
    asked = pod()
    asked["metadata"]["labels"] = {"agent-sidecar.io/inject": "false"}
    assert ask(review(asked)) == {"uid": review()["request"]["uid"], "allowed": True}


def test_a_wrong_annotation_is_refused_with_what_sidecar_check_would_say() -> None:
    response = ask(review(pod(config="listen:\n  adress: 127.0.0.1:1\n")))
    assert response["allowed"] is False
    assert response["status"]["code"] == 422
    assert "listen.adress: is not a setting" in response["status"]["message"]
    assert "did you mean address?" in response["status"]["message"]


def test_what_the_namespace_forbids_is_refused_with_the_way_out() -> None:
    assert ask(review(pod(mode="redirect")), "any")["allowed"]
    response = ask(review(pod(mode="redirect")), "hosts")
    assert not response["allowed"]
    assert "NET_ADMIN" in response["status"]["message"]


def test_warnings_are_as_short_as_kubernetes_wants_them() -> None:
    asked = pod()
    asked["spec"]["containers"][0]["env"] = [{"name": "SSL_CERT_FILE", "value": "/own"}]
    warnings = ask(review(asked))["warnings"]
    assert warnings
    assert all(len(each) <= 120 for each in warnings)


MALFORMED = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b'{"a":"\xff"}',
    "nothing but brackets": b"[" * 100_000,
    "a list": b"[]",
    "something else": json.dumps({"kind": "Pod"}).encode(),
    "an older version": json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
    "no request": json.dumps({"apiVersion": VERSION, "kind": "AdmissionReview"}).encode(),
    "no uid": json.dumps(review(uid=None)).encode(),
    "an update": json.dumps(review(operation="UPDATE")).encode(),
    "no pod": json.dumps(review(kind={"kind": "Deployment"})).encode(),
    "no kind": json.dumps(review(kind="Pod")).encode(),
    "no object": json.dumps(review("a pod")).encode(),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=list(MALFORMED))
def test_what_is_no_review_gets_a_refusal_that_is_one(body: bytes) -> None:
    response = ask(body)
    assert response["allowed"] is False
    assert response["status"]["code"] == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    assert ask(body)["allowed"] is False


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "kind"]), json_values))
def test_any_object_gets_an_answer(asked: dict[str, Any]) -> None:
    ask(review(asked))


@given(st.dictionaries(st.sampled_from(["containers", "initContainers", "volumes", "hostAliases"]), json_values))
def test_any_spec_gets_an_answer(spec: dict[str, Any]) -> None:
    ask(review({"metadata": {}, "spec": spec}))


def test_a_defect_of_ours_keeps_no_pod_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(admission, "inject", broken)
    response = ask(review())
    assert response["allowed"]
    assert "patch" not in response
    assert "no sidecar was injected" in response["warnings"][0]
    assert "this is a defect" in caplog.text
