"""Dialects are found by name and imported one by one."""

import subprocess
import sys

import pytest

from sidecar.dialects import load, names

PRINT_LOADED = (
    "import sys; print(*sorted(m.removeprefix('sidecar.dialects.') for m in sys.modules if 'dialects.' in m))"
)


def loaded_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", f"{code}\n{PRINT_LOADED}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_registry_imports_no_dialect() -> None:
    assert loaded_after("import sidecar.dialects; sidecar.dialects.names()") == set()


@pytest.mark.parametrize("name", ["deepgram", "openai", "google_cloud"])
def test_loading_a_dialect_imports_no_other(name: str) -> None:
    loaded = loaded_after(f"import sidecar.dialects; sidecar.dialects.load({name!r})")
    assert loaded & set(names()) == {name}


def test_names_are_sorted_and_single() -> None:
    assert list(names()) == sorted(set(names()))


@pytest.mark.parametrize("name", names())
def test_a_dialect_goes_by_the_name_it_is_loaded_with(name: str) -> None:
    assert load(name).name == name
    assert load(name) is load(name)


@pytest.mark.parametrize("name", ["", "OpenAI", "opnai", "family", "openai_chat", "../openai"])
def test_an_unknown_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ValueError, match="anthropic, assemblyai, azure_openai") as refusal:
        load(name)
    assert repr(name) in str(refusal.value)
