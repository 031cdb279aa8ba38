"""Methods judged on a manifest: scores from what is saved, and evaluations gone on with."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxinpaint.evaluation import distributions, evaluating, manifests, results
from jaxinpaint.evaluation.evaluating import Judges, Method, evaluate
from jaxinpaint.evaluation.manifests import Case, HolesOf, Manifest
from jaxinpaint.evaluation.results import Evaluation, Incomparable
from jaxinpaint.evaluation.tables import table

RNG = np.random.default_rng(0)
BUCKETS = ((0.1, 0.2), (0.4, 0.5))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(5):
        pixels = RNG.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def manifest(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("manifest") / "m.jsonl"
    holes = HolesOf(buckets=BUCKETS, borders=(True, False))
    manifests.write(manifests.drawn_rows(photos, size=32, holes=holes, seed=0), path)
    return manifests.read(path)


def grey(cases: Sequence[Case]) -> np.ndarray:
    """Grey in the hole, and a little off what is known."""
    truth = np.stack([case.truth for case in cases]) / np.float32(255)
    hole = np.stack([case.hole for case in cases])[..., None]
    return np.where(hole, np.float32(0.5037), 0.98 * truth)


NONE = Judges()
GREY = Method("grey", grey, "grey 1", {"of": "a test"})


def judged(
    manifest: Manifest,
    photos: Path,
    folder: Path,
    method: Method = GREY,
    protocols: Sequence[str] = ("house", "partial-conv"),
    judges: Judges = NONE,
    batch_size: int = 8,
) -> Evaluation:
    return evaluate(
        method,
        manifest,
        partial(manifests.case, folder=photos),
        protocols=protocols,
        judges=judges,
        folder=folder,
        batch_size=batch_size,
    )


def test_scores_are_those_of_the_pictures_that_are_saved(manifest, photos, tmp_path) -> None:
    found = judged(manifest, photos, tmp_path / "grey")
    assert len(found.names) == 20
    for i, row in enumerate(manifest.rows):
        _, truth, hole = manifests.case(row, photos)
        composite, output = (
            np.asarray(Image.open(tmp_path / "grey" / kind / f"{row.name}.png"))
            for kind in ("composite", "output")
        )
        np.testing.assert_array_equal(composite[~hole], truth[~hole])
        np.testing.assert_array_equal(composite[hole], output[hole])
        expected = {
            "composite/psnr": peak_signal_noise_ratio(truth, composite),
            "output/psnr": peak_signal_noise_ratio(truth, output),
            "composite/psnr_hole": peak_signal_noise_ratio(truth[hole], composite[hole]),
            "output/ssim": structural_similarity(
                truth / 255,
                output / 255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1,
                channel_axis=-1,
            ),
            "composite/l1_hole": np.abs(composite / 255 - truth / 255)[hole].mean(),
        }
        for name, value in expected.items():
            # Of float32; decibels have two digits before the point.
            np.testing.assert_allclose(
                found.values[f"house/{name}"][i], value, rtol=1e-6, atol=1e-6, err_msg=name
            )


def test_means_are_over_all_and_over_buckets_and_borders(manifest, photos, tmp_path) -> None:
    found = judged(manifest, photos, tmp_path / "grey")
    house, by_border = (results.means(name, found) for name in ("house", "partial-conv"))
    assert house.keys() == {"all", "0.1-0.2", "0.4-0.5"}
    assert {"at the border", "off the border", "0.4-0.5, off the border"} <= by_border.keys()
    values = found.values["house/composite/psnr"]
    inside = (found.missing > 0.4) & (found.missing <= 0.5)
    mean, low, high = house["0.4-0.5"]["house/composite/psnr"]
    assert mean == pytest.approx(values[inside].mean())
    assert low < mean < high


def test_what_is_written_is_read_as_it_was(manifest, photos, tmp_path) -> None:
    found = judged(manifest, photos, tmp_path / "grey")
    again = results.read(tmp_path / "grey")
    for name in Evaluation._fields:
        one, other = getattr(found, name), getattr(again, name)
        if name == "values":
            assert list(one) == list(other)
            jax.tree.map(np.testing.assert_array_equal, one, other)
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other, name


def test_an_evaluation_that_was_stopped_goes_on(manifest, photos, tmp_path) -> None:
    whole = judged(manifest, photos, tmp_path / "whole")
    painted = []

    def stops(cases: Sequence[Case]) -> np.ndarray:
        painted.append([case.row.name for case in cases])
        if len(painted) == 2:
            raise KeyboardInterrupt
        return grey(cases)

    folder = tmp_path / "parts"
    stopping = GREY._replace(paint=stops)
    with pytest.raises(KeyboardInterrupt):
        judged(manifest, photos, folder, stopping)
    assert not (folder / "scores.json").exists()
    found = judged(manifest, photos, folder, stopping)
    names = [row.name for row in manifest.rows]
    assert painted == [names[:8], names[8:16], names[8:16], names[16:]]
    jax.tree.map(np.testing.assert_array_equal, dict(found.values), dict(whole.values))
    for file in ("scores.json", "pictures.csv"):
        assert (folder / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    # What is finished is read, not painted again, however many are painted at once.
    judged(manifest, photos, folder, stopping, batch_size=3)
    assert len(painted) == 4


def test_an_evaluation_goes_on_with_batches_of_another_size(manifest, photos, tmp_path) -> None:
    whole = judged(manifest, photos, tmp_path / "whole")
    batches = []

    def stops(cases: Sequence[Case]) -> np.ndarray:
        batches.append(len(cases))
        if len(batches) == 3:
            raise KeyboardInterrupt
        return grey(cases)

    with pytest.raises(KeyboardInterrupt):
        judged(manifest, photos, tmp_path / "parts", GREY._replace(paint=stops))
    found = judged(manifest, photos, tmp_path / "parts", GREY._replace(paint=stops), batch_size=16)
    assert batches == [8, 8, 4, 16, 4]
    for key, values in whole.values.items():
        np.testing.assert_allclose(found.values[key], values, rtol=5e-6, err_msg=key)  # float32


def test_a_kill_while_the_folder_is_made_or_results_are_written_is_survived(
    manifest, photos, tmp_path, monkeypatch
) -> None:
    folder = tmp_path / "grey"
    whole = judged(manifest, photos, tmp_path / "whole")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            judged(manifest, photos, folder)
    # All parts are there: nothing is painted again.
    found = judged(manifest, photos, folder, GREY._replace(paint=killed))
    jax.tree.map(np.testing.assert_array_equal, dict(found.values), dict(whole.values))
    (folder / "evaluation.json").write_text("")
    with pytest.raises(ValueError, match="is damaged: remove"):
        judged(manifest, photos, folder)


def test_what_is_no_number_is_told_with_its_case(manifest, photos, tmp_path) -> None:
    def broken(cases: Sequence[Case]) -> np.ndarray:
        painted = grey(cases).copy()
        painted[1, 3, 3, 0] = np.nan
        return painted

    name = manifest.rows[1].name
    with pytest.raises(ValueError, match=f"grey paints what is no number: case {name}"):
        judged(manifest, photos, tmp_path / "grey", GREY._replace(paint=broken))


def test_other_evaluations_are_not_mixed_with_it(manifest, photos, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "grey"
    judged(manifest, photos, folder)
    with pytest.raises(ValueError, match="another evaluation, with other method:"):
        judged(manifest, photos, folder, GREY._replace(fingerprint="grey 2"))
    with pytest.raises(ValueError, match="with other protocols:"):
        judged(manifest, photos, folder, protocols=("house",))
    with pytest.raises(ValueError, match="with other manifest"):
        judged(manifest._replace(sha256="0"), photos, folder)
    with pytest.raises(ValueError, match="with other judging networks"):
        judged(manifest, photos, folder, judges=Judges(digests={"fid": "1"}))
    monkeypatch.setitem(evaluating.VERSIONS, "jaxinpaint", "another")
    with pytest.raises(ValueError, match="with other versions"):
        judged(manifest, photos, folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    with pytest.raises(ValueError, match="no evaluation"):
        judged(manifest, photos, tmp_path / "other")


def test_one_device_and_eight_find_the_same(manifest, photos, tmp_path, monkeypatch) -> None:
    eight = judged(manifest, photos, tmp_path / "eight")
    one_device = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda: one_device)
    one = judged(manifest, photos, tmp_path / "one")
    for key, values in eight.values.items():
        # Of float32, summed in another order; and the same as people are told them.
        np.testing.assert_allclose(values, one.values[key], rtol=5e-6, err_msg=key)
    for name in eight.protocols:
        assert table(name, [eight]) == table(name, [one])


def features(image: jax.Array) -> jax.Array:
    """Means and deviations of channels: what stands here for a network's features."""
    return jnp.concatenate([image.mean((1, 2)), image.std((1, 2))], axis=1)


