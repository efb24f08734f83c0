"""Versions and open files."""

import resource

import pytest

from sidecar.cli.doctor.checked import Mark
from sidecar.cli.doctor.runtime import fits, installed, open_files, runtime

FOUND = {"agent-sidecar": "0.1.0", "python": "3.11.7", "uvloop": "0.23.0", "aiohttp": "3.14.5"}
DECLARED = ("aiohttp<3.15,>=3.14", "uvloop<0.24,>=0.21", "click<9,>=8.1", 'openai<4,>=3; extra == "lab"')


@pytest.mark.parametrize(
    ("version", "requirement", "good"),
    [
        ("3.14.5", "aiohttp<3.15,>=3.14", True),
        ("3.14", "aiohttp<3.15,>=3.14.0", True),
        ("3.15.0", "aiohttp<3.15,>=3.14", False),
        ("3.13.9", "aiohttp<3.15,>=3.14", False),
        ("3.15.0rc1", "aiohttp<3.15", False),
        ("50.0.2", "cryptography>=45", True),
        ("1.0", "x==1.0.0", True),
        ("1.1", "x!=1.1", False),
        ("2.0", "x>1", True),
        ("1", "x<=1.0", True),
        ("7.7.7", "x", True),
    ],
)
def test_versions_are_held_against_requirements(version: str, requirement: str, good: bool) -> None:
    assert fits(version, requirement) is good


def test_versions_that_fit_are_named() -> None:
    check = installed(FOUND, DECLARED)
    assert (check.mark, check.message) == (
        Mark.PASSED,
        "versions fit: python 3.11.7, uvloop 0.23.0, aiohttp 3.14.5",
    )


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({**FOUND, "aiohttp": "4.0"}, "aiohttp 4.0 is not aiohttp<3.15,>=3.14"),
        ({**FOUND, "uvloop": None}, "uvloop is not installed"),
    ],
)
def test_versions_that_do_not_fail(found: dict[str, str | None], message: str) -> None:
    check = installed(found, DECLARED)
    assert (check.mark, check.message) == (Mark.FAILED, message)
    assert "pip install" in check.hint


@pytest.mark.parametrize(
    ("limit", "mark"),
    [(resource.RLIM_INFINITY, Mark.PASSED), (2112, Mark.PASSED), (2111, Mark.WARNING), (256, Mark.WARNING)],
)
def test_as_many_files_as_connections_must_be_allowed(limit: int, mark: Mark) -> None:
    check = open_files(limit, 1024)
    assert check.mark is mark
    assert "2112" in check.message


def test_what_is_installed_here_fits() -> None:
    assert runtime(1)[0].mark is Mark.PASSED
