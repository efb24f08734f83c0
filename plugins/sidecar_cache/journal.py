"""How long the journal of an SQLite file may become, and is. Of the file's two companions, ``-wal`` and ``-shm``."""

from pathlib import Path
from typing import Final

from sidecar_cache.worth import journal_bytes

_WAL, _SHM = "-wal", "-shm"
#: Of all bytes, what waits in memory to be written to the journal.
_CACHE_SHARE: Final = 32
_MOST_CACHE_BYTES: Final = 1024 * 1024
#: The companion that finds pages in the other: so much for so many bytes of that.
_SHM_BYTES, _SHM_FOR_BYTES = 32 * 1024, 16 * 1024 * 1024
_CHANGE_BYTES: Final = 48 * 1024
"""For a row that comes or goes, besides what it says."""
_FRAME_SHARE: Final = 64
"""Of a page, at most, what describes it."""


class Journal:
    """
    Args:
        file: the SQLite file.
        max_bytes: what that and its journal may take together.
    """

    def __init__(self, file: Path, max_bytes: int) -> None:
        share_bytes = journal_bytes(max_bytes)
        self.cache_bytes = min(_MOST_CACHE_BYTES, max_bytes // _CACHE_SHARE)
        shm_bytes = _SHM_BYTES * (1 + share_bytes // _SHM_FOR_BYTES)
        self._most_bytes = share_bytes - shm_bytes - self.cache_bytes - _CHANGE_BYTES
        self._wal, self._shm = (file.with_name(file.name + companion) for companion in (_WAL, _SHM))

    def has_room(self, needed_bytes: int) -> bool:
        """For one more change, of a row with so much in it."""
        try:
            taken_bytes = self._wal.stat().st_size
        except FileNotFoundError:
            return True
        return taken_bytes + needed_bytes + needed_bytes // _FRAME_SHARE <= self._most_bytes

    def remove(self) -> None:
        for companion in (self._wal, self._shm):
            companion.unlink(missing_ok=True)
