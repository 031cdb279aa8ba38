"""Methods judged from the command line: by users' files, and by other programs' pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli.commands import Command, only_line, typed
from PIL import Image
from tiny_run import CONFIG, tiny_run

from jaxinpaint.cli.compare import compare
from jaxinpaint.cli.evaluate import evaluate
from jaxinpaint.cli.manifest import manifest
from jaxinpaint.evaluation import baselines, manifests, results

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(5):  # with fewer there would be no intervals
        pixels = RNG.integers(0, 256, (5, 5, 3), np.uint8)
        Image.fromarray(pixels).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "tiny", CONFIG)


def test_a_user_judges_a_run_and_baselines_and_reads_the_report(photos, run, tmp_path) -> None:
    done = typed(
        *("evaluate", run, "telea", "grey=mean-colour", "--data", photos, "--size", "32"),
        *("--protocols", "house", "crfill", "-o", "judged", "--batch-size", "4"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("house (")
    assert lines[1].split() == ["tiny", "telea", "grey"]
    assert lines[-1] == "judged/report.html"
    assert any(line.startswith("not measured: fid, p_ids, u_ids: there are no") for line in lines)
    assert {path.name for path in (tmp_path / "judged").iterdir()} == {
        "manifest.jsonl",
        "report.html",
        *("tiny", "telea", "grey"),
    }
    rows = manifests.read(tmp_path / "judged" / "manifest.jsonl").rows
    assert len(rows) == 5 * 6
    page = (tmp_path / "judged" / "report.html").read_text()
    assert all(name in page for name in ("tiny", "telea", "grey"))

    done = typed("compare", "judged/telea", "judged/grey", "judged/tiny", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    telea, grey = (results.read(tmp_path / "judged" / name) for name in ("telea", "grey"))
    told = next(line for line in done.stdout.splitlines() if "composite psnr, dB" in line)
    means = [one.values["house/composite/psnr"].mean() for one in (telea, grey)]
    assert told.split()[3:5] == [f"{mean:.2f}" for mean in means]
    difference = results.difference(grey, telea, "house/composite/psnr")
    assert f"{difference.mean:.2f} [{difference.low:.2f}, {difference.high:.2f}]" in done.stdout


def test_pictures_of_another_program_have_the_scores_of_those_of_ours(photos, tmp_path) -> None:
    file, cut = tmp_path / "test.jsonl", tmp_path / "cut"
    manifest(data=photos, output=file, size=32, buckets=("0.1-0.2", "0.3-0.4"), cut=cut)
    for path in (cut / "truth").iterdir():
        truth = np.asarray(Image.open(path))
        hole = np.asarray(Image.open(cut / "holes" / path.name)) > 0
        filled = baselines.mean_colour(truth, hole)
        (tmp_path / "theirs").mkdir(exist_ok=True)
        Image.fromarray(filled).save(tmp_path / "theirs" / path.name)
    methods = (str(tmp_path / "theirs"), "mean-colour")
    evaluate(methods, output=tmp_path / "judged", data=photos, manifest=file, protocols=("all",))
    theirs, ours = (results.read(tmp_path / "judged" / n) for n in ("theirs", "mean-colour"))
    assert len(theirs.protocols) == 9
    for key, values in ours.values.items():
        np.testing.assert_array_equal(values, theirs.values[key])


def test_scores_of_two_manifests_are_refused_a_table(photos, tmp_path) -> None:
    for seed in (0, 1):
        file = tmp_path / f"{seed}.jsonl"
        manifest(data=photos, output=file, size=16, buckets=("0.1-0.2",), seed=seed)
        evaluate(("mean-colour",), output=tmp_path / f"of-{seed}", data=photos, manifest=file)
    with pytest.raises(ValueError, match="can't be compared"):
        compare((tmp_path / "of-0", tmp_path / "of-1"))
    with pytest.raises(ValueError, match="results of another manifest"):
        evaluate(("telea",), output=tmp_path / "of-0", data=photos, manifest=tmp_path / "1.jsonl")
    with pytest.raises(ValueError, match="--size is told by the --manifest"):
        evaluate(
            ("telea",),
            output=tmp_path / "of-0",
            data=photos,
            manifest=tmp_path / "0.jsonl",
            size=16,
        )


def test_results_are_of_the_pictures_that_are_there(photos, tmp_path) -> None:
    data = tmp_path / "photos"
    data.mkdir()
    for path in photos.iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    evaluate(("mean-colour",), output=tmp_path / "judged", data=data, size=16)
    (data / "more.png").write_bytes((photos / "0.png").read_bytes())
    with pytest.raises(ValueError, match="is of other pictures than"):
        evaluate(("telea",), output=tmp_path / "judged", data=data)


def test_methods_can_be_added_and_what_is_judged_is_not_judged_again(photos, tmp_path) -> None:
    out = tmp_path / "judged"
    evaluate(("mean-colour",), output=out, data=photos, size=16)
    told = (out / "mean-colour" / "scores.json").stat().st_mtime_ns
    evaluate(("mean-colour", "navier-stokes"), output=out, data=photos, size=16)
    assert (out / "mean-colour" / "scores.json").stat().st_mtime_ns == told
    scores = json.loads((out / "navier-stokes" / "scores.json").read_text())
    assert scores["cases"] == 30
    compare((out,), report=tmp_path / "compared.html")
    assert "navier-stokes" in (tmp_path / "compared.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nowhere", "-o", "out"],
            "neither a file or folder nor membrane, which comes along, nor a",
        ),
        (["telea", "a=telea", "a=mean-colour", "-o", "out"], "two methods of one name"),
        (["a/b=telea", "-o", "out"], "is no name for a method"),
        (["telea", "-o", "out", "--size", "8"], "at least 16"),
        (["telea", "-o", "out", "--masks", "masks"], "--masks says nothing"),
        (["telea", "-o", "out", "--manifest", "nowhere.jsonl"], "No such file"),
        (["telea", "-o", "out", "--batch-size", "0"], "--batch-size is 0"),
        (["-o", "out"], "say what is judged"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments, message, call: Command, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("evaluate", *arguments) == 2
    assert message in only_line(capsys)
    assert not (tmp_path / "out").exists()


def test_pictures_that_are_missing_or_of_another_size_are_told(photos, tmp_path) -> None:
    file = tmp_path / "test.jsonl"
    manifest(data=photos, output=file, size=16, sampler="center")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    Image.new("RGB", (16, 16)).save(theirs / "000000.png")
    with pytest.raises(ValueError, match="has no picture 000001, which the manifest asks for"):
        evaluate((str(theirs),), output=tmp_path / "1", data=photos, manifest=file)
    for name in ("000001", "000002", "000003", "000004"):
        Image.new("RGB", (16, 17)).save(theirs / f"{name}.png")
    with pytest.raises(ValueError, match=r"000001\.png is 16x17, but the manifest's square is 16"):
        evaluate((str(theirs),), output=tmp_path / "2", data=photos, manifest=file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buckets": ("0.3-0.1",)}, "--buckets 0.3-0.1 is none"),
        ({"sampler": "center", "buckets": ("0.1-0.2",)}, "--buckets says nothing to the holes of"),
        ({"size": 8}, "at least 16"),
        ({"masks": Path("m"), "border": "never"}, "--masks brings the holes"),
    ],
)
def test_manifests_that_make_no_sense_are_refused(options, message, photos, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        manifest(data=photos, output=tmp_path / "m.jsonl", **options)
    assert not list(tmp_path.iterdir())
