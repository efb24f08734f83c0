"""The pod's own CA, its bundle, and the clock."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from sidecar.cli.doctor.certificates import (
    Given,
    Kept,
    authority,
    bundle,
    certificates,
    hidden,
    kept,
    obstacle,
    published,
    trusted,
    writable,
)
from sidecar.cli.doctor.checked import Checked, Mark
from sidecar.intercept.authority import BUNDLE_FILE, ISSUER_FILE, ROOT_FILE, TRUST_FILE, open_authority

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


@pytest.mark.parametrize(
    ("mode", "mounted", "marks"),
    [
        (0o40700, False, []),
        (0o40777, True, []),
        (0o40750, False, [Mark.WARNING]),
        (0o40701, False, [Mark.WARNING]),
    ],
)
def test_others_are_to_keep_out_of_where_the_key_is(mode: int, mounted: bool, marks: list[Mark]) -> None:
    checks = hidden(Path("/tls"), mode, mounted)
    assert [check.mark for check in checks] == marks
    assert all(check.hint == "chmod 700 /tls" for check in checks)


def test_a_directory_that_others_may_get_into_is_warned_of(tmp_path: Path) -> None:
    open_authority(tmp_path, ["api.openai.com"])
    assert not [check for check in checked(tmp_path, "api.openai.com") if "may get into" in check.message]
    tmp_path.chmod(0o755)
    (check,) = [check for check in checked(tmp_path, "api.openai.com") if "may get into" in check.message]
    assert check.mark is Mark.WARNING


# -- what others are to trust ----------------------------------------------------------------------------------------

TRUST = Path("/trust")
ROOT = b"-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"
WHOLE = {ROOT_FILE: Given(data=ROOT), BUNDLE_FILE: Given(data=b"others\n" + ROOT), TRUST_FILE: Given(data=b"p12")}


@pytest.mark.parametrize(
    ("changed", "mode", "message", "hint"),
    [
        ({BUNDLE_FILE: None}, 0o755, "/trust has no bundle.crt", "next start"),
        ({ROOT_FILE: None, TRUST_FILE: None}, 0o755, "/trust has no ca.crt, trust.p12", "next start"),
        ({BUNDLE_FILE: Given(0o600, ROOT)}, 0o755, "others may not read bundle.crt in /trust", "chmod 644 /trust/bund"),
        ({}, 0o700, "others may not get into /trust (it has mode 700)", "chmod 755 /trust"),
        ({BUNDLE_FILE: Given(data=b"others")}, 0o755, "has another CA in it", "start the sidecar anew"),
        ({ROOT_FILE: Given(data=b"theirs")}, 0o755, "has another CA in it", "start the sidecar anew"),
        ({BUNDLE_FILE: Given(data=None)}, 0o755, "has another CA in it", "start the sidecar anew"),
        (
            {ISSUER_FILE: Given(0o600, b"-----BEGIN PRIVATE KEY-----")},
            0o755,
            "/trust/issuer.pem has a key in it",
            "not tls.directory",
        ),
    ],
)
def test_one_thing_wrong_with_what_others_are_to_trust_is_one_complaint(
    changed: dict[str, Given | None], mode: int, message: str, hint: str
) -> None:
    files = {name: file for name, file in {**WHOLE, **changed}.items() if file is not None}
    (check,) = trusted(TRUST, mode, files, ROOT)
    assert check.mark is Mark.FAILED
    assert message in check.message
    assert hint in check.hint


def test_others_find_what_they_must_trust() -> None:
    (check,) = trusted(TRUST, 0o40755, WHOLE, ROOT)
    assert (check.mark, check.message) == (
        Mark.PASSED,
        "/trust has ca.crt, bundle.crt, trust.p12 for others to read, and no key",
    )
    assert trusted(TRUST, 0o777, WHOLE, None)[0].mark is Mark.PASSED, "whose CA it is cannot be known"


def test_what_a_start_publishes_is_good_until_the_ca_is_another(tmp_path: Path) -> None:
    keys, trust = tmp_path / "keys", tmp_path / "trust"
    assert [check.mark for check in published(trust, None)] == [Mark.NOTED], "before the first start"
    assert [check.mark for check in published(trust, ROOT)] == [Mark.FAILED]
    trust.mkdir()
    assert [check.mark for check in published(trust, None)] == [Mark.NOTED]
    open_authority(keys, ["api.openai.com"], (), trust)
    root = (keys / ROOT_FILE).read_bytes()
    assert [check.mark for check in published(trust, root)] == [Mark.PASSED]
    assert [check.mark for check in published(trust, ROOT)] == [Mark.FAILED]
    assert "issuer.pem has a key in it" in published(keys, root)[0].message
