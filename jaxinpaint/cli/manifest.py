"""``jaxinpaint manifest``: which squares of which pictures are judged, with which holes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from jaxinpaint.names import ProtocolName, SamplerName

if TYPE_CHECKING:
    from jaxinpaint.evaluation.manifests import HolesOf

Bucket: TypeAlias = tuple[float, float]


def manifest(
    *,
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
    protocol: ProtocolName = "house",
    size: int | None = None,
    sampler: SamplerName | None = None,
    buckets: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LOW-HIGH")] = (),
    border: Literal["any", "never", "both"] | None = None,
    seed: int = 0,
    masks: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    cut: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
) -> None:
    """Write a manifest: the test that `jaxinpaint evaluate` judges by.

    Each picture gives its middle square, once with a hole of every kind that is asked for. The
    manifest tells pictures and holes by their hashes; what has changed is refused.

    Args:
        data: A folder of pictures.
        output: The file to write, of JSON lines.
        protocol: Whose size and holes are meant, where nothing else is said.
        size: Side of the squares.
        sampler: What draws holes, as of `jaxinpaint masks`.
        buckets: Shares that are missing, such as 0.1-0.2 0.2-0.3.
        border: Whether irregular holes may touch the border.
        seed: Of what is drawn.
        masks: Take holes from a folder of mask files instead: white is missing. A picture has the
            mask of its own name; if not one has such, masks go round.
        cut: Also write the squares and holes as PNGs into a new folder, for other programs to fill:
            truth/ and holes/, by the names that their results must have.
    """
    from jaxinpaint.evaluation import manifests
    from jaxinpaint.evaluation.protocols import PROTOCOLS

    if output.exists():
        raise ValueError(f"{output} is there already; choose another output, or remove it")
    if cut is not None and cut.exists():
        raise ValueError(f"{cut} is there already; choose another folder, or remove it")
    side = PROTOCOLS[protocol].size if size is None else size
    if masks is not None:
        if sampler or buckets or border:
            raise ValueError("--masks brings the holes; leave out --sampler, --buckets, --border")
        rows = manifests.stored_rows(data, masks, size=side, tell=print)
    else:
        kinds = _kinds(PROTOCOLS[protocol].holes, sampler, buckets, border)
        rows = manifests.drawn_rows(data, size=side, holes=kinds, seed=seed)
    number = manifests.write(rows, output)
    print(f"{number} cases of {side}x{side} pixels, {manifests.read(output).sha256[:12]}: {output}")
    if cut is not None:
        _write_cases(output, data, masks, cut)


def _kinds(
    holes: "HolesOf",
    sampler: SamplerName | None,
    buckets: tuple[str, ...],
    border: Literal["any", "never", "both"] | None,
) -> "HolesOf":
    """The holes that are asked for.

    Raises:
        ValueError: for options that the samplers do not read, or buckets that are none.
    """
    from jaxinpaint import masks

    if sampler is not None:
        holes = holes._replace(samplers=(sampler,), fraction=None)
    told = {"ratio": bool(buckets), "border": border is not None}
    names = {"ratio": "buckets", "border": "border"}
    for option in ("ratio", "border"):
        if told[option] and all(option in masks.unread(name) for name in holes.samplers):
            raise ValueError(
                f"--{names[option]} says nothing to the holes of {', '.join(holes.samplers)}"
            )
    if buckets:
        holes = holes._replace(buckets=tuple(map(_bucket, buckets)))
    if border is not None:
        borders = {"any": (True,), "never": (False,), "both": (True, False)}
        holes = holes._replace(borders=borders[border])
    return holes


def _bucket(told: str) -> Bucket:
    low, _, high = told.partition("-")
    try:
        bucket = float(low), float(high)
    except ValueError:
        bucket = (1.0, 0.0)
    if not 0 <= bucket[0] < bucket[1] <= 1:
        raise ValueError(f"--buckets {told} is none: two shares, such as 0.1-0.2")
    return bucket


def _write_cases(file: Path, data: Path, masks: Path | None, folder: Path) -> None:
    """Squares and holes as PNGs; the folder appears when all are written."""
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from jaxinpaint.evaluation import manifests

    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / "cut"
        for name in ("truth", "holes"):
            (made / name).mkdir(parents=True)
        for row in tqdm(manifests.read(file).rows, desc="cut", unit="case", disable=None):
            _, truth, hole = manifests.case(row, data, masks)
            Image.fromarray(truth).save(made / "truth" / f"{row.name}.png")
            white = np.where(hole, np.uint8(255), np.uint8(0))
            Image.fromarray(white).save(made / "holes" / f"{row.name}.png")
        made.rename(folder)
    print(f"{folder / 'truth'} and {folder / 'holes'}; name what fills them alike")
