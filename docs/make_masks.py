"""Writes pictures/masks.png, six holes of every sampler, and the table of masks.md's numbers.

python docs/make_masks.py
"""

from pathlib import Path
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxinpaint import masks
from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.evaluation.mask_statistics import mask_statistics

PICTURE = Path(__file__).parent / "pictures" / "masks.png"
SIDE = 256  # of what is drawn
SHOWN = 96  # of what is shown of it
GAP, LABEL = 4, 112
RATIO = (0.01, 0.6)


def drawn(name: masks.SamplerName, n: int) -> list[Missing]:
    """The first holes of a sampler, of 256x256 pixels."""
    sample = masks.sampler(name, ratio=RATIO, border=True)
    draw = jax.jit(lambda k: masks.holes(sample, jax.random.key(0), k[None], (SIDE, SIDE))[0])
    return [np.asarray(draw(jnp.int32(number)))[..., 0] > 0 for number in range(n)]


def sheet(rows: dict[str, list[Missing]]) -> RGB:
    """A row of holes a sampler, with its name."""
    step, columns = SHOWN + GAP, max(map(len, rows.values()))
    page = Image.new("RGB", (LABEL + columns * step, GAP + len(rows) * step), "white")
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=13)
    for row, (name, holes) in enumerate(rows.items()):
        top = GAP + row * step
        pen.text((GAP, top + SHOWN / 2), name, fill="black", font=font, anchor="lm")
        for column, hole in enumerate(holes):
            grey = Image.fromarray(np.where(hole, np.uint8(255), np.uint8(40)))
            small = grey.resize((SHOWN, SHOWN), Image.Resampling.BOX)
            page.paste(small, (LABEL + column * step, top))
    return np.asarray(page)


if __name__ == "__main__":
    rows = {name: drawn(name, 1000) for name in get_args(masks.SamplerName)}
    for name, holes in rows.items():
        found = mask_statistics(holes)
        low, high = np.percentile(found.ratios, (5, 95))
        print(
            f"| `{name}` | {found.ratios.mean():.0%} | {low:.0%} to {high:.0%} | "
            f"{found.touches.mean():.0%} | {found.parts.mean():.1f} |"
        )
    Image.fromarray(sheet({name: holes[:6] for name, holes in rows.items()})).save(PICTURE)
    print(PICTURE)
