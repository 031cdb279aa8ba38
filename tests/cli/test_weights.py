import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli.commands import Command
from http_server import Server, serving, unreachable
from interop.torch_saved import Call, Global, torch_saved
from safetensors.numpy import save_file

from jaxinpaint.interop import inception, published_weights
from jaxinpaint.interop.flat_variables import flattened
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.names import WeightsName
from jaxinpaint.nets import alexnet, vgg
from jaxinpaint.nets.vgg import random_variables

TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


@pytest.fixture(autouse=True)
def thin_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of few channels: their files are small."""
    monkeypatch.setattr(vgg, "CHANNELS", (2, 3, 4, 5, 5))
    thin = {name: layer._replace(channels=3) for name, layer in alexnet.CONVOLUTIONS.items()}
    monkeypatch.setattr(alexnet, "CONVOLUTIONS", thin)
    monkeypatch.setattr(inception, "kernel_shapes", lambda: {"Mixed_5b.branch1x1": (1, 1, 3, 2)})


def published_arrays(name: WeightsName) -> dict[str, np.ndarray]:
    """What the published file of a thin network would hold."""
    shapes: dict[str, tuple[int, ...]] = {"classifier.1.bias": (4,)}
    match name:
        case "alexnet":
            for index, (h, w, i, o) in zip(
                (0, 3, 6, 8, 10), alexnet.kernel_shapes().values(), strict=True
            ):
                shapes |= {f"features.{index}.weight": (o, i, h, w), f"features.{index}.bias": (o,)}
        case "lpips-alex":
            shapes = {f"lin{i}.model.1.weight": (1, 3, 1, 1) for i in range(5)}
        case "lpips-vgg":
            widths = enumerate(vgg.CHANNELS)
            shapes = {f"lin{i}.model.1.weight": (1, n, 1, 1) for i, n in widths}
        case "inception-fid" | "inception-torchvision":
            classes = 1008 if name == "inception-fid" else 1000
            shapes = {"Mixed_5b.branch1x1.conv.weight": (2, 3, 1, 1), "fc.bias": (classes,)}
            parts = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"Mixed_5b.branch1x1.bn.{part}": (2,) for part in parts}
            shapes |= {"fc.weight": (classes, 4), "AuxLogits.fc.bias": (4,)}
    return {key: np.ones(shape, np.float32) for key, shape in shapes.items()}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the weights are kept in."""
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vgg16.safetensors"


@pytest.fixture
def flat() -> dict[str, np.ndarray]:
    """Weights of a VGG-16 by this package's names."""
    return flattened(random_variables(16))


