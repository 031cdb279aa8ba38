"""Published checkpoints through the public doors: files as the programs write them."""

import json
import math
import os
import resource
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from interop.torch_saved import Call, Global, pickled, torch_saved
from safetensors.numpy import save_file

import jaxinpaint
from jaxinpaint import recipes
from jaxinpaint.cli.import_network import import_network
from jaxinpaint.interop import network_files
from jaxinpaint.interop.network_files import NetworkFile, is_network_file
from jaxinpaint.interop.published_networks import as_published, read_network
from jaxinpaint.interop.weight_files import UnreadableWeights, digest_of
from jaxinpaint.nets.vgg import MEAN, STD
from jaxinpaint.recipes import ContextEncoderConfig, CRFillConfig, PartialConvConfig, RecipeConfig
from jaxinpaint.recipes.converting import config_as_text
from jaxinpaint.recipes.fitting import first_state
from jaxinpaint.trained import read

# What the references' authors state.
AGREES = 1e-4
Arrays = dict[str, np.ndarray]


def naoto0804() -> Arrays:
    shapes = golden.facts("pconv_unet_naoto0804")["state_dict"]
    weights = golden.state_dict(shapes)
    for key, shape in shapes.items():
        if key.endswith("input_conv.weight"):  # it divides by sum(M) alone
            weights[key] = weights[key] * np.float32(math.prod(shape[1:]))
            mask = key.replace("input_conv", "mask_conv")
            weights[mask] = np.ones(shape, np.float32)
    return weights


def tanimutomo() -> Arrays:
    return golden.state_dict(golden.facts("pconv_unet_tanimutomo")["state_dict"])


def boyuanjiang(network: str = "netG") -> Arrays:
    return golden.state_dict(golden.facts("context_encoder")["state_dict"][network])


def zengxianyu(network: str = "netG") -> Arrays:
    return golden.state_dict(golden.facts("crfill_generator")["state_dict"][network])


def deepfill() -> Arrays:
    return golden.state_dict(golden.facts("deepfill_generator_with_attention")["state_dict"])


