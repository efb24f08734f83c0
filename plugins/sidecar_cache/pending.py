"""What is still to be written to the disk or removed there. Whoever looks for it sees it as if that were done."""

import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from sidecar_cache.entry import Entry

_WAITING: Final = 4096
_WAITING_BYTES: Final = 16 * 1024 * 1024
_FORGETTING: Final = 65_536
"""Keys that wait to be removed; with more than that, everything is."""

Unwanted = Callable[[Entry], bool]
"""Whether an entry is to go; asked by the disk's thread, too, and of entries without their data."""


class Job(NamedTuple):
    key: str
    entry: Entry | None
    """None to forget the key."""
    calls: float = 0.0

    @property
    def data_bytes(self) -> int:
        return 0 if self.entry is None else len(self.entry.data)


class Work(NamedTuple):
    """What there is to do now, in this order."""

    clearing: bool
    unwanted: list[Unwanted]
    ranking: dict[str, float]
    jobs: list[Job]
    """Those that forget come first."""


class Pending:
    """Filled by the loop, taken by one thread, which waits for ``changed``."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self._jobs: dict[str, Job] = {}
        self._in_hand: dict[str, Job] = {}
        self._waiting_bytes = 0
        self._ranking: dict[str, float] = {}
        self._clearing = self._clearing_in_hand = False
        self._unwanted: list[Unwanted] = []
        self._unwanted_in_hand: list[Unwanted] = []

    def __len__(self) -> int:
        """Entries that wait."""
        return len(self._jobs)

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def keep(self, key: str, entry: Entry, calls: float) -> bool:
        """Have *entry* written; False if too much waits already: what stands there under its key is out of date, and
        goes.
        """
        with self._lock:
            before = self._jobs.get(key)
            waiting_bytes = self._waiting_bytes + len(entry.data) - (before.data_bytes if before else 0)
            room = waiting_bytes <= _WAITING_BYTES and len(self._jobs) < _WAITING
            self._put(Job(key, entry, calls) if room else Job(key, None))
            return room

    def forget(self, key: str) -> None:
        """Have it gone: this waits as long as it must, for it may be wrong."""
        with self._lock:
            self._put(Job(key, None))
            if len(self._jobs) > _FORGETTING:
                self.clear()

    def forget_all(self, unwanted: Unwanted) -> None:
        """Have those gone of which *unwanted* says so."""
        with self._lock:
            for job in list(self._jobs.values()):
                if job.entry is not None and unwanted(job.entry):
                    self._put(Job(job.key, None))
            for job in list(self._in_hand.values()):
                if job.entry is not None and unwanted(job.entry):
                    self._in_hand[job.key] = Job(job.key, None)  # it is written, and then removed with the others
            self._unwanted.append(unwanted)
            self.changed.notify()

    def clear(self) -> None:
        with self._lock:
            self._jobs.clear()
            self._in_hand = {}
            self._ranking.clear()
            self._waiting_bytes = 0
            self._clearing = True
            self.changed.notify()

    def rank(self, calls: Iterable[tuple[str, float]]) -> None:
        """Have it noted how many calls asked for what."""
        ranking = dict(calls)
        with self._lock:
            self._ranking = ranking
            self.changed.notify()

    def _put(self, job: Job) -> None:
        before = self._jobs.pop(job.key, None)
        self._waiting_bytes += job.data_bytes - (before.data_bytes if before else 0)
        self._jobs[job.key] = job
        self.changed.notify()

    # -- what is seen of it --------------------------------------------------------------------------------------------

    def find(self, key: str) -> Job | None:
        """What becomes of *key*; None if that stays as it is on the disk, of which see ``clears`` and ``unwanted``."""
        with self._lock:
            return self._jobs.get(key) or self._in_hand.get(key)

    def items(self) -> dict[str, Job]:
        with self._lock:
            return {**self._in_hand, **self._jobs}

    @property
    def clears(self) -> bool:
        """Whether all that is on the disk now is to go."""
        with self._lock:
            return self._clearing or self._clearing_in_hand

    @property
    def unwanted(self) -> tuple[Unwanted, ...]:
        """Which of those on the disk now are to go."""
        with self._lock:
            return (*self._unwanted_in_hand, *self._unwanted)

    # -- doing it ------------------------------------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._jobs or self._ranking or self._clearing or self._unwanted)

    def take(self) -> Work:
        """All there is to do now; until ``done`` it is seen as if it were."""
        with self._lock:
            self._in_hand, self._jobs = self._jobs, {}
            self._clearing_in_hand, self._clearing = self._clearing, False
            self._unwanted_in_hand, self._unwanted = self._unwanted, []
            ranking, self._ranking = self._ranking, {}
            in_hand = list(self._in_hand.values())
            work = Work(self._clearing_in_hand, self._unwanted_in_hand, ranking, in_hand)
        in_hand.sort(key=lambda job: job.entry is not None)
        return work

    def done(self, left: Work) -> None:
        """Of what could not be done, *left*: what was to go has still to go, what was to be kept is no longer."""
        with self._lock:
            self._clearing |= left.clearing
            self._unwanted[:0] = left.unwanted
            for job in left.jobs:
                self._jobs.setdefault(job.key, Job(job.key, None))
            self._waiting_bytes = sum(job.data_bytes for job in self._jobs.values())
            self._in_hand, self._unwanted_in_hand, self._clearing_in_hand = {}, [], False
