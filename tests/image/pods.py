"""The containers of an injected pod, as the injector makes them, to be run in the image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.inject import inject
from sidecar.inject.names import CONFIG, CONFIG_FILE, DOMAIN, PROXY
from sidecar.inject.settings import InjectSettings
from tests.image.container import NET_ADMIN, Container
from tests.image.dockerfile import Stage

Table = dict[str, Any]
#: OpenShift runs containers as users of the namespace's own range.
OPENSHIFT_UID: Final = 1000660000
_ANNOTATIONS: Final = {"mode": "redirect", "egress-lock": "10.0.0.0/8"}


def injected(configuration: str, *, uid: int) -> dict[str, Table]:
    """What the injector adds to a pod whose connections are redirected and locked in, by name."""
    annotations = {f"{DOMAIN}{name}": value for name, value in _ANNOTATIONS.items()}
    pod = {
        "metadata": {"annotations": {**annotations, f"{DOMAIN}config": configuration}},
        "spec": {"containers": [{"name": "agent", "image": "agent"}]},
    }
    made = inject(pod, InjectSettings(uid=uid), namespace="default", allowed="any").pod
    return {each["name"]: each for each in made["spec"]["initContainers"]}


def container(root: Path, image: Stage, spec: Table, configuration: Path) -> Container:
    """How a container runtime would run *spec* in the *image* at *root*."""
    security = spec["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    mounts = list(spec.get("volumeMounts") or ())
    return Container(
        root=str(root),
        command=spec["command"],
        environment={**environment(image), **{each["name"]: each["value"] for each in spec.get("env") or ()}},
        uid=security["runAsUser"],
        writable=[each["mountPath"] for each in mounts if not each.get("readOnly")],
        files={f"{CONFIG}/{CONFIG_FILE}": str(configuration)} if spec["name"] == PROXY else {},
        capabilities=[NET_ADMIN] * ("NET_ADMIN" in security["capabilities"].get("add", ())),
    )


def plain(root: Path, image: Stage, *command: str) -> Container:
    """*command* as `docker run --read-only --cap-drop ALL` would, after the image's own user and environment."""
    uid = int(image.words("USER")[0].partition(":")[0])
    return Container(root=str(root), command=command, environment=environment(image), uid=uid)


def environment(image: Stage) -> Mapping[str, str]:
    return image.pairs("ENV")