# A file of each kind as its program writes it.
FILES: dict[str, Callable[[], Any]] = {
    "naoto0804": lambda: {"n_iter": 3, "model": naoto0804(), "optimizer": {"state": {}}},
    "tanimutomo": lambda: {"model": tanimutomo()},
    "boyuanjiang": lambda: {"epoch": 7, "state_dict": boyuanjiang()},
    "zengxianyu": zengxianyu,
    "deepfill": deepfill,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("published")
    for name, tree in FILES.items():
        (folder / f"{name}.pth").write_bytes(torch_saved(tree(), legacy=name == "tanimutomo"))
    return {name: folder / f"{name}.pth" for name in FILES}


def imported(path: Path, folder: Path, **options: Any) -> Path:
    output = folder / f"{path.stem}-{len(list(folder.iterdir()))}.safetensors"
    import_network(path, output=output, **options)
    return output


@pytest.mark.parametrize("name", FILES)
def test_what_goes_in_comes_out_with_the_same_bytes(name, files, tmp_path, capsys) -> None:
    attention = name == "deepfill"
    output = imported(files[name], tmp_path, attention=attention)
    told = capsys.readouterr().out
    network = read_network(output)
    tree = FILES[name]()
    given: Arrays = tree.get("model", tree.get("state_dict", tree))
    program, back = as_published(network.config, network.players["generator"])
    back |= network.unused
    assert program.name in told
    assert back.keys() - given.keys() == {  # constants, where the golden file left them out
        key for key in back if "mask_conv" in key and key not in given
    }
    for key, array in given.items():
        assert back[key].dtype == array.dtype
        assert back[key].shape == array.shape
        assert back[key].tobytes() == array.tobytes(), key
        if key in network.unused:
            assert key in told


def test_files_that_pytorch_wrote_are_read_the_same(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    def tensors(tree: Any) -> Any:
        if isinstance(tree, np.ndarray):
            return torch.from_numpy(tree)
        return {k: tensors(v) for k, v in tree.items()} if isinstance(tree, dict) else tree

    for name, tree in FILES.items():
        ours, theirs = tmp_path / f"{name}-ours.pth", tmp_path / f"{name}.pth"
        ours.write_bytes(torch_saved(tree(), legacy=False))
        torch.save(tensors(tree()), theirs)
        one, same = read_network(ours), read_network(theirs)
        assert one.config == same.config
        jax.tree.map(np.testing.assert_array_equal, dict(one.players), dict(same.players))


def painted(path: Path, image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    recipe, variables = read(path)
    assert recipe.inpaint is not None
    output, composite = jax.jit(recipe.inpaint)(variables, jnp.asarray(image), jnp.asarray(hole))
    return np.asarray(output), np.asarray(composite)


@pytest.mark.parametrize("name", ["naoto0804", "tanimutomo"])
def test_partial_convolutions_paint_as_published(name: str, files) -> None:
    z = golden.arrays(f"pconv_unet_{name}")
    valid, target = z["valid"].astype(np.float32), z["target_u8"].astype(np.float32) / 255
    # The reference was given, and gave, what the net itself takes and gives.
    published = np.array((MEAN, STD), np.float32)
    mean, std = published if name == "naoto0804" else np.array([[0.0], [1.0]], np.float32)
    output, composite = painted(files[name], target * std + mean, 1 - valid)
    expected = np.clip(z["output_eval"] * std + mean, 0, 1)
    assert golden.relative_error(output, expected) < AGREES
    known = np.broadcast_to(valid > 0, target.shape)
    np.testing.assert_array_equal(composite[~known], output[~known])


def test_the_context_encoder_paints_as_published(files) -> None:
    z = golden.arrays("context_encoder")
    image, hole = z["image_u8"].astype(np.float32) / 255, np.zeros((*z["image_u8"].shape[:3], 1))
    hole[:, 36:92, 36:92] = 1
    output, _ = painted(files["boyuanjiang"], image, hole.astype(np.float32))
    expected = (z["output_eval"] + 1) / 2
    assert golden.relative_error(output[:, 32:96, 32:96], expected) < AGREES


@pytest.mark.parametrize("name", ["zengxianyu", "deepfill"])
def test_crfill_and_deepfill_paint_as_published(name: str, files, tmp_path: Path) -> None:
    z = golden.arrays("crfill_generator")
    path = imported(files[name], tmp_path, attention=name == "deepfill")
    hole = z["hole"].astype(np.float32)
    output, _ = painted(path, z["image_u8"].astype(np.float32) / 255, hole)
    reference = z if name == "zengxianyu" else golden.arrays("deepfill_generator_with_attention")
    assert golden.relative_error(output, (reference["fine"] + 1) / 2) < AGREES


def test_a_published_file_fills_holes_in_pictures_of_any_size(files) -> None:
    inpainter = jaxinpaint.load(files["zengxianyu"])
    photo = np.random.default_rng(0).integers(0, 256, (43, 30, 3), dtype=np.uint8)
    hole = np.zeros((43, 30), bool)
    hole[10:20, 5:15] = True
    filled = inpainter(photo, hole)
    assert (filled[~hole] == photo[~hole]).all()
    assert (filled[hole] != photo[hole]).any()


def test_discriminators_come_with_their_generator(files, tmp_path: Path) -> None:
    for name, arrays in {"d": zengxianyu("netD"), "ce": boyuanjiang("netlocalD")}.items():
        (tmp_path / f"{name}.pth").write_bytes(torch_saved(arrays, legacy=False))
    judge = tmp_path / "d.pth"
    one = read_network(imported(files["zengxianyu"], tmp_path, discriminator=judge))
    assert one.players.keys() == {"generator", "discriminator"}
    assert one.players["discriminator"]["params"].keys() == {"fine"}
    both = imported(
        files["zengxianyu"], tmp_path, discriminator=judge, auxiliary_discriminator=judge
    )
    assert read_network(both).players["discriminator"]["spectral_norm"].keys() == {
        "fine",
        "auxiliary",
    }
    encoder = imported(files["boyuanjiang"], tmp_path, discriminator=tmp_path / "ce.pth")
    config = read_network(encoder).config
    assert isinstance(config, ContextEncoderConfig)
    assert (config.width, config.discriminator_width, config.bottleneck) == (16, 16, 100)
    for generator, wrong in ((files["boyuanjiang"], judge), (judge, judge)):
        with pytest.raises(UnreadableWeights, match=r"is no discriminator for|goes with its gener"):
            imported(generator, tmp_path, discriminator=wrong)
    with pytest.raises(UnreadableWeights, match="holds no network that paints"):
        jaxinpaint.load(judge)


def test_what_says_which_network_it_is_comes_from_the_file(files) -> None:
    configs = {name: read_network(path).config for name, path in files.items()}
    assert configs["naoto0804"] == PartialConvConfig(ratio="inverse-coverage", normalised=True)
    assert configs["tanimutomo"] == PartialConvConfig(batch_norm=False, last_layer="rescaled-bias")
    assert configs["zengxianyu"] == CRFillConfig(stages=("auxiliary",))
    assert configs["deepfill"] == CRFillConfig(stages=("all",))  # unless it is said to be DeepFill


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What this package warned of."""
    return [told.message for told in caplog.records if told.name.startswith("jaxinpaint")]


def test_what_may_be_deepfills_is_told_of(files, tmp_path: Path, caplog) -> None:
    network = read_network(files["deepfill"])
    assert network.untold == {"attention"}
    assert not read_network(files["deepfill"], attention=True).untold
    assert not read_network(files["zengxianyu"]).untold
    jaxinpaint.load(files["deepfill"])
    taken = imported(files["deepfill"], tmp_path)
    message = "may be DeepFill's, which has the same names: jaxinpaint import"
    assert [message in told for told in warnings(caplog)] == [True, True]
    caplog.clear()
    for path in (taken, imported(files["deepfill"], tmp_path, attention=True)):
        jaxinpaint.load(path)
    assert not warnings(caplog)


def test_what_is_to_be_imported_is_never_written_over(files, tmp_path: Path) -> None:
    judge = tmp_path / "judge.safetensors"
    save_file(boyuanjiang("netlocalD"), judge)
    whole = judge.read_bytes()
    with pytest.raises(ValueError, match="is there already"):
        import_network(files["boyuanjiang"], output=judge, discriminator=judge)
    assert judge.read_bytes() == whole


def test_discriminators_that_have_nothing_to_judge_are_refused(files, tmp_path: Path) -> None:
    judge = tmp_path / "judge.safetensors"
    save_file(zengxianyu("netD"), judge)
    given = {"attention": True, "discriminator": judge, "auxiliary_discriminator": judge}
    with pytest.raises(UnreadableWeights, match="no branch to be judged"):
        imported(files["deepfill"], tmp_path, **given)
    with pytest.raises(UnreadableWeights, match="goes with its generator"):
        imported(judge, tmp_path)
    assert list(tmp_path.iterdir()) == [judge]


def changed(arrays: Arrays, change: Callable[[Arrays], Any]) -> Arrays:
    change(arrays)
    return arrays


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"fc.weight": np.zeros((2, 2), np.float32)}, r"holds fc\.weight, which is no network of"),
        ({}, "holds nothing"),
        (changed(tanimutomo(), lambda a: a.pop("dec_3.conv.weight")), r"has also dec_3\.conv"),
        (changed(tanimutomo(), lambda a: a.pop("enc_3.conv.weight")), "not all from 1 on"),
        (
            changed(tanimutomo(), lambda a: a.update({"enc_3.surprise": np.zeros(1)})),
            r"has no enc_3\.surprise",
        ),
        (
            changed(tanimutomo(), lambda a: a.update({"enc_9.surprise": np.zeros(1)})),
            "has the levels .* 9], not all from 1 on",
        ),
        (
            changed(naoto0804(), lambda a: a["enc_2.conv.mask_conv.weight"].fill(2)),
            r"mask_conv\.weight is not 1 everywhere",
        ),
        (
            changed(
                tanimutomo(),
                lambda a: a.update({"dec_2.conv.weight": np.zeros((64, 5, 3, 3), np.float32)}),
            ),
            r"dec_2\.conv\.weight is \(3, 3, 5, 64\).*has \(3, 3, 192, 64\)",
        ),
        (
            changed(tanimutomo(), lambda a: a.update({"dec_1.conv.bias": np.zeros(3)})),
            r"dec_1\.conv\.bias is float64",
        ),
        (
            changed(tanimutomo(), lambda a: a["enc_1.conv.weight"].fill(np.nan)),
            r"enc_1\.conv\.weight has values that are not finite",
        ),
        (
            changed(boyuanjiang(), lambda a: a.update({"main.0.weight": np.zeros(3, np.float32)})),
            "has convolutions main.N for N = 0, 2",
        ),
        (changed(boyuanjiang(), lambda a: a.pop("main.12.running_var")), r"main\.12\.running_var"),
        (changed(zengxianyu(), lambda a: a.pop("baseg.conv1.weight")), r"has also baseg\.conv1"),
        (changed(zengxianyu("netD"), lambda a: a.pop("conv3.weight_u")), r"conv3\.weight_u"),
    ],
)
def test_what_is_not_the_network_to_the_last_array_is_refused(
    arrays: Arrays, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.safetensors"
    save_file(arrays, path)
    with pytest.raises(UnreadableWeights, match=message):
        as_installed(read_network)(path)


def test_hostile_and_damaged_files_are_refused(files, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hostile = {"model": Call(Global("os", "system"), (f"touch {ran}",))}
    whole = files["boyuanjiang"].read_bytes()
    for name, content in {
        "hostile": torch_saved(hostile, legacy=False),
        "pickle": pickled(hostile),
        "cut": whole[: len(whole) // 2],
        "page": b"<html>not found</html>",
    }.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        with pytest.raises(UnreadableWeights):
            jaxinpaint.load(path)
    assert not ran.exists()


def test_network_files_are_held_to_what_they_say(files, tmp_path: Path) -> None:
    path = imported(files["boyuanjiang"], tmp_path)
    whole = path.read_bytes()
    for name, content in {
        "is damaged": whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
        "damaged or cut short": whole[:-9],
        "jaxinpaint network 9": whole.replace(b"jaxinpaint network 1", b"jaxinpaint network 9"),
        "can't read": whole.replace(b"bottleneck:", b"bottlenecc:"),
        "of another generator": whole.replace(b"bottleneck: 100", b"bottleneck: 101"),
    }.items():
        path.write_bytes(content)
        with pytest.raises(UnreadableWeights, match=name):
            read_network(path)


def test_a_branch_may_be_missing_as_a_whole_only(files, tmp_path: Path) -> None:
    network = read_network(files["zengxianyu"])
    params = dict(network.players["generator"]["params"])
    branch = params.pop("auxiliary")
    path = tmp_path / "network.safetensors"
    network_files.write(network._replace(players={"generator": {"params": params}}), path)
    assert "auxiliary" not in read_network(path).players["generator"]["params"]
    half = {"params": params | {"auxiliary": {"enc_1": branch["enc_1"]}}}
    with pytest.raises(UnreadableWeights, match="of another generator than it says"):
        network_files.write(network._replace(players={"generator": half}), path)


def test_a_network_file_keeps_every_bit(tmp_path: Path) -> None:
    config = ContextEncoderConfig(size=64, width=2, discriminator_width=2, bottleneck=4)
    state = jax.jit(recipes.make(config).init, static_argnums=1)(jax.random.key(0), (64, 64))
    players = {name: player.variables for name, player in state.players.items()}
    network_files.write(network_files.NetworkFile(config, players, "a test"), tmp_path / "file")
    back = network_files.read(tmp_path / "file")
    assert (back.config, back.source) == (config, "a test")
    jax.tree.map(np.testing.assert_array_equal, dict(back.players), players)


def test_a_file_that_can_not_be_written_is_told_and_leaves_nothing(files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        import_network(files["boyuanjiang"], output=tmp_path / "file" / "x.safetensors")
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        import_network(files["boyuanjiang"], output=tmp_path / "x.pth")
    with (
        files_of_at_most(100_000),
        pytest.raises(OSError, match=r"x\.safetensors can't be written"),
    ):
        import_network(files["boyuanjiang"], output=tmp_path / "x.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@contextmanager
def files_of_at_most(size: int):
    """As on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


TINY = PartialConvConfig(layer_size=2, width=0.06)


def filled_with(value: Any) -> dict[str, Any]:
    """The variables of a tiny generator."""
    _, state = first_state(TINY)
    variables = state.players["generator"].variables
    return jax.tree.map(lambda leaf: np.full(leaf.shape, value), variables)


def test_network_files_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    before = os.umask(0o022)
    try:
        network_files.write(NetworkFile(TINY, {"generator": filled_with(np.float32(0))}, ""), path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def saying(path: Path, arrays: Arrays, recipe: str) -> Path:
    """A network file that says what it is told to, whole as far as its digest goes."""
    told = {"format": network_files.FORMAT, "recipe": recipe, "source": ""}
    save_file(arrays, path, told | {"digest": digest_of(arrays)})
    return path


X = np.zeros(3, np.float32)
SOME = {"generator/params/x": X}
OF_TINY = config_as_text(TINY)


@pytest.mark.parametrize(
    ("arrays", "recipe"),
    [
        ({}, OF_TINY),
        ({"generator": X}, OF_TINY),
        ({"generator/x": X}, OF_TINY),
        ({"generator/params": X, "generator/params/x": X}, OF_TINY),
        (SOME, "null"),
        (SOME, "[" * 20_000),
        (SOME, OF_TINY.replace("width: 0.06", "width: .inf")),
        (SOME, OF_TINY.replace("width: 0.06", "width: -4")),
        (SOME, OF_TINY.replace("layer_size: 2", "layer_size: 70")),
        (SOME, config_as_text(CRFillConfig()).replace("width: 48", "width: 3", 1)),
    ],
)
def test_network_files_may_say_anything(arrays: Arrays, recipe: str, tmp_path: Path) -> None:
    path = saying(tmp_path / "said.safetensors", arrays, recipe)
    with pytest.raises(UnreadableWeights, match=r"said\.safetensors"):
        as_installed(read_network)(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.int8(0), "is of another generator than it says: .* int8 there, .* float32 here"),
        (np.float64(0), "is of another generator than it says: .* float64 there, .* float32 here"),
        (np.float32(np.nan), "generator has values that are not finite"),
    ],
)
def test_networks_are_of_finite_float32(value: Any, message: str, tmp_path: Path) -> None:
    variables = filled_with(value)
    with pytest.raises(UnreadableWeights, match=message):
        network_files.write(NetworkFile(TINY, {"generator": variables}, ""), tmp_path / "made")
    leaves, _ = jax.tree_util.tree_flatten_with_path({"generator": variables})
    arrays = {"/".join(part.key for part in place): leaf for place, leaf in leaves}
    path = saying(tmp_path / "said", arrays, OF_TINY)
    with pytest.raises(UnreadableWeights, match=f"said: .*{message}"):
        read_network(path)
    assert [path.name for path in tmp_path.iterdir()] == ["said"]


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":' + b"[" * 100_000,
        json.dumps(
            {
                "__metadata__": {"format": network_files.FORMAT},
                "generator/params/x": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]},
            }
        ).encode(),
    ],
)
def test_headers_may_say_anything(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "said.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(UnreadableWeights, match=r"said\.safetensors"):
        read_network(path)


def levels(n: int) -> Arrays:
    """A state dict of tanimutomo's names with so many levels."""
    kernels = {f"{part}_{i + 1}.conv.weight" for part in ("enc", "dec") for i in range(n)}
    return dict.fromkeys(kernels, np.zeros((64, 1, 1, 1), np.float32)) | {"dec_1.conv.bias": X}


@pytest.mark.parametrize(
    "arrays",
    [
        changed(
            zengxianyu(), lambda a: a.update({"baseg.conv1.weight": a["baseg.conv1.weight"][:47]})
        ),
        changed(tanimutomo(), lambda a: a.update({"enc_1.conv.weight": X[:0].reshape(0, 1, 1, 1)})),
        changed(
            zengxianyu("netD"), lambda a: a.update({"conv2.weight_v": a["conv2.weight_v"][1:]})
        ),
        levels(70),
    ],
)
def test_state_dicts_may_say_anything(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "said.pth"
    path.write_bytes(torch_saved(arrays, legacy=False))
    with pytest.raises(UnreadableWeights, match=r"said\.pth"):
        as_installed(read_network)(path)


@pytest.mark.parametrize("config", [TINY, CRFillConfig(), ContextEncoderConfig()])
def test_notes_may_be_of_another_recipe(config: RecipeConfig, tmp_path: Path) -> None:
    other = zengxianyu() if not isinstance(config, CRFillConfig) else boyuanjiang()
    path = tmp_path / "said.pth"
    tree = {"state_dict": other, "jaxinpaint": config_as_text(config)}
    path.write_bytes(torch_saved(tree, legacy=False))
    with pytest.raises(UnreadableWeights, match=r"said\.pth"):
        as_installed(read_network)(path)


def test_whether_it_is_ours_is_asked_of_the_first_bytes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    for length in (1 << 24, 1 << 60):
        with path.open("wb") as file:
            file.write(struct.pack("<Q", length))
            file.truncate(8 + (1 << 24))
        tracemalloc.start()
        assert not is_network_file(path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 1 << 20
