"""Exports: what they paint, what they tell, and what is refused."""

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import golden
import numpy as np
import pytest
import tiny_run
from as_installed import as_installed
from interop.torch_saved import torch_saved
from PIL import Image

import jaxinpaint
from jaxinpaint import exported, trained, translator
from jaxinpaint.cli.export import export
from jaxinpaint.cli.import_network import import_network
from jaxinpaint.cli.inpaint import inpaint
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.exported import Differs
from jaxinpaint.interop import onnx_program, stablehlo
from jaxinpaint.interop.export_folders import digests_of, open_export
from jaxinpaint.interop.network_files import NetworkFile
from jaxinpaint.interop.programs import INPAINT, Painting, Program
from jaxinpaint.interop.published_networks import as_published
from jaxinpaint.interop.torch_files import read_torch
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.names import ExportFormat
from jaxinpaint.recipes import CRFillConfig, PartialConvConfig
from jaxinpaint.recipes.base import Multiple, Window
from jaxinpaint.run_config import NoRun, RunConfig

DEEPFILL = replace(
    tiny_run.GATED,
    recipe=CRFillConfig(("all",), attention=True, width=16, discriminator_width=2),
)
# Partial convolutions in the forms that the published programs compute.
NAOTO0804 = PartialConvConfig(layer_size=2, width=0.06, ratio="inverse-coverage", normalised=True)
TANIMUTOMO = PartialConvConfig(
    layer_size=2, width=0.06, batch_norm=False, last_layer="rescaled-bias"
)
RUNS: dict[str, RunConfig] = {
    "partial-conv": tiny_run.CONFIG,
    "naoto0804": replace(tiny_run.CONFIG, recipe=NAOTO0804),
    "tanimutomo": replace(tiny_run.CONFIG, recipe=TANIMUTOMO),
    "crfill": tiny_run.GATED,
    "deepfill": DEEPFILL,
    "context-encoder": tiny_run.CENTER,
    "random regions": tiny_run.REGIONS,
    "pan-holes": tiny_run.HOLES,
    "membrane": tiny_run.MEMBRANE,
}
# Formats that take more than is always there, by what they take.
EXTRAS = {"torch": "torch", "onnx": "jax2onnx", "savedmodel": "tensorflow"}
FORMATS: list[ExportFormat] = ["safetensors", "stablehlo", "torch", "onnx", "savedmodel"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: tiny_run.tiny_run(folder / name, config) for name, config in RUNS.items()}


def photo_and_hole() -> tuple[np.ndarray, np.ndarray]:
    """Of no network's size; the hole keeps off the border."""
    photo = np.random.default_rng(0).integers(0, 256, (75, 90, 3), dtype=np.uint8)
    hole = np.zeros((75, 90), bool)
    hole[30:42, 40:50] = True
    return photo, hole


def filled(network: Path, folder: Path) -> np.ndarray:
    """The picture that ``jaxinpaint inpaint`` writes."""
    photo, hole = photo_and_hole()
    Image.fromarray(photo).save(folder / "photo.png")
    Image.fromarray(hole).save(folder / "hole.png")
    files = network, folder / "photo.png"
    inpaint(files, hole=folder / "hole.png", output=folder / "filled.png")
    return read_rgb(folder / "filled.png")


# The others share most of what is exported with these.
ALWAYS = ("partial-conv", "context-encoder", "membrane")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in ALWAYS else pytest.mark.slow) for n in RUNS]
)
def test_an_export_fills_holes_as_its_run_does(
    name, kind: ExportFormat, runs, tmp_path, capsys
) -> None:
    if kind in EXTRAS:
        pytest.importorskip(EXTRAS[kind])
    if kind == "torch" and name in ("pan-holes", "membrane"):
        pytest.skip("refused: there are no published names")
    folder = tmp_path / "exported"
    export(runs[name], kind=kind, output=folder)
    told = capsys.readouterr().out
    assert told.rstrip().endswith(str(folder / exported.FILES[kind]))
    report = json.loads((folder / "export.json").read_text())
    assert report["format"] == kind
    worst = max(trial["error"] for trial in report["trials"])
    assert report["maximum_error"] == worst <= report["tolerance"] == 1e-4
    assert len(report["trials"]) == 6
    assert len({tuple(trial["shape"]) for trial in report["trials"]}) == 3
    assert report["versions"]["jaxinpaint"] == jaxinpaint.__version__
    assert report["sha256"]
    photo, hole = photo_and_hole()
    wanted = filled(runs[name], tmp_path)
    for path in (folder, folder / exported.FILES[kind]):
        made = filled(path, tmp_path)
        # By no more than a rounding of what lies between two levels.
        assert np.max(np.abs(made.astype(int) - wanted)) <= (kind in ("onnx", "savedmodel"))
    assert (wanted[~hole] == photo[~hole]).all()
    assert (wanted[hole] != photo[hole]).any()


