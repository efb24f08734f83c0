"""When a file has changed, and what of a change takes effect only after a restart."""

import asyncio
from pathlib import Path

import pytest

from sidecar import application as module
from sidecar.application import Application
from sidecar.configuration import Configuration, load
from sidecar.reloading import Watched, needs_restart
from sidecar.settings import Settings


def test_a_file_has_changed_when_its_content_has(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("a")
    watched = Watched(file)
    assert [watched.look(), watched.look()] == [True, False]
    file.touch()
    assert not watched.look()
    file.write_text("b")
    assert [watched.look(), watched.look()] == [True, False]


def test_a_file_that_is_away_for_a_moment_has_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("a")
    watched = Watched(file)
    watched.look()
    file.unlink()
    assert not watched.look()
    file.write_text("a")
    assert not watched.look()
    file.write_text("b")
    assert watched.look()


def test_where_there_is_no_file_nothing_changes() -> None:
    assert not Watched(None).look()


async def test_a_change_during_the_start_is_taken_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    file, again, read = tmp_path / "sidecar.yaml", asyncio.Event(), 0
    file.write_text("catalogue: false\nplugins: []\n")
    own = ("listen.address=127.0.0.1:0", "admin.address=127.0.0.1:0", "probes.address=null", "tls.intercept=false")

    def reading() -> Configuration:
        nonlocal read
        read += 1
        if read == 2:
            again.set()
        configuration = load(file, {}, own)
        if read == 1:
            file.write_text("catalogue: false\nplugins: []\n# changed while it was read\n")
        return configuration

    application = Application(reading, file)
    await application.start()
    watching = asyncio.ensure_future(application.watch())
    try:
        await asyncio.wait_for(again.wait(), 5)
    finally:
        watching.cancel()
        await asyncio.wait((watching,))
        await application.stop(0.0)


def settings(text: str, tmp_path: Path) -> Settings:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text)
    return load(file, {}).settings


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        ("", []),
        ("plugins: []", []),
        ("upstream: {max_connections: 7}", []),
        ("listen: {address: '127.0.0.1:1'}", ["listen"]),
        ("admin: {address: '127.0.0.1:1'}", ["admin"]),
        ("probes: {address: null}", ["probes"]),
        ("tls: {intercept: false}", ["tls"]),
        ("log: {level: debug}", ["log"]),
        ("journal: {calls: 1}", ["journal"]),
        ("providers: {openai: {port: 15090}}", ["providers' ports"]),
        ("providers: {openai: {port: 15090, enabled: false}}", []),
        ("log: {level: debug}\njournal: {calls: 1}", ["log", "journal"]),
    ],
)
def test_what_waits_for_a_restart_is_named(after: str, waits: list[str], tmp_path: Path) -> None:
    assert list(needs_restart(settings("", tmp_path), settings(after, tmp_path))) == waits
