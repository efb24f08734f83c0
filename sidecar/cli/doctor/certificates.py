"""The pod's own CA: whether it can be made, is good, and agents have what they must trust."""

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography import x509
from msgspec import Struct

from sidecar.cli.doctor.checked import Checked, Section
from sidecar.intercept.authority import BUNDLE_FILE, ISSUER_FILE, ROOT_FILE, TRUST_FILE

_SECTION = Section("certificates")
#: A start replaces a CA that has less time left.
_SOON = dt.timedelta(days=30)


class Kept(Struct, frozen=True, kw_only=True):
    """What the directory holds."""

    not_before: dt.datetime
    not_after: dt.datetime
    permitted: tuple[str, ...]
    """Names that it may sign for, with all below them."""
    root_pem: bytes
    bundled: int | None
    """Certificates in the bundle; None if there is no bundle."""
    bundle_has_root: bool = False
    key_mode: int = 0o600


def certificates(directory: Path, names: Iterable[str], now: dt.datetime) -> list[Checked]:
    """
    Args:
        names: of the providers' hosts, without the ``*.`` of patterns.
    """
    checks = [writable(directory, obstacle(directory))]
    try:
        found = kept(directory)
    except FileNotFoundError:
        return [*checks, _SECTION.noted("there is no CA yet; the first start makes one")]
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        message = f"the CA in {directory} cannot be read: {error}"
        return [*checks, _SECTION.failed(message, "delete the directory; the next start makes a new CA")]
    checks += hidden(directory, directory.stat().st_mode, directory.is_mount())
    return [*checks, *authority(found, names, now), bundle(found, directory / BUNDLE_FILE)]


def hidden(directory: Path, mode: int, mounted: bool) -> list[Checked]:
    """Whether others keep out of where the key is.

    Args:
        mounted: whether it is a volume: of a pod's, whose modes are 0777, only who mounts it sees anything.
    """
    if mounted or not mode & 0o077:
        return []
    message = f"others may get into {directory}, where the CA's key is (it has mode {mode & 0o777:o})"
    return [_SECTION.warning(message, f"chmod 700 {directory}")]


def obstacle(directory: Path) -> str:
    """Why a start could not write there; "" if it could."""
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return f"{existing} is no directory"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} may not be written by uid {os.getuid()}"
    return ""


def writable(directory: Path, obstacle: str) -> Checked:
    if obstacle:
        return _SECTION.failed(
            f"{directory}: {obstacle}",
            "name another with tls.directory (in a pod: an emptyDir with medium: Memory), or set tls.intercept: false",
        )
    return _SECTION.passed(f"{directory} can be written")


def kept(directory: Path) -> Kept:
    """
    Raises:
        FileNotFoundError: there is no CA.
        OSError, ValueError: what is there cannot be read, or makes no sense.
    """
    root_pem = (directory / ROOT_FILE).read_bytes()
    issuer = directory / ISSUER_FILE
    mode = issuer.stat().st_mode & 0o777
    certificate = x509.load_pem_x509_certificate(issuer.read_bytes())
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    try:
        bundled = (directory / BUNDLE_FILE).read_bytes()
    except FileNotFoundError:
        bundled = None
    return Kept(
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        permitted=tuple(each.value for each in constraints.permitted_subtrees or () if isinstance(each, x509.DNSName)),
        root_pem=root_pem,
        bundled=None if bundled is None else bundled.count(b"BEGIN CERTIFICATE"),
        bundle_has_root=bundled is not None and root_pem.strip() in bundled,
        key_mode=mode,
    )


def authority(found: Kept, names: Iterable[str], now: dt.datetime) -> list[Checked]:
    """Whether the CA is good for *names* at this time."""
    if now < found.not_before:
        return [
            _SECTION.failed(
                f"the clock says {now:%Y-%m-%d %H:%M}, which is before the CA was made ({found.not_before:%Y-%m-%d})",
                "set the clock: certificates of providers will not be accepted either",
            )
        ]
    if now > found.not_after:
        hint = "start the sidecar anew, then the agents, which must trust the new CA; or look at the clock"
        return [_SECTION.failed(f"the CA has expired on {found.not_after:%Y-%m-%d}", hint)]
    checks = []
    if found.not_after - now < _SOON:
        message = f"the CA expires on {found.not_after:%Y-%m-%d}, and the next start replaces it"
        checks.append(_SECTION.warning(message, "start the sidecar anew, then the agents, which must trust the new CA"))
    else:
        checks.append(_SECTION.passed(f"the CA is good until {found.not_after:%Y-%m-%d}, and the clock fits"))
    uncovered = sorted({name for name in names if not _covered(name, found.permitted)})
    if uncovered:
        checks.append(
            _SECTION.warning(
                f"the CA may not sign for {', '.join(uncovered)}, and the next start replaces it",
                "start the sidecar anew, then the agents, which must trust the new CA",
            )
        )
    if found.key_mode & 0o077:
        message = f"others may read the CA's key ({ISSUER_FILE} has mode {found.key_mode:o})"
        checks.append(_SECTION.failed(message, f"chmod 600 {ISSUER_FILE}"))
    return checks


