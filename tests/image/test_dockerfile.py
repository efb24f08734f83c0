"""What executes the Dockerfile without an engine reads it as engines do, and passes nothing over."""

from pathlib import Path

import pytest

from tests.image.building import Build, Failed
from tests.image.dockerfile import Unknown, defaults, ignored, recipe

SMALL = """\
# a comment
ARG BASE=debian:trixie-slim
FROM ${BASE} AS build
ARG MIRROR=http://near
WORKDIR /build
COPY one two ./
RUN --mount=type=secret,id=ca sh one.sh \\
  # a comment between
  && echo $HOME

FROM scratch
LABEL title="two words" \\
      other=one
COPY --from=build /image /
ENV PATH=/usr/bin LANG=C.UTF-8
ENTRYPOINT ["sidecar"]
CMD ["run"]
"""


def test_stages_instructions_and_options_are_told_apart() -> None:
    build, image = recipe(SMALL, {}).stages
    assert (build.name, build.base) == ("build", "debian:trixie-slim")
    assert [each.name for each in build.instructions] == ["ARG", "WORKDIR", "COPY", "RUN"]
    run = build.instructions[-1]
    assert (run.options, run.rest, run.line) == ({"mount": "type=secret,id=ca"}, "sh one.sh && echo $HOME", 7)
    assert (image.base, image.instructions[1].options) == ("scratch", {"from": "build"})
    assert image.words("ENTRYPOINT") + image.words("CMD") == ["sidecar", "run"]
    assert image.pairs("LABEL") == {"title": "two words", "other": "one"}
    assert image.pairs("ENV") == {"PATH": "/usr/bin", "LANG": "C.UTF-8"}


def test_arguments_take_the_place_of_defaults() -> None:
    assert defaults(SMALL) == {"BASE": "debian:trixie-slim", "MIRROR": "http://near"}
    build, _ = recipe(SMALL, {"BASE": "debian:bookworm-slim", "MIRROR": "http://far"}).stages
    assert build.base == "debian:bookworm-slim"
    assert build.instructions[0].rest == "MIRROR=http://far"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ADD https://example.com/x /", "line 2: ADD is not known here"),
        ("HEALTHCHECK CMD true", "line 2: HEALTHCHECK is not known here"),
        ("run true", "line 2: run is not known here"),
        ("COPY --link a b", "line 2: --link is not known here"),
        ("RUN <<EOF", "line 2: <<EOF is not known here"),
        ("COPY $NOWHERE /", "line 2: .NOWHERE has no ARG before it"),
        ("RUN true \\", "line 2: ends in a backslash"),
    ],
)
def test_what_is_not_executed_is_refused(line: str, told: str) -> None:
    with pytest.raises(Unknown, match=told):
        recipe(f"FROM scratch\n{line}\n", {})


@pytest.mark.parametrize("base", ["alpine:3", "debian:trixie-slim", "debian:trixie@sha256:" + "0" * 64])
def test_a_base_that_debootstrap_cannot_make_is_refused(tmp_path: Path, base: str) -> None:
    (tmp_path / ".dockerignore").write_text("")
    build = Build(tmp_path, tmp_path, {}, "http://mirror.invalid")
    with pytest.raises(Unknown, match="FROM"):
        list(build.stages(recipe(f"FROM {base}\n", {})))


IGNORE = "*\n!sidecar\n!deploy/k8s/image\n**/__pycache__\n**/*.pyc\n!keep.pyc\n"


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        (".git/config", True),
        ("tests/x.py", True),
        ("sidecar/cli/run.py", False),
        ("sidecar/cli/__pycache__/run.cpython-311.pyc", True),
        ("sidecar/x.pyc", True),
        ("deploy/k8s/base/kustomization.yaml", True),
        ("deploy/k8s/image/debian.sh", False),
        ("keep.pyc", False),
    ],
)
def test_the_last_pattern_that_fits_decides(path: str, verdict: bool) -> None:
    assert ignored(path, IGNORE) is verdict


def test_files_are_copied_without_what_is_ignored(tmp_path: Path) -> None:
    context, work = tmp_path / "context", tmp_path / "work"
    for path in ("sidecar/__init__.py", "sidecar/__pycache__/x.pyc", "sidecar/deep/run.py", "README.md", "secret"):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(path)
    (context / ".dockerignore").write_text("*\n!sidecar\n!README.md\n**/__pycache__\n")
    work.mkdir()
    build = Build(context, work, {}, "")
    list(build.stages(recipe("FROM scratch AS a\nWORKDIR /b\nCOPY README.md ./\nCOPY sidecar ./source/sidecar\n", {})))
    copied = sorted(str(file.relative_to(work)) for file in work.rglob("*") if file.is_file())
    assert copied == ["a/b/README.md", "a/b/source/sidecar/__init__.py", "a/b/source/sidecar/deep/run.py"]
    assert [each.split()[0] for each in build.done] == ["WORKDIR", "COPY", "COPY"]
    with pytest.raises(Failed, match="keeps it from the build"):
        list(build.stages(recipe("FROM scratch AS c\nCOPY secret /\n", {})))