def test_generators_alone_are_exported(runs, tmp_path: Path) -> None:
    export(runs["crfill"], kind="safetensors", output=tmp_path / "exported")
    from jaxinpaint.interop.network_files import read

    players = read(tmp_path / "exported" / "network.safetensors").players
    assert players.keys() == {"generator"}
    assert "auxiliary" not in players["generator"]["params"]


ALONE = """
import sys
sys.modules["jaxinpaint"] = sys.modules["flax"] = None
import numpy as np
from jax import export
program = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
given = np.load(sys.argv[2])
composite, output = program.call(given["image"], given["hole"])
np.savez(sys.argv[3], composite=composite, output=output)
"""


def test_stablehlo_runs_where_this_package_is_not(runs, tmp_path: Path) -> None:
    export(runs["crfill"], kind="stablehlo", output=tmp_path / "exported")
    path = tmp_path / "exported" / "program.stablehlo"
    rng = np.random.default_rng(0)
    image = rng.random((2, 24, 40, 3), np.float32)
    hole = (rng.random((2, 24, 40, 1)) < 0.3).astype(np.float32)
    np.savez(tmp_path / "given.npz", image=image, hole=hole)
    arguments = [str(path), str(tmp_path / "given.npz"), str(tmp_path / "made.npz")]
    subprocess.run([sys.executable, "-c", ALONE, *arguments], check=True)
    composite, output = exported.read_program(path).call(image, hole)
    with np.load(tmp_path / "made.npz") as made:
        # The same program, on the tests' eight simulated devices and on one.
        np.testing.assert_allclose(made["composite"], composite, atol=1e-6)
        np.testing.assert_allclose(made["output"], output, atol=1e-6)
    known = np.broadcast_to(hole == 0, image.shape)
    np.testing.assert_array_equal(np.asarray(composite)[known], image[known])


def test_pairs_are_exported_as_what_makes_pictures(tmp_path: Path) -> None:
    run = tiny_run.tiny_run(tmp_path / "run", tiny_run.PAIRS)
    export(run, kind="stablehlo", output=tmp_path / "exported")
    photo, _ = photo_and_hole()
    wanted = translator.load(run)(photo)
    np.testing.assert_array_equal(translator.load(tmp_path / "exported")(photo), wanted)
    with pytest.raises(ValueError, match="fills no holes"):
        jaxinpaint.load(tmp_path / "exported")


