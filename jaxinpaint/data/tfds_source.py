"""Pictures of prepared datasets of tensorflow-datasets, read without TensorFlow."""

import json
import re
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from jaxinpaint.data.pictures import Encoded
from jaxinpaint.data.sources import TRAIN, DatasetParts, dataset_parts, picture_field

INFO = "dataset_info.json"  # by which a folder is known to hold a prepared dataset
PROGRESS = "jaxinpaint.json"  # of a dataset that `tfds_writing` wrote: whether splits are complete


class TfdsPictures:
    """A feature of pictures, as they are stored."""

    def __init__(self, name: str, feature: str, records: Any) -> None:
        self._name = name
        self._feature = feature
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, number: int) -> Encoded:
        """The picture of a record."""
        return Encoded(f"{self._name}[{number}]", self._records[number][self._feature])


def open_tfds(rest: str) -> TfdsPictures:
    """The pictures of ``NAME@SPLIT#FEATURE``, of a dataset that is prepared.

    Args:
        rest: the name is a folder that holds such a dataset, or one that tensorflow-datasets knows,
            which is looked for in ``TFDS_DATA_DIR`` or ``~/tensorflow_datasets``.

    Raises:
        ValueError: if there is no such dataset, split or feature of pictures, or its files can't be
            read at random.
    """
    parts = dataset_parts(rest)
    split = parts.split or TRAIN
    _check_complete(Path(parts.name), parts)  # first: of one just begun there is nothing to read
    builder = _builder(parts)
    _check_complete(Path(builder.data_dir), parts)
    pictures = _pictures(builder)
    feature = picture_field(f"tfds:{rest}", parts.field, pictures)
    undecoded = {name: tfds.decode.SkipDecoding() for name in pictures}
    try:
        records = builder.as_data_source(split, decoders=undecoded)
    except NotImplementedError as error:
        raise ValueError(
            f"tfds:{parts.name} is stored as {builder.info.file_format}, which can't be read at "
            "random: prepare it anew with --file_format=array_record"
        ) from error
    return TfdsPictures(f"tfds:{parts.name}@{split}", feature, records)


def _builder(parts: DatasetParts) -> Any:
    """What reads the dataset.

    Raises:
        ValueError: if it is not known or not prepared.
    """
    if (Path(parts.name) / INFO).exists():
        return tfds.builder_from_directory(parts.name)
    if Path(parts.name).is_dir():
        raise ValueError(
            f"{parts.name} holds no prepared dataset (no {INFO}); its last folder is a version, "
            "such as 1.0.0"
        )
    try:
        builder = tfds.builder(parts.name)
    except tfds.core.DatasetNotFoundError:
        raise ValueError(
            f"tensorflow-datasets knows no {parts.name!r}, and there is no such folder"
        ) from None
    except AssertionError as error:  # what it says of a version that there is not
        raise ValueError(f"tfds:{parts.name}: {error}") from error
    if not builder.is_prepared():
        raise ValueError(
            f"tfds:{parts.name} is not prepared in {builder.data_dir}: "
            f"jaxinpaint prepare tfds:{parts.name}"
        )
    return builder


def _check_complete(folder: Path, parts: DatasetParts) -> None:
    """Raises ValueError if a split that is asked for was only begun."""
    path = folder / PROGRESS
    states = json.loads(path.read_text()) if path.exists() else {}
    for split, state in states.items():
        asked_for = re.search(rf"\b({re.escape(split)}|all)\b", parts.split or TRAIN)
        if asked_for and not state["complete"]:
            raise ValueError(
                f"the split {split} in {folder} is unfinished: go on with the same "
                "`jaxinpaint prepare ...`"
            )


def _pictures(builder: Any) -> list[str]:
    """The names of the features that are pictures."""
    features = builder.info.features
    named = [name for name, kind in features.items() if isinstance(kind, tfds.features.Image)]
    return sorted(named)  # a dataset keeps its features in no order
