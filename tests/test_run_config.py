import dataclasses
from pathlib import Path

import jax
import pytest
from data.picture_files import NOT_TEXT

from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.recipes import PartialConvConfig
from jaxinpaint.run_config import NoRun, RunConfig, load_config, recipe_of, save_config


@pytest.mark.parametrize("preset", PRESETS)
def test_a_config_comes_back_from_its_file(tmp_path: Path, preset: str) -> None:
    config = PRESETS[preset][1]
    data = dataclasses.replace(config.data, source="a/b", held_out="tfds:c@test", holes=NOT_TEXT)
    config = dataclasses.replace(config, data=data)
    save_config(config, tmp_path / "run")
    assert load_config(tmp_path / "run") == config


def test_a_recipe_without_a_name_is_partial_convolutions(tmp_path: Path) -> None:
    save_config(RunConfig(), tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    assert "config: PartialConvConfig" in text
    (tmp_path / "config.yaml").write_text(text.replace("  config: PartialConvConfig\n", ""))
    assert load_config(tmp_path) == RunConfig()


def test_a_config_from_when_gates_could_be_kept_still_loads(tmp_path: Path) -> None:
    config = PRESETS["crfill"][1]
    save_config(config, tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    line = "  config: CRFillConfig\n"
    assert line in text
    (tmp_path / "config.yaml").write_text(text.replace(line, f"{line}  rematerialise: true\n"))
    assert load_config(tmp_path) == config


@pytest.mark.parametrize(
    ("path", "source"), [("null", "built-in"), ("/photos", "/photos"), ("null # none", "built-in")]
)
def test_a_config_from_when_there_were_folders_only_still_loads(
    tmp_path: Path, path: str, source: str
) -> None:
    save_config(RunConfig(), tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    earlier = ("  holes: null\n", "  workers: 0\n")  # options that there were not
    for line in earlier:
        assert line in text
        text = text.replace(line, "")
    text = text.replace("  source: built-in\n", f"  path: {path}\n")
    (tmp_path / "config.yaml").write_text(text)
    data = dataclasses.replace(RunConfig().data, source=source)
    assert load_config(tmp_path) == dataclasses.replace(RunConfig(), data=data)


def test_an_average_is_part_of_the_recipe_only_where_one_is_kept() -> None:
    config = RunConfig(PartialConvConfig(layer_size=2, width=0.1))
    averaged = recipe_of(dataclasses.replace(config, average=0.999))
    for recipe, names in ((recipe_of(config), set()), (averaged, {"generator"})):
        state = jax.eval_shape(lambda key, r=recipe: r.init(key, (8, 8)), jax.random.key(0))
        assert state.averages.keys() == names


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match="there is no run folder"):
        load_config(tmp_path / "nowhere")
    with pytest.raises(NoRun, match=r"has no config\.yaml"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: {layer_sise: 5}", "layer_sise"),
        ("recipe: {config: PANConfig, layer_size: 5}", "layer_size"),
        ("recipe: {config: UnheardOf}", "UnheardOf"),
        ("seed: many", "seed"),
        ("recipe: [", "not valid YAML"),
        ("", "holds no config"),
    ],
)
def test_a_config_that_does_not_fit_says_where(tmp_path: Path, text: str, message: str) -> None:
    save_config(RunConfig(), tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(NoRun, match=message):
        load_config(tmp_path)