@pytest.fixture
def state_dict(flat: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same by torchvision's names."""
    arrays = {}
    for index, layer in zip(TORCHVISION, vgg.kernel_shapes(16), strict=True):
        arrays[f"features.{index}.weight"] = flat[f"{layer}/kernel"].transpose(3, 2, 0, 1)
        arrays[f"features.{index}.bias"] = flat[f"{layer}/bias"]
    return arrays | {"classifier.0.weight": np.ones((4, 4), np.float32)}


@pytest.fixture
def published(
    state_dict: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server of a file that is named by its hash, as torchvision's are."""
    content = torch_saved(state_dict, legacy=True)
    name = f"vgg16-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    home = published_weights.PUBLICATIONS["vgg16"]._replace(
        url=f"http://127.0.0.1/{name}", sha256=name[len("vgg16-") :].removesuffix(".pth")
    )
    monkeypatch.setattr(published_weights, "PUBLICATIONS", {"vgg16": home})
    with serving(content) as server:
        yield server


@pytest.fixture
def run(call: Command) -> Command:
    """Runs ``jaxinpaint weights``, and gives its exit code."""
    return functools.partial(call, "weights")


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What was told of a mistake, which is one line behind what shows progress."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    *_, last = err.splitlines()
    assert last.startswith("error: ")
    assert err.count("error") == 1
    return last


def assert_kept(expected: dict[str, np.ndarray]) -> None:
    found = flattened(published_weights.load("vgg16").variables)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_torchvisions_file_is_taken(
    run: Command,
    cache: Path,
    tmp_path: Path,
    flat: dict[str, np.ndarray],
    state_dict: dict[str, np.ndarray],
    capsys: pytest.CaptureFixture[str],
    legacy: bool,
) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(torch_saved(state_dict, legacy=legacy))
    assert run("vgg16", "--from", path) == 0
    kept = published_weights.load("vgg16")
    told = f"vgg16 from mine.pth, numbers {kept.digest[:12]}\n{cache}\n"
    assert capsys.readouterr() == (told, "")
    assert_kept(flat)
    path.unlink()
    assert run("vgg16") == 0
    assert capsys.readouterr() == (told, "")


def test_kerass_file_is_taken(
    run: Command, cache: Path, tmp_path: Path, flat: dict[str, np.ndarray]
) -> None:
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        for layer in vgg.kernel_shapes(16):
            name = layer.replace("conv", "block").replace("_", "_conv")
            file[f"{name}/{name}_W_1:0"] = flat[f"{layer}/kernel"]
            file[f"{name}/{name}_b_1:0"] = flat[f"{layer}/bias"]
    assert run("vgg16", "--from", tmp_path / "keras.h5") == 0
    assert_kept(
        flat
        | {
            "conv1_1/kernel": flat["conv1_1/kernel"][:, :, ::-1],  # BGR
            "mean": (np.array([123.68, 116.779, 103.939]) / 255).astype(np.float32),
            "std": np.full(3, 1 / 255, np.float32),
        }
    )
    assert cache.exists()


def test_safetensors_of_either_names_are_the_same_weights(
    run: Command,
    cache: Path,
    tmp_path: Path,
    flat: dict[str, np.ndarray],
    state_dict: dict[str, np.ndarray],
) -> None:
    digests = set()
    own = {name: np.ascontiguousarray(array) for name, array in flat.items()}
    theirs = {name: np.ascontiguousarray(array) for name, array in state_dict.items()}
    for i, arrays in enumerate((own, theirs)):
        save_file(arrays, tmp_path / f"{i}.safetensors")
        assert run("vgg16", "--from", tmp_path / f"{i}.safetensors") == 0
        assert_kept(flat)
        digests.add(published_weights.load("vgg16").digest)
    assert len(digests) == 1
    assert run("vgg16", "--from", cache) == 0, "the cache's own file"
    assert_kept(flat)


def test_weights_of_vgg19_are_kept_beside(
    run: Command, cache: Path, tmp_path: Path, flat: dict[str, np.ndarray]
) -> None:
    deeper = flattened(random_variables(19))
    for name, arrays in {"vgg16": flat, "vgg19": deeper}.items():
        save_file(arrays, tmp_path / f"{name}.safetensors")
        assert run(name, "--from", tmp_path / f"{name}.safetensors") == 0
    assert_kept(flat)
    assert len(published_weights.load("vgg19").variables) == 2 + 16
    assert sorted(path.name for path in cache.parent.iterdir()) == [
        "vgg16.safetensors",
        "vgg19.safetensors",
    ]


JUDGES = {
    "alexnet": ("conv5", "torchvision's alexnet-owt-7be5be79.pth"),
    "lpips-alex": ("relu5", "LPIPS 0.1's alex.pth"),
    "lpips-vgg": ("relu5_3", "LPIPS 0.1's vgg.pth"),
    "inception-fid": ("fc", "pytorch-fid's pt_inception-2015-12-05-6726825d.pth"),
    "inception-torchvision": ("fc", "torchvision's inception_v3_google-0cc3c7bd.pth"),
}


@pytest.mark.parametrize("name", JUDGES)
def test_weights_of_judges_are_taken_and_taken_again(
    run: Command, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: WeightsName
) -> None:
    part, published_file = JUDGES[name]
    assert run(name) == 2
    error = error_of(capsys)
    assert f"--from FILE` ({published_file}, safetensors)" in error
    assert f"weights {name} --download" in error
    (tmp_path / "mine.pth").write_bytes(torch_saved(published_arrays(name), legacy=False))
    assert run(name, "--from", tmp_path / "mine.pth") == 0
    kept = published_weights.load(name)
    assert part in kept.variables
    assert kept.source == "mine.pth"
    own = cache.with_name(f"{name}.safetensors")
    assert capsys.readouterr().out == f"{name} from mine.pth, numbers {kept.digest[:12]}\n{own}\n"
    own.rename(tmp_path / "own.safetensors")
    assert run(name, "--from", tmp_path / "own.safetensors") == 0
    assert published_weights.load(name).digest == kept.digest


HOSTILE = Call(Global("os", "system"), ("exit 1",))
WRONG = {
    "gone.pth": (None, "gone.pth"),
    "empty.pth": (b"", "it is empty"),
    "page.pth": (b"<html>404</html>", "a web page?"),
    "cut.pth": (torch_saved({"features.0.bias": np.zeros(2)}, legacy=True)[:-4], "cut short"),
    "hostile.pth": (torch_saved({"features.0.bias": HOSTILE}, legacy=False), "os.system"),
    "other.pth": (torch_saved({"conv.bias": np.zeros(2)}, legacy=False), "not VGG-16's weights"),
    "vgg16-00000000.pth": (torch_saved({}, legacy=False), "its name says 00000000"),
    "cut.h5": (b"\x89HDF\r\n\x1a\n", "damaged or cut short"),
    "cut.safetensors": (b"\x40\0\0\0\0\0\0\0{", "damaged or cut short"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_in_one_line_and_the_cache_stays(
    run: Command, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    cache.parent.mkdir()
    cache.write_bytes(b"what was there")
    content, told = WRONG[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert run("vgg16", "--from", tmp_path / name) == 2
    error = error_of(capsys)
    assert str(tmp_path / name) in error
    assert told in error
    assert cache.read_bytes() == b"what was there"
    assert list(cache.parent.iterdir()) == [cache]


def test_the_published_file_is_fetched(
    run: Command, cache: Path, published: Server, flat: dict[str, np.ndarray]
) -> None:
    assert run("vgg16", "--download", "--url", published.url) == 0
    assert_kept(flat)
    assert published_weights.load("vgg16").source == published_weights.PUBLICATIONS["vgg16"].file
    assert list(cache.parent.iterdir()) == [cache]


def test_an_interrupted_download_is_gone_on_with(
    run: Command,
    cache: Path,
    published: Server,
    flat: dict[str, np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    published.cut_after = 1000
    assert run("vgg16", "--download", "--url", published.url) == 2
    assert "the same command goes on from there" in error_of(capsys)
    assert not cache.exists()
    published.cut_after = None
    assert run("vgg16", "--download", "--url", published.url) == 0
    assert published.sent == [1000, len(published.content) - 1000]
    assert_kept(flat)


def test_a_file_fetched_by_a_call_that_was_killed_is_not_fetched_again(
    run: Command, cache: Path, published: Server, flat: dict[str, np.ndarray]
) -> None:
    cache.parent.mkdir()
    name = published_weights.PUBLICATIONS["vgg16"].file
    cache.with_name(name).write_bytes(published.content)
    assert run("vgg16", "--download", "--url", published.url) == 0
    assert published.sent == []
    assert_kept(flat)
    assert list(cache.parent.iterdir()) == [cache]


def test_another_file_at_the_address_is_refused_and_deleted(
    run: Command, cache: Path, published: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.parent.mkdir()
    cache.write_bytes(b"what was there")
    published.content = published.content[:-1] + b"!"
    assert run("vgg16", "--download", "--url", published.url) == 2
    assert "is not the published file" in error_of(capsys)
    assert cache.read_bytes() == b"what was there"
    assert list(cache.parent.iterdir()) == [cache]


def test_without_a_network_it_is_told_what_was_tried(
    run: Command, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with unreachable() as url:
        home = published_weights.PUBLICATIONS["vgg16"]._replace(url=f"{url}/vgg16-397923af.pth")
        monkeypatch.setattr(published_weights, "PUBLICATIONS", {"vgg16": home})
        assert run("vgg16", "--download") == 2
    error = error_of(capsys)
    assert f"{url}/vgg16-397923af.pth can't be reached" in error
    assert "weights vgg16 --from FILE" in error
    assert not cache.exists()


def test_without_weights_both_ways_to_them_are_named(
    run: Command, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("vgg16") == 2
    error = error_of(capsys)
    for part in (str(cache.parent), "weights vgg16 --download", "weights vgg16 --from FILE"):
        assert part in error
    assert not cache.parent.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--from file.pth --download", "not both"),
        ("--from file.pth --url http://127.0.0.1/", "not both"),
        ("--url http://127.0.0.1/", "--url is another address to --download from"),
    ],
)
def test_options_that_do_not_fit_are_an_error(
    run: Command, cache: Path, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    assert run("vgg16", *words.split()) == 2
    assert told in error_of(capsys)
    assert not cache.parent.exists()


def test_a_cache_that_is_a_file_is_told(
    run: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path / "file"))
    assert run("vgg16") == 2
    assert "file, which is no folder" in error_of(capsys)


def test_a_network_that_is_not_known_is_an_error(
    run: Command, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("vgg11") == 2
    assert "vgg11" in capsys.readouterr().err
    assert not cache.parent.exists()


@pytest.mark.parametrize("how", ["a byte is another", "cut short", "empty"])
def test_a_damaged_cache_is_told_with_the_way_out(
    run: Command,
    cache: Path,
    tmp_path: Path,
    flat: dict[str, np.ndarray],
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    save_file(flat, tmp_path / "own.safetensors")
    assert run("vgg16", "--from", tmp_path / "own.safetensors") == 0
    capsys.readouterr()
    content = bytearray(cache.read_bytes())
    content[-100] ^= 1
    cache.write_bytes({"a byte is another": content, "cut short": content[:-100]}.get(how, b""))
    with pytest.raises(UnreadableWeights, match=r"vgg16\.safetensors is damaged .*make it again"):
        published_weights.load("vgg16")
    assert run("vgg16") == 2
    assert f"{cache} is damaged" in error_of(capsys)
    assert run("vgg16", "--from", tmp_path / "own.safetensors") == 0
    assert_kept(flat)
