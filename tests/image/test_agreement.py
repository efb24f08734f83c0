"""The image has what injected pods, the injector's manifests and pyproject.toml rely on."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from sidecar.inject.names import CONFIG, EXTRA_CA, KEYS, PROBES_PORT, PROXY, PROXY_PORT, TRUST
from sidecar.inject.settings import InjectSettings
from tests.image.building import context_files
from tests.image.contents import LOCKS, locked
from tests.image.dockerfile import ignored, recipe
from tests.image.pods import injected

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "deploy/k8s/image"
DOCKERFILE = (IMAGE / "Dockerfile").read_text()
SCRIPTS = "".join(script.read_text() for script in IMAGE.glob("*.sh"))
BUILD, FINAL = recipe(DOCKERFILE, {}).stages
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements(name: str) -> list[Requirement]:
    wanted = {
        "requirements.lock": [
            *PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"]["redis"],
        ],
        "build.lock": PROJECT["build-system"]["requires"],
    }
    return [Requirement(line) for line in wanted[name]]


@pytest.mark.parametrize("name", LOCKS)
def test_every_direct_dependency_is_locked_within_its_range(name: str) -> None:
    versions = locked((IMAGE / name).read_text())
    out_of_range = {
        str(wanted): versions.get(wanted.name.lower())
        for wanted in requirements(name)
        if not wanted.specifier.contains(versions.get(wanted.name.lower(), "0"))
    }
    assert out_of_range == {}, "make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_everything_locked_has_hashes_and_comes_from_no_index_of_ours(name: str) -> None:
    text = (IMAGE / name).read_text()
    entries = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked(text))
    assert [entry.split()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []
    assert "index-url" not in text
    assert "file:" not in text


def test_the_base_is_pinned_by_its_digest() -> None:
    assert re.fullmatch(r"debian:trixie-slim@sha256:[0-9a-f]{64}", BUILD.base)
    assert FINAL.base == "scratch"


def test_the_user_is_the_one_that_pods_are_given() -> None:
    uid = InjectSettings().uid
    assert FINAL.words("USER") == [f"{uid}:{uid}"]
    assert f"sidecar:x:{uid}:{uid}:" in SCRIPTS
    deployment = yaml.safe_load((ROOT / "deploy/k8s/base/deployment.yaml").read_text())
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == uid


def test_the_containers_of_a_pod_find_their_programs_and_files() -> None:
    copied = {Path(source).name for source in context_files(recipe(DOCKERFILE, {}))}
    assert PROJECT["project"]["scripts"]["sidecar"] == "sidecar.cli:main"
    for name, spec in injected("", uid=InjectSettings().uid).items():
        program = spec["command"][0]
        if name == PROXY:
            assert [program, spec["command"][1]] == FINAL.words("ENTRYPOINT") + FINAL.words("CMD")
        else:
            assert f"setcap cap_net_admin+ep {program.lstrip('/')}\n" in SCRIPTS, name
            rules = Path(spec["command"][-1])
            assert rules.parent == Path("/etc/agent-sidecar"), name
            assert rules.name in copied, name
            assert re.search(rf"^cp .*\b{re.escape(rules.name)}\b.* /image{rules.parent}/$", SCRIPTS, re.MULTILINE), (
                name
            )


def test_a_read_only_root_has_the_places_of_all_volumes() -> None:
    made = re.search(r"^mkdir -p (/image/etc/agent-sidecar(?:.*\\\n)*.*)", SCRIPTS, re.MULTILINE)
    assert made is not None
    assert sorted(made[1].replace("\\", "").split()) == sorted(
        f"/image{path}" for path in (CONFIG, EXTRA_CA, KEYS, TRUST)
    )


def test_the_ports_are_those_of_pods() -> None:
    assert FINAL.words("EXPOSE") == [str(PROXY_PORT), str(PROBES_PORT)]


def test_what_the_build_copies_is_there_and_not_ignored() -> None:
    patterns = (ROOT / ".dockerignore").read_text()
    files = context_files(recipe(DOCKERFILE, {}))
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert [file for file in files if ignored(file, patterns)] == []
    for kept in (".git/config", ".venv/bin/python", "tests/conftest.py", "sidecar/cli/__pycache__/run.pyc", ".env"):
        assert ignored(kept, patterns), f"{kept} would travel to the builder"


def test_all_scripts_and_lists_are_used() -> None:
    files = {str(file.relative_to(ROOT)) for file in IMAGE.iterdir()} - {"deploy/k8s/image/Dockerfile"}
    assert files == {each for each in context_files(recipe(DOCKERFILE, {})) if each.startswith("deploy/")}