def bundle(found: Kept, path: Path) -> Checked:
    """Whether agents find what they must trust."""
    if found.bundled is None:
        return _SECTION.failed(f"there is no {path}", "the next start writes it")
    if not found.bundle_has_root:
        return _SECTION.failed(f"{path} does not have our CA in it", "the next start writes it anew")
    if found.bundled < 2:
        return _SECTION.warning(
            f"{path} has our CA in it and no others",
            "install ca-certificates here: with this bundle an agent can reach nobody else by TLS",
        )
    return _SECTION.passed(f"{path} has our CA and {found.bundled - 1} others in it")


# -- what others are to trust ----------------------------------------------------------------------------------------


class Given(Struct, frozen=True):
    """A file of the trust directory."""

    mode: int = 0o644
    data: bytes | None = b""
    """None: it cannot be read."""


def published(directory: Path, root_pem: bytes | None) -> list[Checked]:
    """
    Args:
        root_pem: the CA that is kept; None if there is none yet.
    """
    try:
        mode = directory.stat().st_mode
        files = {path.name: _given(path) for path in sorted(directory.iterdir()) if path.is_file()}
    except OSError as error:
        if root_pem is None:
            return [_SECTION.noted(f"{directory} is not there yet; the first start fills it")]
        reason = (error.strerror or str(error)).lower()
        hint = "look whether its volume is mounted; the next start fills it"
        return [_SECTION.failed(f"tls.trust_directory {directory}: {reason}", hint)]
    if root_pem is None and not files:
        return [_SECTION.noted(f"{directory} is empty yet; the first start fills it")]
    return trusted(directory, mode, files, root_pem)


def trusted(directory: Path, mode: int, files: Mapping[str, Given], root_pem: bytes | None) -> list[Checked]:
    """Whether others find in *directory* what they must trust, and no more."""
    checks = [
        _SECTION.failed(
            f"{directory / name} has a key in it, and others may read what is there",
            "name a directory with tls.trust_directory that is not tls.directory, and take the key out",
        )
        for name, file in files.items()
        if b"PRIVATE KEY" in (file.data or b"")
    ]
    needed = (ROOT_FILE, BUNDLE_FILE, TRUST_FILE)
    if missing := [name for name in needed if name not in files]:
        checks.append(_SECTION.failed(f"{directory} has no {', '.join(missing)}", "the next start writes it"))
    closed = [name for name in needed if name in files and not files[name].mode & 0o004]
    if not mode & 0o001:
        hint = f"chmod 755 {directory}"
        checks.append(_SECTION.failed(f"others may not get into {directory} (it has mode {mode & 0o777:o})", hint))
    elif closed:
        hint = f"chmod 644 {' '.join(str(directory / name) for name in closed)}"
        checks.append(_SECTION.failed(f"others may not read {', '.join(closed)} in {directory}", hint))
    pems = [files[name].data or b"" for name in (ROOT_FILE, BUNDLE_FILE) if name in files]
    if root_pem is not None and any(root_pem.strip() not in pem for pem in pems):
        checks.append(
            _SECTION.failed(
                f"{directory} has another CA in it than tls.directory: who trusts it does not trust the sidecar",
                "start the sidecar anew, then the agents; two sidecars must not share these directories",
            )
        )
    if checks:
        return checks
    return [_SECTION.passed(f"{directory} has {', '.join(needed)} for others to read, and no key")]


def _given(path: Path) -> Given:
    mode = path.stat().st_mode
    try:
        return Given(mode, path.read_bytes())
    except OSError:
        return Given(mode, None)


def _covered(name: str, permitted: Iterable[str]) -> bool:
    return any(name == other or name.endswith(f".{other}") for other in permitted)
