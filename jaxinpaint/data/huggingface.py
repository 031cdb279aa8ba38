"""Pictures of datasets of Hugging Face."""

from pathlib import Path
from typing import Any

from jaxinpaint.data.pictures import Encoded, File
from jaxinpaint.data.sources import TRAIN, DatasetParts, dataset_parts, picture_field


class HuggingFacePictures:
    """A column of pictures, as they are stored."""

    def __init__(self, name: str, column: str, rows: Any) -> None:
        self._name = name
        self._column = column
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> File:
        """The picture of a row."""
        stored = self._rows[number][self._column] or {}
        content = stored.get("bytes")
        if content is None and stored.get("path"):
            return Path(stored["path"])
        return Encoded(f"{self._name}[{number}]", content or b"")


def open_huggingface(rest: str) -> HuggingFacePictures:
    """The pictures of ``NAME@SPLIT#COLUMN``; the name may be the folder of a saved dataset.

    Raises:
        ModuleNotFoundError: if ``datasets`` is not installed.
        ValueError: if there is no such dataset, split or column of pictures.
    """
    try:
        import datasets
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "reading datasets of Hugging Face takes: pip install 'jaxinpaint[huggingface]'"
        ) from None
    parts = dataset_parts(rest)
    whole = f"hf:{parts.name}@{parts.split or TRAIN}"
    rows = _rows(datasets, parts, whole)
    pictures = [name for name, kind in rows.features.items() if isinstance(kind, datasets.Image)]
    column = picture_field(whole, parts.field, pictures)
    undecoded = rows.cast_column(column, datasets.Image(decode=False)).select_columns([column])
    return HuggingFacePictures(whole, column, undecoded)


def _rows(datasets: Any, parts: DatasetParts, whole: str) -> Any:
    """The rows of a dataset.

    Raises:
        ValueError: if it can't be opened, or the one that is saved there is of another split.
    """
    saved, split = Path(parts.name), parts.split or TRAIN
    try:
        if (saved / "dataset_dict.json").exists():
            return datasets.load_from_disk(str(saved / split))
        if not (saved / "dataset_info.json").exists():
            return datasets.load_dataset(parts.name, split=split)
        rows = datasets.load_from_disk(parts.name)
    # Whatever the hub, a cache or a builder raises: all of it means that it can't be read.
    except Exception as error:
        raise ValueError(f"{whole} can't be opened: {error}") from error
    if parts.split is not None and parts.split != rows.split:
        raise ValueError(
            f"{whole}: what is saved in {parts.name} is the split {rows.split}, as a whole: leave "
            "out @SPLIT"
        )
    return rows