def test_distances_of_distributions_are_of_all_pictures_as_each_protocol_sees_them(
    manifest, photos, tmp_path
) -> None:
    judges = Judges(
        {"vgg": lambda x, y: jnp.abs(x - y).mean((1, 2, 3))},
        {"fid": features},
        {"lpips_alex": "no weights", "fid_torchvision": "no weights"},
        {"lpips_vgg": "1", "fid": "2"},
    )
    names = ("house", "lama", "mat", "crfill")
    found = judged(manifest, photos, tmp_path / "grey", protocols=names, judges=judges)
    assert {key for key in found.values if "lpips" in key} == {
        "house/composite/lpips_vgg",
        "house/output/lpips_vgg",
        "lama/composite/lpips_vgg",
    }
    assert found.left_out.keys() == {"lpips_alex", "fid_torchvision", "ms_ssim"}
    cases = [manifests.case(row, photos) for row in manifest.rows]
    pictures = [
        np.asarray(Image.open(tmp_path / "grey" / "composite" / f"{name}.png"))
        for name in found.names
    ]
    fake, real = (
        np.asarray(features(jnp.asarray(np.stack(x) / np.float32(255))))
        for x in (pictures, [case.truth for case in cases])
    )
    for name, expected in (
        ("house", distributions.fid(fake, real, ddof=1)),
        ("mat", distributions.fid(fake, real, ddof=0)),
    ):
        # Differences of float32 features, squared.
        assert found.overall[f"{name}/composite/fid"] == pytest.approx(expected, rel=1e-4)
    p_ids, u_ids = distributions.ids(fake, real)
    assert found.overall["house/composite/p_ids"] == pytest.approx(p_ids)
    assert found.overall["mat/composite/u_ids"] == pytest.approx(u_ids)
    assert found.overall["lama/composite/fid"] != found.overall["house/composite/fid"]
    assert not any(key.startswith("crfill") for key in found.overall)


def test_methods_are_compared_on_the_same_cases_only(manifest, photos, tmp_path) -> None:
    found = judged(manifest, photos, tmp_path / "grey")
    better = found._replace(method="better", values={k: v + 1 for k, v in found.values.items()})
    key = "house/composite/psnr"
    assert results.difference(better, found, key) == pytest.approx((1, 1, 1))
    with pytest.raises(Incomparable, match="by manifest 0"):
        results.difference(better._replace(manifest="0" * 64), found, key)
    with pytest.raises(Incomparable, match="better has scores of 19 cases, grey of 20"):
        results.difference(better._replace(names=better.names[1:]), found, key)


def test_scores_that_are_not_there_or_damaged_are_told(manifest, photos, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"has no scores: .*scores\.json is missing"):
        results.read(tmp_path)
    folder = tmp_path / "grey"
    judged(manifest, photos, folder)
    for file, cut in (("pictures.csv", 40), ("scores.json", 40)):
        whole = (folder / file).read_text()
        (folder / file).write_text(whole[:-cut])
        with pytest.raises(ValueError, match="can't be read"):
            results.read(folder)
        (folder / file).write_text(whole)
