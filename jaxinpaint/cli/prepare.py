"""``jaxinpaint prepare``: pictures put into a dataset of tensorflow-datasets."""

import re
from pathlib import Path
from typing import Annotated

import tyro

NAME, VERSION, SPLIT = "photos", "1.0.0", "train"
SHOWN = 20  # reasons that are printed; the file has them all


def prepare(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")],
    /,
    *,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None,
    name: str = NAME,
    version: str = VERSION,
    split: str = SPLIT,
    short_side: int | None = None,
    pairs: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None,
    holes: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None,
) -> None:
    """Put a folder of pictures into one dataset: checked and scaled once, and in few files.

    It is one of tensorflow-datasets (ArrayRecord), and needs no TensorFlow. What was killed goes
    on with the same command.

    Args:
        source: A folder of pictures, or a text file that names one a line.
            tfds:NAME downloads and prepares a known dataset instead.
        output: Where datasets lie; this one goes to DIR/NAME/VERSION.
        name: Of the dataset.
        version: Of the dataset: three numbers.
        split: Of the dataset; call again for another, such as validation.
        short_side: Scale larger pictures down to this shorter side.
        pairs: For each picture the one that it is to be made from.
        holes: For each picture its mask: white is missing.
    """
    if source.startswith("tfds:"):
        if (name, version, split) != (NAME, VERSION, SPLIT) or short_side or pairs or holes:
            raise ValueError(
                "a dataset that tensorflow-datasets knows is prepared as it is: -o alone"
            )
        _known(source.removeprefix("tfds:"), output)
        return
    if output is None:
        raise ValueError("say where datasets lie: -o DIR")
    _check(name, version, split, short_side)
    from tqdm import tqdm

    from jaxinpaint.data.sources import open_source, partner_files
    from jaxinpaint.data.tfds_writing import SKIPPED, Parts
    from jaxinpaint.data.tfds_writing import prepare as write

    images = open_source(source)
    parts = Parts(
        images,
        None if pairs is None else partner_files(images, open_source(pairs), noun="input"),
        None if holes is None else partner_files(images, open_source(holes), noun="mask"),
    )
    folder = output / name / version
    with tqdm(total=len(images.files), unit="picture", disable=None) as bar:
        prepared = write(
            parts, folder, name=name, split=split, short_side=short_side, advance=bar.update
        )
    print(f"{prepared.written} pictures ({prepared.earlier} of them earlier) in {folder}")
    if prepared.skipped:
        print(f"{len(prepared.skipped)} skipped ({folder / f'{split}.{SKIPPED}'}):")
        for skip in prepared.skipped[:SHOWN]:
            print(f"    {skip.problem}")
    print(f"train on them: --data.source tfds:{folder}@{split}")


def _known(name: str, output: Path | None) -> None:
    """Downloads and prepares a dataset that tensorflow-datasets knows.

    Raises:
        ValueError: if it knows none of that name.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=output, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        raise ValueError(f"tensorflow-datasets knows no {name!r}") from None
    builder.download_and_prepare()
    print(f"train on it: --data.source tfds:{builder.data_dir}")


def _check(name: str, version: str, split: str, short_side: int | None) -> None:
    """Raises ValueError for what tensorflow-datasets takes for no name."""
    patterns = {
        "name": (name, r"[a-z][a-z0-9_]*", "small letters, digits and _"),
        "version": (version, r"\d+\.\d+\.\d+", "three numbers, such as 1.0.0"),
        "split": (split, r"(?!all$)[a-z][a-z0-9_]*", "small letters, digits and _, and not all"),
    }
    for option, (value, pattern, words) in patterns.items():
        if not re.fullmatch(pattern, value):
            raise ValueError(f"--{option} is {value!r}; it must be {words}")
    if short_side is not None and short_side < 1:
        raise ValueError(f"--short-side is {short_side}; it must be at least 1")
