"""What must not be in an image is found there, each thing by itself."""

import os
from pathlib import Path

import pytest

from tests.image.contents import LIBRARY, PACKAGES, SITE, megabytes, of_debian, problems, resolved
from tests.image.materials import by_licence, copyleft

LOCK = "sound==1.0 \\\n    --hash=sha256:00\n"
UNCHECKED, CHECKED = b"\xf3\x0d\x0d\x0a\x01\x00\x00\x00", b"\xf3\x0d\x0d\x0a\x00\x00\x00\x00"


def write(root: Path, path: str, content: bytes | str = b"", mode: int = 0o644) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    return file


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with nothing to be said against it but that its nft has no capability."""
    write(tmp_path, f"{LIBRARY}/os.py")
    write(tmp_path, f"{LIBRARY}/__pycache__/os.cpython-313.pyc", UNCHECKED)
    write(tmp_path, f"{SITE}/sound-1.0.dist-info/METADATA", "Name: sound\nVersion: 1.0\nLicense-Expression: MIT\n")
    write(tmp_path, f"{PACKAGES}/libc6", "Package: libc6\nVersion: 2.41\nDescription: two\n lines: of it\n")
    write(tmp_path, "usr/share/doc/libc6/copyright")
    write(tmp_path, "usr/sbin/nft", mode=0o755)
    return tmp_path


def said(root: Path, *paths: str) -> list[str]:
    """All problems but whose the files are, and nft's capability: neither can be made without root."""
    return [each for each in problems(root, paths, LOCK) if " belongs to " not in each and "files with cap" not in each]


def test_nothing_is_said_against_what_is_in_order(image: Path) -> None:
    assert said(image, "/nowhere") == []
    assert any(each.startswith("files with capabilities are {}") for each in problems(image, (), LOCK))
    if os.geteuid() != 0:
        assert any("belongs to" in each for each in problems(image, (), LOCK))


@pytest.mark.parametrize(
    ("path", "mode", "told"),
    [
        ("usr/bin/other", 0o4755, "usr/bin/other changes its user"),
        ("usr/bin/other", 0o2755, "usr/bin/other changes its user"),
        ("etc/open", 0o666, "etc/open may be written to by others"),
        ("etc/open", 0o664, "etc/open may be written to by others"),
        ("usr/bin/sh", 0o755, "usr/bin/sh has no business"),
        (f"{SITE}/pip/x", 0o644, "dist-packages/pip has no business"),
        ("root/.bash_history", 0o600, "root/.bash_history is left over"),
        ("var/log/dpkg.log", 0o644, "dpkg.log is left over"),
    ],
)
def test_a_file_that_must_not_be_is_named(image: Path, path: str, mode: int, told: str) -> None:
    write(image, path, mode=mode)
    (found,) = said(image)
    assert told in found


def test_paths_of_the_builder_are_found_in_any_file(image: Path) -> None:
    write(image, "usr/lib/x.so", b"\x7fELF\0/home/builder/src\0")
    assert said(image, "/home/builder") == ["usr/lib/x.so names /home/builder, of where it was built"]


def test_links_are_followed_inside_the_image(image: Path) -> None:
    (image / "etc/ssl").mkdir(parents=True)
    (image / "cert.pem").symlink_to("/etc/ssl/all.crt")
    (image / "lib").symlink_to("usr/lib")
    assert said(image) == ["cert.pem leads nowhere"]
    write(image, "etc/ssl/all.crt")
    assert said(image) == []
    assert resolved(image, image / "lib/python3.13/os.py") == image / LIBRARY / "os.py"


def test_bytecode_that_is_missing_or_held_against_sources_is_named(image: Path) -> None:
    write(image, f"{LIBRARY}/__pycache__/os.cpython-313.pyc", CHECKED)
    write(image, f"{SITE}/bare.py")
    assert said(image) == [
        f"{SITE}/bare.py is not compiled",
        f"{LIBRARY}/__pycache__/os.cpython-313.pyc is held against its source at each start",
    ]


def test_other_packages_than_the_locked_ones_are_named(image: Path) -> None:
    write(image, f"{SITE}/more-2.0.dist-info/METADATA", "Name: more\nVersion: 2.0\n")
    assert said(image) == ["Python package more is 2.0, locked is none"]
    write(image, f"{SITE}/sound-1.0.dist-info/METADATA", "Name: sound\nVersion: 0.9\n")
    assert "Python package sound is 0.9, locked is 1.0" in said(image)


def test_a_package_without_its_licence_is_named(image: Path) -> None:
    (image / "usr/share/doc/libc6/copyright").unlink()
    assert said(image) == ["Debian package libc6 has lost its licence"]
    assert of_debian(image)["libc6"] == {"Package": "libc6", "Version": "2.41", "Description": "two"}


@pytest.mark.parametrize(
    ("fields", "licence", "told"),
    [
        ("License-Expression: GPL-3.0-only", "GPL-3.0-only", "is under GPL-3.0-only"),
        ("License: LGPL-2.1", "LGPL-2.1", "is under LGPL-2.1"),
        (
            "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
            "GNU General Public License v3 (GPLv3)",
            "is under GNU General Public License",
        ),
        ("Summary: no word of it", "", "does not say under which licence"),
    ],
)
def test_copyleft_among_pythons_packages_is_named(image: Path, fields: str, licence: str, told: str) -> None:
    assert list(copyleft(image)) == []
    write(image, f"{SITE}/odd-1.0.dist-info/METADATA", f"Name: odd\nVersion: 1.0\n{fields}\n")
    assert by_licence(image) == {"MIT": ["sound"], licence: ["odd"]}
    (found,) = copyleft(image)
    assert told in found


def test_bytes_are_counted_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/a/x", b"1" * 3_000_000)
    write(tmp_path, "usr/lib/b", b"1" * 2_000_000)
    write(tmp_path, "etc/c", b"1" * 1_000_000)
    assert megabytes(tmp_path, ["usr/lib", "usr/lib/a"]) == {"usr/lib/a": 3.0, "usr/lib": 2.0, "": 1.0}
