"""The pod's own CA, its bundle, and the clock."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from sidecar.cli.doctor.certificates import Kept, authority, bundle, certificates, kept, obstacle, writable
from sidecar.cli.doctor.checked import Checked, Mark
from sidecar.intercept.authority import BUNDLE_FILE, ISSUER_FILE, ROOT_FILE, open_authority

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def found(**fields: Any) -> Kept:
    facts: dict[str, Any] = {
        "not_before": NOW - DAY,
        "not_after": NOW + 300 * DAY,
        "permitted": ("api.openai.com", "azure.com"),
        "root_pem": b"root",
        "bundled": 140,
        "bundle_has_root": True,
    }
    return Kept(**{**facts, **fields})


@pytest.mark.parametrize(
    ("fields", "names", "marks", "part"),
    [
        ({}, ["api.openai.com", "x.azure.com"], [Mark.PASSED], "good until 2027-03-28, and the clock fits"),
        ({"not_before": NOW + DAY}, [], [Mark.FAILED], "before the CA was made (2026-06-02)"),
        ({"not_after": NOW - DAY}, [], [Mark.FAILED], "expired on 2026-05-31"),
        ({"not_after": NOW + 29 * DAY}, [], [Mark.WARNING], "expires on 2026-06-30"),
        ({}, ["api.groq.com"], [Mark.PASSED, Mark.WARNING], "may not sign for api.groq.com"),
        ({}, ["notazure.com"], [Mark.PASSED, Mark.WARNING], "may not sign for notazure.com"),
        ({"key_mode": 0o644}, [], [Mark.PASSED, Mark.FAILED], "others may read the CA's key"),
    ],
)
def test_the_ca_is_judged_by_its_dates_names_and_key(
    fields: dict[str, Any], names: list[str], marks: list[Mark], part: str
) -> None:
    checks = authority(found(**fields), names, NOW)
    assert [check.mark for check in checks] == marks
    assert part in checks[-1].message


@pytest.mark.parametrize(
    ("fields", "mark", "part"),
    [
        ({}, Mark.PASSED, "our CA and 139 others"),
        ({"bundled": None}, Mark.FAILED, "there is no"),
        ({"bundle_has_root": False}, Mark.FAILED, "does not have our CA"),
        ({"bundled": 1}, Mark.WARNING, "no others"),
    ],
)
def test_the_bundle_must_have_our_ca_and_others(fields: dict[str, Any], mark: Mark, part: str) -> None:
    check = bundle(found(**fields), Path("/tls/bundle.crt"))
    assert check.mark is mark
    assert part in check.message


def test_a_directory_that_can_be_made_can_be_written(tmp_path: Path) -> None:
    assert obstacle(tmp_path / "not" / "yet") == ""
    (tmp_path / "file").touch()
    assert obstacle(tmp_path / "file" / "tls") == f"{tmp_path / 'file'} is no directory"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_directory_without_rights_cannot(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "may not be written" in obstacle(tmp_path / "tls")


def test_an_obstacle_is_a_failure_with_ways_out() -> None:
    check = writable(Path("/tls"), "/tls may not be written by uid 7")
    assert check.mark is Mark.FAILED
    assert "tls.directory" in check.hint
    assert writable(Path("/tls"), "").mark is Mark.PASSED


def checked(directory: Path, *names: str) -> list[Checked]:
    return certificates(directory, names, dt.datetime.now(dt.UTC))


def test_before_the_first_start_there_is_nothing_to_complain_of(tmp_path: Path) -> None:
    assert [check.mark for check in checked(tmp_path / "tls", "api.openai.com")] == [Mark.PASSED, Mark.NOTED]
    assert not (tmp_path / "tls").exists()


def test_what_a_start_makes_is_good(tmp_path: Path) -> None:
    open_authority(tmp_path, ["api.openai.com"])
    found = kept(tmp_path)
    assert found.bundle_has_root
    assert found.permitted == ("api.openai.com",)
    checks = checked(tmp_path, "api.openai.com")
    assert [check.mark for check in checks[:2]] == [Mark.PASSED, Mark.PASSED]
    assert checks[2].mark in (Mark.PASSED, Mark.WARNING)  # a warning where the system has no CAs


def test_damage_is_noticed(tmp_path: Path) -> None:
    open_authority(tmp_path, ["api.openai.com"])
    (tmp_path / BUNDLE_FILE).unlink()
    assert [check.mark for check in checked(tmp_path)][-1] is Mark.FAILED
    (tmp_path / ISSUER_FILE).write_bytes(b"rubbish")
    broken = checked(tmp_path)[-1]
    assert broken.mark is Mark.FAILED
    assert "cannot be read" in broken.message
    (tmp_path / ROOT_FILE).unlink()
    assert checked(tmp_path)[-1].mark is Mark.NOTED
