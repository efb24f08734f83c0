"""Distributions for tests: really on the path, with real entry points, and gone again after the test."""

import contextlib
import importlib
import inspect
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faulty import bad_day
from tests.faulty.bad_day import at_start, in_flight

_KEBAB = str.maketrans({letter: f"-{letter.lower()}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})


def _named(module: object) -> dict[str, str]:
    """Entry points for the classes of a module of `tests.faulty.bad_day`: ``RaisesBefore`` is ``raises-before``."""
    home = getattr(module, "__name__").rpartition(".")[2]  # noqa: B009
    return {
        name.translate(_KEBAB).strip("-"): f"bad_day.{home}:{name}"
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and kind.__module__ == getattr(module, "__name__")  # noqa: B009
    }


@contextlib.contextmanager
def distribution(
    directory: Path, name: str, entry_points: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A distribution *name* in *directory*, with *entry_points* and the sources of *modules*, importable meanwhile."""
    site = directory / f"site of {name}"
    information = site / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{entry} = {value}" for entry, value in entry_points.items()]
    (information / "entry_points.txt").write_text("\n".join(["[sidecar]", *lines, ""]))
    for module, source in (modules or {}).items():
        (site / f"{module}.py").write_text(source)
    before = set(sys.modules)
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(site))
        for loaded in set(sys.modules) - before:
            if (getattr(sys.modules[loaded], "__file__", None) or "").startswith(str(site)):
                del sys.modules[loaded]
        importlib.invalidate_caches()


@contextlib.contextmanager
def bad_day_installed(directory: Path) -> Iterator[None]:
    """All plugins of `tests.faulty.bad_day`, under their names with hyphens."""
    source = Path(inspect.getfile(bad_day)).parent
    entry_points = {**_named(at_start), **_named(in_flight), "function": "bad_day.at_start:function"}
    with distribution(directory, "bad-day", entry_points):
        shutil.copytree(source, Path(sys.path[0]) / "bad_day", ignore=shutil.ignore_patterns("__pycache__"))
        yield
