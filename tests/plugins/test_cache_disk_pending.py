"""Which keys are on the disk, and what is still to be done there: seen as it will be."""

import threading
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st
from sidecar_cache.entry import Entry
from sidecar_cache.index import Index
from sidecar_cache.pending import _FORGETTING, _WAITING, _WAITING_BYTES, Pending, Work

from tests.plugins.kept_entries import entry


class Digest(str):
    """A key with a digest of our own choice."""

    __slots__ = ()

    def __hash__(self) -> int:
        return int(self.partition(" ")[0])

    __eq__ = str.__eq__


# -- the index ---------------------------------------------------------------------------------------------------------

keys = st.builds(Digest, st.builds("{} {}".format, st.integers(1, 6), st.sampled_from("ab")))


@given(st.lists(keys), st.lists(st.tuples(st.booleans(), keys)))
def test_the_index_knows_every_key_as_often_as_it_is_there(
    first: list[Digest], steps: list[tuple[bool, Digest]]
) -> None:
    index, there = Index(), Counter(first)
    index.fill(first)
    for comes, key in steps:
        if comes:
            index.add(key)
            there[key] += 1
        elif there[key]:
            index.discard(key)
            there[key] -= 1
        digests = {hash(each) for each in +there}
        assert all((Digest(f"{number} a") in index) == (number in digests) for number in range(8))
        assert len(index) == there.total()
        assert index.held_bytes == 8 * there.total() + Index().held_bytes


def test_what_the_index_does_not_know_it_does_not_mind_to_lose() -> None:
    index = Index()
    index.discard("a")
    index.add("b")
    index.discard("a")
    assert "b" in index
    assert "a" not in index


def test_threads_share_an_index() -> None:
    index = Index()
    wrong: list[str] = []
    mine = [[f"{number} of {thread}" for number in range(3000)] for thread in range(3)]

    def work(own: list[str]) -> None:
        for key in own:
            index.add(key)
        wrong.extend(key for key in own if key not in index)
        for key in own[1:]:
            index.discard(key)

    threads = [threading.Thread(target=work, args=(own,)) for own in mine]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(index) == 3


# -- what is pending ---------------------------------------------------------------------------------------------------

sizes = st.integers(1, 4)
names = st.sampled_from("abcd")
steps = st.one_of(
    st.tuples(st.just("keep"), names, sizes),
    st.tuples(st.just("forget"), names, st.just(0)),
    st.tuples(st.just("purge"), st.just(""), sizes),
    st.tuples(st.just("clear"), st.just(""), st.just(0)),
    st.tuples(st.just("take"), st.just(""), st.just(0)),
    st.tuples(st.just("done"), st.just(""), st.integers(0, 5)),
)


class Simulated:
    """A disk that does at once what it is told."""

    def __init__(self, there: dict[str, Entry]) -> None:
        self.pending = Pending()
        self.there = dict(there)
        self.work: Work | None = None

    def take(self) -> None:
        if self.work is None and self.pending.is_due:
            self.work = self.pending.take()

    def finish(self, number: int) -> set[str]:
        """The first *number* things that were taken; the keys of what should have been kept and is not."""
        work, self.work = self.work, None
        if work is None:
            return set()
        clearing, unwanted, jobs = work.clearing, work.unwanted, work.jobs
        if clearing and number > 0:
            clearing, number = False, number - 1
            self.there.clear()
        if not clearing and unwanted and number > 0:
            self.there = {key: each for key, each in self.there.items() if not any(no(each) for no in unwanted)}
            unwanted, number = [], number - 1
        done = [] if clearing or unwanted else jobs[:number]
        for job in done:
            self.there.pop(job.key, None)
            if job.entry is not None:
                self.there[job.key] = job.entry
        left = jobs[len(done) :]
        self.pending.done(Work(clearing, unwanted, {}, left))
        return {job.key for job in left if job.entry is not None}

    def seen(self, key: str) -> Entry | None:
        job = self.pending.find(key)
        if job is not None:
            return job.entry
        found = None if self.pending.clears else self.there.get(key)
        return None if found is None or any(no(found) for no in self.pending.unwanted) else found


@example({"a": entry(1)}, [("purge", "", 1), ("take", "", 0), ("done", "", 0)])
@given(st.dictionaries(names, sizes.map(entry)), st.lists(steps, max_size=40))
def test_it_is_seen_as_it_will_be(there: dict[str, Entry], steps: list[tuple[str, str, int]]) -> None:
    disk, expected = Simulated(there), dict(there)
    pending = disk.pending
    for what, key, number in steps:
        if what == "keep":
            assert pending.keep(key, entry(number), 0.0)
            expected[key] = entry(number)
        elif what == "forget":
            pending.forget(key)
            expected.pop(key, None)
        elif what == "purge":
            pending.forget_all(lambda each, size=number: len(each.data) == size)  # type: ignore[misc]
            expected = {key: each for key, each in expected.items() if len(each.data) != number}
        elif what == "clear":
            pending.clear()
            expected.clear()
        elif what == "take":
            disk.take()
        else:
            newer = {key: job.entry for key, job in pending._jobs.items()}
            for lost in disk.finish(number):
                if newer.get(lost) is None:
                    expected.pop(lost, None)
        assert {key: found for key in "abcd" if (found := disk.seen(key)) is not None} == expected
    while pending.is_due or disk.work is not None:
        disk.take()
        disk.finish(10**6)
    assert disk.there == expected


def test_more_than_can_be_written_is_not_gathered_and_what_it_replaces_goes() -> None:
    pending = Pending()
    large = entry(_WAITING_BYTES // 4)
    assert [pending.keep(key, large, 0.0) for key in "abcde"] == [True] * 4 + [False]
    job = pending.find("e")
    assert job is not None
    assert job.entry is None
    assert pending.keep("a", entry(1), 0.0)
    assert pending.keep("f", entry(100), 0.0)
    pending = Pending()
    assert sum(pending.keep(f"{number}", entry(1), 0.0) for number in range(_WAITING + 5)) == _WAITING


def test_of_very_many_to_forget_everything_goes() -> None:
    pending = Pending()
    for number in range(_FORGETTING + 1):
        pending.forget(f"{number}")
    assert pending.clears
    assert len(pending) == 0
