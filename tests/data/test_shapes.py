from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxinpaint.data.pictures import UnreadablePicture
from jaxinpaint.data.shapes import SIDE, read_shapes


def draw(path: Path, size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    picture = Image.new("L", size)
    ImageDraw.Draw(picture).ellipse(box, fill=255)
    path.parent.mkdir(exist_ok=True)
    picture.save(path)


def test_outlines_fill_their_longer_side_and_keep_their_form(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "wide.png", (400, 300), (50, 200, 249, 299))
    draw(tmp_path / "b" / "small.png", (40, 40), (3, 3, 12, 12))
    packed = read_shapes(tmp_path)
    assert packed.shape == (2, SIDE, SIDE // 8)
    wide, small = np.unpackbits(packed, axis=-1).astype(bool)
    assert wide.any(0).sum() == SIDE
    assert abs(wide.any(1).sum() - SIDE // 2) <= 1
    for outline, share in ((wide, np.pi / 8), (small, np.pi / 4)):
        # An ellipse in its box; one of ten pixels is drawn coarsely.
        assert outline.mean() == pytest.approx(share, rel=0.12)
    rows = np.flatnonzero(wide.any(1))
    assert abs(rows[0] + rows[-1] - (SIDE - 1)) <= 1  # in the middle


def test_pictures_without_an_object_and_folders_without_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pictures in"):
        read_shapes(tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    with pytest.raises(UnreadablePicture, match=r"black\.png shows no object"):
        read_shapes(tmp_path)
    (tmp_path / "black.png").write_bytes(b"not a picture")
    with pytest.raises(UnreadablePicture, match=r"black\.png"):
        read_shapes(tmp_path)
