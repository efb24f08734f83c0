"""Calls as a running sidecar tells them."""

import msgspec

from sidecar.errors import AdminUnreachable
from sidecar.journal import CallTold


def call(raw: bytes | msgspec.Raw) -> CallTold:
    """
    Raises:
        AdminUnreachable: it tells them otherwise than this command expects.
    """
    try:
        return msgspec.json.decode(raw, type=CallTold)
    except msgspec.DecodeError as error:
        raise AdminUnreachable(
            f"what the sidecar tells of a call makes no sense here ({error}); compare sidecar status with "
            f"sidecar version, and use the command that came with it"
        ) from error