def test_an_export_that_paints_otherwise_is_refused_and_leaves_nothing(
    runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = stablehlo.write

    def wrongly(program: Program, path: Path) -> None:
        def call(image, hole):
            composite, output = program.call(image, hole)
            return composite, output + 1e-3

        write(program._replace(call=call), path)

    monkeypatch.setattr(stablehlo, "write", wrongly)
    with pytest.raises(Differs, match=r"differs from the network's by 1\.0e-03"):
        export(runs["partial-conv"], kind="stablehlo", output=tmp_path / "exported")
    assert not list(tmp_path.iterdir())
    export(runs["partial-conv"], kind="stablehlo", output=tmp_path / "exported", tolerance=0.1)


def no_number(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Only in what is made second of the second trial."""
    return image, np.full_like(image, np.nan if len(image) == 2 else 0)


def another_shape(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return image, np.zeros((*image.shape[:3], 1), np.float32)


@pytest.mark.parametrize(
    ("painting", "message"), [(no_number, "by nan"), (another_shape, "by inf")]
)
def test_what_is_no_number_or_of_another_shape_differs(
    painting: Painting, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def painted(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return image, 0 * image

    program = Program(painted, INPAINT, Multiple(8))
    network = NetworkFile(NAOTO0804, {"generator": {}}, "")
    monkeypatch.setattr(exported, "program_of", lambda recipe, variables: program)
    monkeypatch.setattr(exported, "_write", lambda *given: None)
    monkeypatch.setattr(exported, "read_program", lambda path: program._replace(call=painting))
    with pytest.raises(Differs, match=message):
        exported.export(network, tmp_path / "exported", kind="stablehlo", pictures=[])


def test_what_can_not_be_exported_is_told(runs, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="is there already"):
        export(runs["partial-conv"], kind="stablehlo", output=tmp_path / "there")
    with pytest.raises(ValueError, match="no program has published weights of this network"):
        export(runs["pan-holes"], kind="torch", output=tmp_path / "folders" / "of" / "pan")
    with pytest.raises(NoRun, match="there is no run folder and no file"):
        export(tmp_path / "nowhere", kind="stablehlo", output=tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_programs_that_are_damaged_or_alone_are_refused(runs, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    export(runs["partial-conv"], kind="stablehlo", output=folder)
    path = folder / "program.stablehlo"
    whole, report = path.read_bytes(), (folder / "export.json").read_text()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UnreadableWeights, match=r"is damaged: its SHA-256 is not the one in exp"):
        jaxinpaint.load(folder)
    path.rename(folder / "program.onnx")
    with pytest.raises(UnreadableWeights, match=r"onnx is not program\.stablehlo, of which"):
        jaxinpaint.load(folder / "program.onnx")
    (folder / "program.onnx").unlink()
    with pytest.raises(UnreadableWeights, match=r"has no program\.stablehlo"):
        jaxinpaint.load(folder)
    path.write_bytes(whole)
    told = json.loads(report)
    for text in (
        report[:-9],
        "[" * 100_000,
        "{}",
        "null",
        *(
            json.dumps(told | changed)
            for changed in (
                {"format": "pickle"},
                {"format": ["onnx"]},
                {"inputs": [["image"]]},
                {"outputs": ["made"]},
                {"takes": {"multiple": {"of": 0, "least": 1}}},
                {"takes": {"multiple": {"of": "8", "least": 1}}},
                {"takes": {"window": {"width": 64}}},
                {"takes": {}},
                {"sha256": None},
            )
        ),
    ):
        (folder / "export.json").write_text(text)
        with pytest.raises(UnreadableWeights, match=r"export\.json"):
            as_installed(jaxinpaint.load)(path)
    (folder / "export.json").unlink()
    with pytest.raises(UnreadableWeights, match=r"needs its export\.json beside it"):
        jaxinpaint.load(path)


def test_torch_reads_exports_safely_under_the_published_names(runs, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    export(runs["crfill"], kind="torch", output=tmp_path / "crfill")
    kept = torch.load(tmp_path / "crfill" / "network.pth", weights_only=True)["state_dict"]
    assert kept.keys() == golden.facts("deepfill_generator_with_attention")["state_dict"].keys()
    export(runs["partial-conv"], kind="torch", output=tmp_path / "pconv")
    kept = torch.load(tmp_path / "pconv" / "network.pth", weights_only=True)["state_dict"]
    levels = ("enc_1.", "enc_2.", "dec_2.", "dec_1.")
    published = golden.facts("pconv_unet_naoto0804")["state_dict"]
    wanted = {key for key in published if key.startswith(levels)}
    assert kept.keys() == wanted | {f"{level}conv.mask_conv.weight" for level in levels}
    for name, tensor in kept.items():
        counts = name.endswith("num_batches_tracked")
        assert tensor.dtype == (torch.int64 if counts else torch.float32), name


@pytest.mark.parametrize(
    "name", ["naoto0804", "tanimutomo", "crfill", "deepfill", "context-encoder", "random regions"]
)
def test_pytorch_paints_the_same_with_what_is_exported(name: str, runs, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from interop import torch_networks

    export(runs[name], kind="torch", output=tmp_path / name)
    path = tmp_path / name / "network.pth"
    net = torch_networks.network(trained.start(path).config)
    net.load_state_dict(torch.load(path, weights_only=True)["state_dict"], strict=True)
    net.eval()
    image = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    hole = np.zeros((2, 64, 64, 1), np.float32)
    hole[:, 20:40, 24:44] = 1
    with torch.no_grad():
        given = [torch.from_numpy(array.transpose(0, 3, 1, 2).copy()) for array in (image, hole)]
        painted = net.paint(*given).permute(0, 2, 3, 1).numpy()
    wanted, _ = exported.read_program(tmp_path / name).call(image, hole)
    inside = hole[..., 0] > 0
    # Of [0, 1]: both sum in float32, in another order.
    np.testing.assert_allclose(painted[inside], np.asarray(wanted)[inside], atol=1e-5)
    assert np.ptp(painted[inside], axis=0).max() > 1e-3  # a picture, not one colour


def test_state_dicts_that_their_program_would_paint_otherwise_with_are_told(
    runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch")

    def told() -> list[str]:
        return [told.message for told in caplog.records if told.name.startswith("jaxinpaint")]

    export(runs["naoto0804"], kind="torch", output=tmp_path / "same")
    assert not told()
    export(runs["partial-conv"], kind="torch", output=tmp_path / "other")
    ratio, normalised = told()
    assert "its ratio is inverse-coverage, this network's paper" in ratio
    assert "its normalised is True, this network's False" in normalised


@pytest.mark.parametrize("name", ["naoto0804", "context-encoder", "crfill"])
def test_what_is_imported_and_exported_to_pytorch_is_the_same_file(
    name: str, runs, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    network = trained.read_generator(runs[name], average=False)
    params = dict(network.players["generator"]["params"])
    params.pop("auxiliary", None)
    _, arrays = as_published(network.config, {**network.players["generator"], "params": params})
    if name == "crfill":
        arrays["sconv1.weight"] = np.ones((2, 2, 3, 3), np.float32)
    for key in [key for key in arrays if key.endswith("running_mean")]:
        arrays[key.replace("running_mean", "num_batches_tracked")] = np.array(7)
    (tmp_path / "network.pth").write_bytes(torch_saved({"state_dict": arrays}, legacy=False))
    import_network(tmp_path / "network.pth", output=tmp_path / "network.safetensors")
    export(tmp_path / "network.safetensors", kind="torch")
    path = tmp_path / "network-exported" / "torch" / "network.pth"
    back = read_torch(path)["state_dict"]
    assert back.keys() == arrays.keys()
    for key, array in arrays.items():
        assert (back[key].dtype, back[key].shape) == (array.dtype, array.shape), key
        assert back[key].tobytes() == array.tobytes(), key


def test_the_generator_that_fills_holes_goes_out_without_its_branch(runs) -> None:
    network = trained.read_generator(runs["crfill"], average=False)
    kept = network._replace(unused={"sconv1.weight": np.zeros(1)})
    alone = exported._painting_alone(kept)
    assert "auxiliary" not in alone.players["generator"]["params"]
    assert not alone.unused
    assert exported._painting_alone(kept._replace(players=alone.players)).unused


def test_exports_of_networks_are_networks_and_programs_have_no_weights(
    runs, tmp_path: Path
) -> None:
    export(runs["partial-conv"], kind="safetensors", output=tmp_path / "network")
    same = trained.start(tmp_path / "network")
    assert same.config == tiny_run.CONFIG.recipe
    assert same.players().keys() == {"generator"}
    plain = (tmp_path / "network" / "network.safetensors").rename(tmp_path / "plain")
    export(plain, kind="stablehlo")
    folder = tmp_path / "plain-exported" / "stablehlo"
    for path in (folder, folder / "program.stablehlo"):
        for read in (trained.start, trained.read):
            with pytest.raises(UnreadableWeights, match="is a program, which has no weights"):
                read(path)


def test_programs_of_many_files_are_held_to_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "program.savedmodel" / "variables").mkdir(parents=True)
    inner = tmp_path / "program.savedmodel" / "variables" / "of-all"
    inner.write_text("numbers")
    report = {
        "format": "savedmodel",
        "inputs": INPAINT,
        "outputs": ["composite", "output"],
        "takes": {"window": {"side": 64, "margin": 0}},
        "sha256": digests_of(tmp_path / "program.savedmodel"),
    }
    (tmp_path / "export.json").write_text(json.dumps(report))
    assert open_export(tmp_path).takes == Window(64)
    inner.write_text("others")
    with pytest.raises(UnreadableWeights, match="is damaged: its SHA-256"):
        open_export(tmp_path / "program.savedmodel")


def test_another_librarys_log_level_is_as_it_was() -> None:
    logger = logging.getLogger("a library")
    logger.setLevel(logging.INFO)
    with onnx_program._without_warnings("a library"):
        assert logger.level == logging.ERROR
    assert logger.level == logging.INFO
