import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from jaxinpaint.cli.jobs import MOST_THREADS, Job, Work, carry_out

JOBS = [Job(Path(f"{i}.png"), Path(f"out/{i}.png")) for i in range(12)]


def quickly(job: Job) -> tuple[str, Sequence[str]]:
    return job.picture.stem, ()


def made(job: Job, read: str) -> str:
    return f"{read}!"


def nowhere(job: Job, read: str, made: str) -> None:
    assert made == f"{read}!" == f"{job.picture.stem}!"


def test_targets_are_printed_in_the_jobs_order(capsys: pytest.CaptureFixture[str]) -> None:
    later = [threading.Event() for _ in JOBS]

    def write(job: Job, read: str, made: str) -> None:
        # Each second one is written after the one that follows it.
        number = int(read)
        if number % 2 == 0:
            assert later[number + 1].wait(20)
        later[number].set()

    carry_out(JOBS, Work(quickly, made, write), participle="done")
    assert capsys.readouterr().out.split() == [str(job.target) for job in JOBS]


def test_others_are_read_and_written_while_one_is_made() -> None:
    read_next, began_writing = threading.Event(), threading.Event()

    def read(job: Job) -> tuple[str, Sequence[str]]:
        if job == JOBS[1]:
            read_next.set()
        return quickly(job)

    def make(job: Job, read: str) -> str:
        if job == JOBS[0]:
            assert read_next.wait(20)
        if job == JOBS[1]:
            assert began_writing.wait(20)
        assert threading.current_thread() is threading.main_thread()
        return made(job, read)

    def write(job: Job, read: str, made: str) -> None:
        began_writing.set()

    carry_out(JOBS[:2], Work(read, make, write), participle="done")


def test_few_pictures_are_under_way_at_a_time() -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def read(job: Job) -> tuple[str, Sequence[str]]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        return quickly(job)

    def write(job: Job, read: str, made: str) -> None:
        nonlocal under_way
        with lock:
            under_way -= 1

    carry_out(JOBS * 5, Work(read, made, write), participle="done")
    assert under_way == 0
    assert most <= 2 * (MOST_THREADS + 1)


@pytest.mark.parametrize("part", ["read", "make", "write"])
@pytest.mark.parametrize("kind", [ValueError, OSError])
def test_what_fails_in_any_part_is_told_in_its_turn(
    part: str,
    kind: type[Exception],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(here: str, job: Job) -> None:
        if here == part and job in (JOBS[3], JOBS[5]):
            raise kind(f"{job.picture} is broken")

    def read(job: Job) -> tuple[str, Sequence[str]]:
        fail("read", job)
        return job.picture.stem, [f"{job.picture} looks odd"] if job == JOBS[4] else ()

    def make(job: Job, read: str) -> str:
        fail("make", job)
        return made(job, read)

    def write(job: Job, read: str, made: str) -> None:
        fail("write", job)

    with pytest.raises(SystemExit) as end, caplog.at_level(logging.WARNING):
        carry_out(JOBS, Work(read, make, write), participle="done")
    assert end.value.code == 1
    assert caplog.messages == ["3.png is broken", "4.png looks odd", "5.png is broken"]
    out, err = capsys.readouterr()
    assert out.split() == [str(job.target) for job in JOBS if job not in (JOBS[3], JOBS[5])]
    assert err.splitlines()[-1] == "2 of 12 pictures were not done"
    with pytest.raises(kind, match=r"3\.png is broken"):
        carry_out(JOBS[3:4], Work(read, make, write), participle="done")


def test_what_no_user_can_mend_ends_the_program() -> None:
    def write(job: Job, read: str, made: str) -> None:
        raise AssertionError("a mistake in the program")

    with pytest.raises(AssertionError, match="a mistake in the program"):
        carry_out(JOBS, Work(quickly, made, write), participle="done")
    with pytest.raises(AssertionError):
        carry_out(JOBS, Work(quickly, lambda job, read: "?", nowhere), participle="done")
