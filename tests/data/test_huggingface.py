import builtins
from pathlib import Path

import pytest
from data.picture_files import folder_of, levels

from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import training_pictures
from jaxinpaint.data.huggingface import HuggingFacePictures
from jaxinpaint.data.pictures import UnreadablePicture, open_upright
from jaxinpaint.data.sources import open_source

datasets = pytest.importorskip("datasets", reason="takes jaxinpaint[huggingface]")


@pytest.fixture(autouse=True)
def quiet_and_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def dataset_of(folder: Path, contents: list[int | None], *, column: str = "image"):
    """A dataset whose rows hold the files' bytes."""
    files = folder_of(folder, contents)
    rows = [{"bytes": file.read_bytes(), "path": None} for file in files]
    columns = {column: rows, "label": list(range(len(files)))}
    features = datasets.Features({column: datasets.Image(), "label": datasets.Value("int64")})
    return datasets.Dataset.from_dict(columns, features=features)


def read(name: str) -> list[int]:
    return levels(training_pictures(DataConfig(source=name)))


def test_a_saved_dataset_is_read_as_it_is_stored(tmp_path: Path) -> None:
    dataset_of(tmp_path / "files", [3, 1, 2]).save_to_disk(tmp_path / "saved")
    source = open_source(f"hf:{tmp_path / 'saved'}")
    assert source.places is None
    assert str(source.files[1]) == f"hf:{tmp_path / 'saved'}@train[1]"
    assert read(source.name) == [3, 1, 2]


def test_a_saved_dataset_may_have_splits(tmp_path: Path) -> None:
    splits = {
        "train": dataset_of(tmp_path / "a", [1, 2]),
        "test": dataset_of(tmp_path / "b", [3]),
    }
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    assert read(f"hf:{tmp_path / 'saved'}") == [1, 2]
    assert read(f"hf:{tmp_path / 'saved'}@test") == [3]
    with pytest.raises(ValueError, match="@validation can't be opened: "):
        read(f"hf:{tmp_path / 'saved'}@validation")


def test_of_several_columns_of_pictures_one_is_asked_for(tmp_path: Path) -> None:
    left = dataset_of(tmp_path / "a", [1, 2], column="left")
    right = dataset_of(tmp_path / "b", [3, 4], column="right").remove_columns("label")
    both = datasets.concatenate_datasets([left, right], axis=1)
    both.save_to_disk(tmp_path / "saved")
    name = f"hf:{tmp_path / 'saved'}"
    assert read(f"{name}#right") == [3, 4]
    for field in ("", "#label", "#middle"):
        with pytest.raises(ValueError, match=r"say .* #FIELD; there is left, right$"):
            open_source(name + field)
    pairs = training_pictures(DataConfig(source=f"{name}#right", pairs=f"{name}#left"))
    source = pairs[1].example.source
    assert source is not None
    assert source.getpixel((0, 0)) == (2, 2, 2)


def test_files_that_a_dataset_only_names_are_read(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "files", [1, 2])
    rows = [str(file) for file in files]
    named = datasets.Dataset.from_dict({"image": rows}).cast_column("image", datasets.Image())
    named.save_to_disk(tmp_path / "saved", max_shard_size="1GB")
    assert read(f"hf:{tmp_path / 'saved'}") == [1, 2]


def test_rows_that_hold_no_picture_are_skipped_and_named(tmp_path: Path) -> None:
    whole = dataset_of(tmp_path / "a", [1, None, 3])
    rows = [*whole.cast_column("image", datasets.Image(decode=False))["image"], None]
    features = datasets.Features({"image": datasets.Image()})
    name = f"hf:{tmp_path / 'saved'}"
    datasets.Dataset.from_dict({"image": rows}, features=features).save_to_disk(tmp_path / "saved")
    pictures = training_pictures(DataConfig(source=name))
    assert levels(pictures) == [1, 3, 3, 1]
    assert pictures[1].skipped == (f"{name}@train[1]: not a picture that Pillow can read",)
    assert pictures[3].skipped == (f"{name}@train[3]: not a picture that Pillow can read",)


def test_a_file_that_is_named_and_gone_is_an_unreadable_picture(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": None, "path": str(tmp_path / "gone.png")}}]
    pictures = HuggingFacePictures("hf:named@train", "image", rows)
    with pytest.raises(UnreadablePicture, match=r"gone\.png: no such file"):
        open_upright(pictures[0])


def test_without_the_library_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    really_import = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name == "datasets":
            raise ModuleNotFoundError("No module named 'datasets'")
        return really_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxinpaint\[huggingface\]'"):
        open_source(f"hf:{tmp_path}")


def test_a_folder_that_is_no_saved_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(ValueError, match=r"notes@train can't be opened: "):
        open_source(f"hf:{tmp_path / 'notes'}")


def test_a_split_that_is_not_the_saved_one_is_refused(tmp_path: Path) -> None:
    dataset_of(tmp_path / "files", [3, 1]).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match="leave out @SPLIT"):
        open_source(f"hf:{tmp_path / 'saved'}@validation")
