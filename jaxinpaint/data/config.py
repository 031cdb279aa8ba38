"""What is chosen about data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

BUILT_IN = "built-in"


@dataclass(frozen=True)
class DataConfig:
    """Where the pictures come from, and how they are cut."""

    source: Annotated[str, tyro.conf.arg(aliases=["--data.path"], metavar="SOURCE")] = BUILT_IN
    """The training pictures. built-in: those that come along. A folder, with the folders in it, or
    a text file that names a picture a line. tfds:NAME, a prepared dataset of tensorflow-datasets
    (tfds:NAME/CONFIG:VERSION@SPLIT#FEATURE; or its folder in place of the name). hf:NAME, one of
    Hugging Face (hf:NAME@SPLIT#COLUMN; or its folder)."""
    held_out: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None
    """Pictures that are only looked at: sample grids and the closing comparison. None: the two
    built-in held-out photographs if the training pictures are built-in too, else none."""
    manifest: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A manifest (`jaxinpaint manifest`) of the folder --data.held-out: its squares and holes are
    then what is scored while training, in place of fixed holes."""
    manifest_masks: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The folder of mask files, for a --data.manifest whose holes are such."""
    pairs: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None
    """Inputs, for networks that make one picture from another: for each training picture one of the
    same size, and of the same place and name in its folder, whatever its suffix; of datasets, the
    one of the same number."""
    held_out_pairs: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None
    """The same for the held-out pictures."""
    holes: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None
    """Masks, white where pixels are missing, for --recipe.holes folder (any for any picture,
    turned, grown and cut at random) or paired (for each picture one of the same size and name)."""
    shapes: Path | None = None
    """A folder of outlines of objects, white on black, that are cut out as holes (crfill)."""
    short_side: int | None = None
    """Scale training pictures to this shorter side before they are cut: bicubic, antialiased. None:
    keep their own."""
    size: int = 512
    """Side in pixels of the square crops. A picture that is smaller is enlarged to it."""
    batch_size: int = 6
    """Crops in a step, over all devices."""
    random_scale: bool = False
    """Cut squares of any side between this size and the picture's shorter side, and scale them down
    to it. Off: squares of this size, at the picture's own scale."""
    flip: bool = True
    """Mirror half of the crops."""
    random_colours: bool = False
    """Shuffle red, green and blue of each crop, and turn half of them into negatives: a few
    photographs then teach how to go on with what is around a hole, not their own colours."""
    workers: int = 0
    """Processes that read pictures. 0: threads of this one, which suffice but for many devices;
    processes take seconds to start. What a step sees does not depend on it."""

    def __post_init__(self) -> None:
        """Refuses what can't be cut, and inputs that don't go with pictures."""
        for name, least in {"size": 1, "batch_size": 1, "workers": 0}.items():
            if (value := getattr(self, name)) < least:
                option = name.replace("_", "-")
                raise ValueError(f"--data.{option} is {value}; it must be at least {least}")
        if self.manifest is not None and (self.held_out is None or self.pairs is not None):
            raise ValueError(
                "--data.manifest tells of holes in the pictures of a folder: --data.held-out"
            )
        if self.manifest_masks is not None and self.manifest is None:
            raise ValueError("--data.manifest-masks holds the masks of a manifest: --data.manifest")
        if self.short_side is not None and self.short_side < self.size:
            raise ValueError(
                f"--data.short-side is {self.short_side}; crops of --data.size {self.size} need at "
                "least that"
            )
        self._check_pairs()

    def _check_pairs(self) -> None:
        if self.pairs and self.source == BUILT_IN:
            raise ValueError(
                "--data.pairs holds inputs for the pictures of --data.source: give both"
            )
        if self.held_out_pairs and not self.held_out:
            raise ValueError(
                "--data.held-out-pairs holds inputs for the pictures of --data.held-out: give both"
            )
        if self.held_out and bool(self.pairs) != bool(self.held_out_pairs):
            raise ValueError(
                "--data.pairs and --data.held-out-pairs go together: training and held-out "
                "pictures must both have inputs, or neither"
            )
        if self.pairs and self.random_colours:
            raise ValueError(
                "--data.random-colours does not go with --data.pairs, where a colour may be a label"
            )
