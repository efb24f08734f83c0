"""Whether the configuration is valid, and its plugins can be used."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from sidecar.cli.doctor.checked import Checked, Section
from sidecar.cli.loading import Examined
from sidecar.host import GROUP

_SECTION = Section("configuration")


def configuration(file: Path | None, examined: Examined) -> list[Checked]:
    name = str(file) if file else "the defaults"
    checks = [
        _SECTION.failed(str(problem), "sidecar check says the same; config/sidecar.yaml lists every setting")
        if problem.severity == "error"
        else _SECTION.warning(
            str(problem).partition("; ")[0], problem.hint or "config/sidecar.yaml says what it is for"
        )
        for problem in examined.problems
    ]
    if examined.configuration is not None and not examined.errors:
        checks.insert(0, _SECTION.passed(f"{name}: valid, digest {examined.configuration.digest}"))
        checks.append(plugins([plugin.use for plugin in examined.configuration.settings.plugins]))
    return checks


def plugins(used: Sequence[str]) -> Checked:
    """Those that are used can be, or the configuration would be invalid: from where they come."""
    if not used:
        return _SECTION.noted("no plugins: calls are passed on, and that is all")
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    told = [
        f"{name} ({entry.dist.name} {entry.dist.version})" if (entry := found.get(name)) and entry.dist else name
        for name in dict.fromkeys(used)
    ]
    return _SECTION.passed(f"plugins can be used: {', '.join(told)}")
