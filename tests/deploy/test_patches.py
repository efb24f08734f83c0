"""The injector's patches, applied by two implementations that know nothing of each other."""

import json
from base64 import b64decode

import jsonpatch
import pytest

from sidecar.inject import InjectSettings, inject
from sidecar.inject.settings import MODES
from sidecar.webhook.admission import answered
from tests.deploy.rendering import Table, patched
from tests.sidecar.inject.pods import container, pod
from tests.sidecar.webhook.test_admission import review

PODS = {
    "a plain one": pod(),
    "one with init containers": pod(initContainers=[container("first")]),
    "one with variables": pod(
        container(env=[{"name": "A/B~C", "value": "x"}, {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}])
    ),
    "one with volumes": pod(volumes=[{"name": "v", "emptyDir": {}}], securityContext={"sysctls": []}),
    "one with aliases": pod(hostAliases=[{"ip": "127.0.0.1", "hostnames": ["a.example"]}]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asked", PODS.values(), ids=list(PODS))
def test_both_make_the_same_pod(asked: Table, mode: str) -> None:
    asked = {**asked, "metadata": {**asked["metadata"], "annotations": {"agent-sidecar.io/mode": mode}}}
    response = json.loads(answered(json.dumps(review(asked)).encode(), InjectSettings(), "any").body)["response"]
    patch = json.loads(b64decode(response["patch"]))
    ours = inject(asked, InjectSettings(), namespace="voice", allowed="any").pod
    assert jsonpatch.apply_patch(asked, patch) == ours
    theirs = patched(asked, patch)
    assert (theirs["metadata"], theirs["spec"]) == (ours["metadata"], ours["spec"])
