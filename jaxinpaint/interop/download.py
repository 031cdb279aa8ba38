"""Fetching a file: going on where it was interrupted, checked by its hash, whole or not at all."""

import http.client
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

from tqdm import tqdm

from jaxinpaint.interop.weight_files import sha256

CHUNK = 2**20
SECONDS_OF_SILENCE = 30


class DownloadFailed(OSError):
    """A file that could not be fetched, or is not the one that was published."""


def download(url: str, target: Path, *, sha256_prefix: str) -> None:
    """Fetches a file.

    What has come is kept beside the target as ``NAME.partial`` until all of it is there, and a
    later call goes on from it. Its progress is shown.

    Args:
        url: http or https.
        target: the file to write; its folder is made.
        sha256_prefix: how its SHA-256 begins.

    Raises:
        DownloadFailed: if the server can't be reached or refuses, the connection ends early, or the
            hash is another; the message says what to do.
        OSError: if the file can't be written.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadFailed(f"{url} is no http or https address")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    try:
        _fetch_rest(url, partial)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadFailed(f"{url} answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise DownloadFailed(f"{url} can't be reached: {error.reason}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        so_far = partial.stat().st_size if partial.exists() else 0
        reason = str(error) or type(error).__name__
        raise DownloadFailed(
            f"{url}: the connection ended after {so_far} bytes ({reason}); the "
            "same command goes on from there"
        ) from error
    if not partial.exists():
        raise DownloadFailed(f"{partial} is gone: another download of the same file was quicker")
    found = sha256(partial)
    if not found.startswith(sha256_prefix):
        partial.unlink()
        raise DownloadFailed(
            f"{url} is not the published file: its SHA-256 begins with "
            f"{found[: len(sha256_prefix)]}, not {sha256_prefix}; what came is deleted"
        )
    partial.replace(target)


def _fetch_rest(url: str, partial: Path) -> None:
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=SECONDS_OF_SILENCE)
    except urllib.error.HTTPError as error:
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            return  # nothing is left to fetch; the hash tells whether it is right
        raise
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            start = 0  # a server that can't go on sends all of it
        length = response.headers.get("Content-Length")
        whole = None if length is None else start + int(length)
        bar = tqdm(
            total=whole,
            initial=start,
            unit="B",
            unit_scale=True,
            desc=partial.stem,
            mininterval=0.1 if sys.stderr.isatty() else 30,  # a log gets a line now and then
        )
        with partial.open("ab" if start else "wb") as file, bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if whole is not None and file.tell() < whole:
                raise http.client.IncompleteRead(b"", whole - file.tell())
