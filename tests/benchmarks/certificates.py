"""A throw-away authority and one certificate for loopback, as the files that nginx, aiohttp and the sidecar read."""

from pathlib import Path

from sidecar.lab.certificates import Authority


def write(directory: Path) -> tuple[Path, Path]:
    """Write ``ca.pem``, and ``chain.pem`` with the certificate for 127.0.0.1 and its key; the two paths."""
    authority = Authority()
    ca_file, chain_file = directory / "ca.pem", directory / "chain.pem"
    ca_file.write_bytes(authority.pem)
    chain_file.touch(mode=0o600)
    chain_file.write_bytes(authority.chain(()))
    return ca_file, chain_file
