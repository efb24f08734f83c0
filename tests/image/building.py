"""The Dockerfile executed: a base image is what debootstrap makes of that release, a stage is a directory, RUN happens
in a chroot. What engines have beside it, layers and their cache, is not here."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.image.dockerfile import Instruction, Recipe, Stage, Unknown, ignored

#: What engines pass on unasked.
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEBIAN = re.compile(r"debian:([a-z]+)-slim@sha256:[0-9a-f]{64}")
#: In namespaces of its own, so that nothing of it is left whatever happens: neither mounts nor processes.
_ROOM = r"""
set -eu; root=$1; shift
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm" && mount -t tmpfs tmpfs "$root/dev/shm"
touch "$root/etc/resolv.conf" "$root/etc/hosts"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind /etc/hosts "$root/etc/hosts"
exec chroot "$root" "$@"
"""


class Failed(Exception):
    """A step that did not do well, with what it said."""


class Build:
    """One run of a Dockerfile.

    Args:
        context: the directory that COPY takes from, but for what ``.dockerignore`` in it names.
        work: an empty directory for the stages.
        secrets: files by the ids under which RUN may ask for them.
        mirror: of Debian's, for the base image.
    """

    def __init__(self, context: Path, work: Path, secrets: Mapping[str, Path], mirror: str) -> None:
        self.context, self.work, self.secrets, self.mirror = context, work, secrets, mirror
        self.done: list[str] = []
        """Each step that was executed, as the Dockerfile has it."""
        self._patterns = (context / ".dockerignore").read_text()

    def stages(self, recipe: Recipe) -> Iterator[tuple[Stage, Instruction | None]]:
        """Execute *recipe*; tells each step before it is done. The last stage's directory is the image."""
        for stage in recipe.stages:
            yield stage, None
            self._base(stage)
            environment, directory = {"PATH": _PATH}, "/"
            for each in stage.instructions:
                yield stage, each
                match each.name:
                    case "ARG":
                        name, _, value = each.rest.partition("=")
                        environment.setdefault(name, value)
                    case "ENV":
                        environment |= Stage("", "", (each,)).pairs("ENV")
                    case "WORKDIR":
                        directory = each.rest
                        (self.root(stage) / directory.lstrip("/")).mkdir(parents=True, exist_ok=True)
                    case "COPY":
                        self._copy(stage, each, directory)
                    case "RUN":
                        self._run(stage, each, directory, environment)
                self.done.append(f"{each.name} {each.rest}")

    def root(self, stage: Stage) -> Path:
        return self.work / stage.name

    def _base(self, stage: Stage) -> None:
        root = self.root(stage)
        if stage.base == "scratch":
            root.mkdir()
        elif (match := _DEBIAN.fullmatch(stage.base)) is not None:
            # what Debian's official images are made by, in essence
            apart = ("unshare", "--mount", "--propagation", "private")  # it mounts, and may be interrupted
            self._do(*apart, "debootstrap", "--variant=minbase", match[1], str(root), self.mirror)
        else:
            raise Unknown(f"FROM {stage.base}: only scratch and debian:RELEASE-slim@sha256:… are known here")
        root.chmod(0o755)

    def _copy(self, stage: Stage, each: Instruction, directory: str) -> None:
        *sources, target = each.rest.split()
        into = Path(os.path.normpath(f"{self.root(stage)}/{os.path.join(directory, target).lstrip('/')}"))
        for source in sources:
            if (origin := each.options.get("from")) is not None:
                # cp, which keeps what files are capable of, as BuildKit does
                into.mkdir(parents=True, exist_ok=True)
                self._do("cp", "--archive", f"{self.work / origin}/{source.strip('/')}/.", str(into))
            elif (self.context / source).is_dir():
                self._of_context(source, into, Path(source))
            else:
                self._of_context(source, into / Path(source).name if target.endswith("/") else into, Path(source))

    def _of_context(self, source: str, into: Path, top: Path) -> None:
        """A file or directory, without what is ignored."""
        at = self.context / source
        if at.is_dir():
            for name in sorted(os.listdir(at)):
                self._of_context(f"{source}/{name}", into / name, top)
        elif not ignored(source, self._patterns):
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(at, into)
            into.chmod(0o755 if os.access(at, os.X_OK) else 0o644)
        elif Path(source) == top:
            raise Failed(f"COPY {source}: .dockerignore keeps it from the build")

    def _run(self, stage: Stage, each: Instruction, directory: str, environment: Mapping[str, str]) -> None:
        root = self.root(stage)
        passed_on = {name: os.environ[name] for name in PROXIES if name in os.environ}
        with self._secret(root, each.options.get("mount", "")):
            self._do(
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
                *("sh", "-c", _ROOM, "sh", str(root), "sh", "-c", f"cd {directory} && {each.rest}"),
                environment={**passed_on, **environment},
            )

    @contextlib.contextmanager
    def _secret(self, root: Path, mount: str) -> Iterator[None]:
        if not mount:
            yield
            return
        wish = dict(word.split("=", 1) for word in mount.split(","))
        if wish.pop("type", "") != "secret" or wish.keys() != {"id"}:
            raise Unknown(f"--mount={mount}: only type=secret,id=… is known here")
        file = root / "run/secrets" / wish["id"]
        if (given := self.secrets.get(wish["id"])) is None:
            yield
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given, file)
        try:
            yield
        finally:
            shutil.rmtree(file.parent)

    def _do(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        ran = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if ran.returncode != 0:
            raise Failed(f"{command[-1]} ended with {ran.returncode}:\n{ran.stdout[-4000:]}")


def context_files(recipe: Recipe) -> list[str]:
    """The files that the build takes from the context, by the names in its COPY instructions."""
    return [
        source
        for stage in recipe.stages
        for each in stage.instructions
        if each.name == "COPY" and "from" not in each.options
        for source in each.rest.split()[:-1]
    ]
