"""Files of pictures, whole and broken, for tests of what reads them."""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jaxinpaint.data.examples import Example, Pictures
from jaxinpaint.data.pictures import open_upright

# A name that is no text in any encoding that Python takes names to be in.
NOT_TEXT = os.fsdecode(b"caf\xe9.png")


def folder_of(path: Path, contents: Sequence[int | None]) -> list[Path]:
    """One file each: a picture of one grey level, or a broken file for None."""
    path.mkdir(exist_ok=True)
    files = [path / f"{i}.png" for i in range(len(contents))]
    for file, level in zip(files, contents, strict=True):
        if level is None:
            file.write_text("no picture")
        else:
            Image.new("RGB", (5, 4), (level, level, level)).save(file)
    return files


def level(image: Image.Image) -> int:
    """What `folder_of` made a picture of."""
    return int(np.asarray(image.convert("RGB"))[0, 0, 0])


def levels(pictures: Pictures) -> list[int]:
    return [level(pictures[number].example.image) for number in range(len(pictures))]


def pictures_of(files: Sequence[Path]) -> Pictures:
    return Pictures(len(files), lambda number: Example(open_upright(files[number])))


def noise(side: int, seed: int) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def bomb(path: Path, side: int = 20_000) -> None:
    """A PNG of a few bytes that says that it has as many pixels as would fill the memory."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(99))), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def damaged_folder(folder: Path, *, side: int = 40) -> dict[str, str]:
    """Four readable pictures among what is none.

    Returns:
        the names of those that can't be read, and the reason that is told of each.
    """
    folder.mkdir()
    noise(side, 0).save(folder / "good.png")
    noise(side, 1).save(folder / "other.jpg")
    noise(side, 2).save(folder / "a JPEG.png", "JPEG")
    noise(side, 3).save(folder / f"readable {NOT_TEXT}")
    noise(200, 4).save(folder / "truncated.jpg")
    whole = (folder / "truncated.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no picture")
    bomb(folder / "bomb.png")
    (folder / "folder.png").mkdir()  # not taken for a picture: not told of either
    (folder / NOT_TEXT).write_text("no picture")
    return {
        "truncated.jpg": "truncated",
        "empty.png": "not a picture",
        "text.png": "not a picture",
        "bomb.png": "decompression bomb",
        NOT_TEXT: "not a picture",
    }
