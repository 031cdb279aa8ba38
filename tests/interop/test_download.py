import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from http_server import Server, serving, unreachable

from jaxinpaint.interop.download import DownloadFailed, download

CONTENT = bytes(range(256)) * 40_000  # about 10 MB: more than one chunk
PREFIX = hashlib.sha256(CONTENT).hexdigest()[:8]
CUT = 3_000_001


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "weights.bin"


def partial_of(target: Path) -> Path:
    return target.with_name("weights.bin.partial")


def left(target: Path) -> list[str]:
    """What is in the target's folder."""
    return [path.name for path in target.parent.iterdir()]


def test_a_file_is_fetched_whole(server: Server, target: Path) -> None:
    download(server.url, target, sha256_prefix=PREFIX)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["weights.bin"]
    assert server.asked == [None]


def test_an_interrupted_download_goes_on_where_it_ended(server: Server, target: Path) -> None:
    server.cut_after = CUT
    with pytest.raises(DownloadFailed, match=f"ended after {CUT} bytes .* goes on from there"):
        download(server.url, target, sha256_prefix=PREFIX)
    assert left(target) == ["weights.bin.partial"]
    server.cut_after = None
    download(server.url, target, sha256_prefix=PREFIX)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["weights.bin"]
    assert server.asked == [None, f"bytes={CUT}-"]
    assert server.sent == [CUT, len(CONTENT) - CUT]


def test_a_server_that_cannot_go_on_sends_all_of_it(server: Server, target: Path) -> None:
    server.cut_after = CUT
    with pytest.raises(DownloadFailed):
        download(server.url, target, sha256_prefix=PREFIX)
    server.cut_after, server.ranges = None, False
    download(server.url, target, sha256_prefix=PREFIX)
    assert target.read_bytes() == CONTENT
    assert server.sent == [CUT, len(CONTENT)]


def test_a_download_that_was_whole_is_only_checked(server: Server, target: Path) -> None:
    target.parent.mkdir()
    partial_of(target).write_bytes(CONTENT)
    download(server.url, target, sha256_prefix=PREFIX)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["weights.bin"]
    assert server.sent == [0]


@pytest.mark.parametrize("beginning", [b"", b"of another file", CONTENT + b"and more"])
def test_another_file_is_refused_and_deleted(
    server: Server, target: Path, beginning: bytes
) -> None:
    target.parent.mkdir()
    partial_of(target).write_bytes(beginning)
    wrong = PREFIX if beginning else "00000000"
    with pytest.raises(DownloadFailed, match=f"not the published file: .*, not {wrong}; .*deleted"):
        download(server.url, target, sha256_prefix=wrong)
    assert left(target) == []


@pytest.mark.parametrize("beginning", [b"", CONTENT[:CUT]])
def test_a_refusal_is_told_and_what_came_before_stays(
    server: Server, target: Path, beginning: bytes
) -> None:
    target.parent.mkdir()
    if beginning:
        partial_of(target).write_bytes(beginning)
    server.refuses = HTTPStatus.NOT_FOUND
    with pytest.raises(DownloadFailed, match=r"file\.bin answers 404 Not Found"):
        download(server.url, target, sha256_prefix=PREFIX)
    assert left(target) == (["weights.bin.partial"] if beginning else [])


def test_a_range_refused_at_the_first_call_is_a_refusal(server: Server, target: Path) -> None:
    server.refuses = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    with pytest.raises(DownloadFailed, match="answers 416"):
        download(server.url, target, sha256_prefix=PREFIX)


def test_a_server_that_is_not_there_is_told(target: Path) -> None:
    with unreachable() as url, pytest.raises(DownloadFailed, match=r"can't be reached: .*refused"):
        download(url, target, sha256_prefix=PREFIX)
    assert left(target) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/file.bin", "file.bin"])
def test_other_addresses_are_refused(target: Path, url: str) -> None:
    with pytest.raises(DownloadFailed, match="no http or https address"):
        download(url, target, sha256_prefix=PREFIX)
    assert not target.parent.exists()


def test_an_older_target_stays_until_the_new_one_is_whole_and_right(
    server: Server, target: Path
) -> None:
    target.parent.mkdir()
    target.write_bytes(b"older")
    server.cut_after = CUT
    with pytest.raises(DownloadFailed, match="connection ended"):
        download(server.url, target, sha256_prefix=PREFIX)
    server.cut_after = None
    with pytest.raises(DownloadFailed, match="not the published file"):
        download(server.url, target, sha256_prefix="00000000")
    assert target.read_bytes() == b"older"
    download(server.url, target, sha256_prefix=PREFIX)
    assert target.read_bytes() == CONTENT
