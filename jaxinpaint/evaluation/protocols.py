"""Protocols: how programs judge, each by its own rules, so that their scores can't be compared.

Every protocol says which picture it looks at, as which numbers, and what it measures. Here all of
them look at the same pictures, with the same holes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image, PerImage
from jaxinpaint.evaluation import metrics
from jaxinpaint.evaluation.manifests import HOUSE_BUCKETS, HolesOf
from jaxinpaint.evaluation.ssim import UNIFORM, ms_ssim, ssim
from jaxinpaint.ops.compositing import composite

# The network's whole picture, or its hole's part in the picture that was given.
View = Literal["output", "composite"]
# What is judged: floats as they are, or bytes, rounded or with what is after the point left out.
Levels = Literal["float", "rounded", "truncated"]
Distance = Literal["vgg", "alex"]
Convention = Literal["fid", "torchvision"]

MULTISCALE = 176  # least side of pictures for MS-SSIM


class Metric(NamedTuple):
    """What is measured of a picture.

    Attributes:
        name: without spaces.
        unit: for people: dB, %, or nothing.
        higher: whether higher is better.
        of: ``(estimate, truth, hole) -> one value per image``.
        least: side of the smallest pictures that it can be measured of.
    """

    name: str
    unit: str
    higher: bool
    of: Callable[[Image, Image, Hole], PerImage]
    least: int = 1


class Fid(NamedTuple):
    """How the distance of distributions is measured.

    Attributes:
        convention: which network's features (`nets.inception`).
        ddof: 1 divides covariances by N - 1, 0 by N.
    """

    convention: Convention
    ddof: Literal[0, 1]

    @property
    def metric(self) -> str:
        """What it is called in tables."""
        return "fid" if self.convention == "fid" else f"fid_{self.convention}"


class Protocol(NamedTuple):
    """How a program judges.

    Attributes:
        about: a line for people.
        pictures: what is judged.
        levels: as which numbers.
        metrics: what is measured of each picture.
        lpips: the networks that the perceptual distance is measured by, besides.
        fid: how the distance of distributions is, of all pictures.
        ids: whether it is asked how well a linear machine tells painted from true pictures.
        buckets: of the missing share, ``(low, high]``, in which means are taken as well.
        by_border: whether means are also taken of holes that touch the border, and of others.
        size: side of the squares that it is made for.
        holes: that it is made for.
    """

    about: str
    pictures: tuple[View, ...]
    levels: Levels
    metrics: tuple[Metric, ...]
    lpips: tuple[Distance, ...] = ()
    fid: tuple[Fid, ...] = ()
    ids: bool = False
    buckets: tuple[tuple[float, float], ...] = ()
    by_border: bool = False
    size: int = 256
    holes: HolesOf = HolesOf()


def of_networks(protocol: Protocol) -> tuple[str, ...]:
    """The metrics of a protocol that look through networks, as they are called in tables."""
    lpips = [f"lpips_{network}" for network in protocol.lpips]
    fid = [one.metric for one in protocol.fid]
    return (*lpips, *fid, *(("p_ids", "u_ids") if protocol.ids else ()))


def patch(hole: Hole) -> Float[Array, "N H W 1"]:
    """What Context Encoders paint: the middle half of each side, if that has all of the hole.

    Else the least upright rectangle around the hole.
    """
    rows, columns = (_between(jnp.max(hole, axis=axis, keepdims=True), 3 - axis) for axis in (2, 1))
    around = rows * columns
    height, width = hole.shape[1:3]
    middle = jnp.zeros_like(hole)
    middle = middle.at[:, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4].set(1)
    inside = jnp.all(around <= middle, axis=(1, 2, 3), keepdims=True)
    return jnp.where(inside, middle, around)


def _between(marks: Array, axis: int) -> Array:
    """1 from the first mark along an axis to the last."""
    before = jnp.cumsum(marks, axis=axis)
    after = jnp.flip(jnp.cumsum(jnp.flip(marks, axis), axis=axis), axis)
    return ((before > 0) & (after > 0)).astype(marks.dtype)


L1 = Metric("l1", "", False, lambda x, y, hole: metrics.l1(x, y))
L1_HOLE = Metric("l1_hole", "", False, lambda x, y, hole: metrics.l1(x, y, region=hole))
PSNR = Metric("psnr", "dB", True, lambda x, y, hole: metrics.psnr(x, y))
PSNR_HOLE = Metric("psnr_hole", "dB", True, lambda x, y, hole: metrics.psnr(x, y, region=hole))
SSIM = Metric("ssim", "", True, lambda x, y, hole: ssim(x, y), 11)
MS_SSIM = Metric("ms_ssim", "", True, lambda x, y, hole: ms_ssim(x, y), MULTISCALE)
SEAM = Metric("seam", "", False, metrics.seam_error)

HOUSE = Protocol(
    "ours: rounded bytes, raw and composite, whole and hole",
    ("composite", "output"),
    "rounded",
    (PSNR_HOLE, PSNR, SSIM, L1_HOLE, L1, SEAM, MS_SSIM),
    lpips=("vgg", "alex"),
    fid=(Fid("fid", 1), Fid("torchvision", 1)),
    ids=True,
    buckets=HOUSE_BUCKETS,
)
PROTOCOLS: Mapping[str, Protocol] = {
    "house": HOUSE,
    "context-encoder": Protocol(
        "Pathak et al., 2016: what the network painted of the centre, as floats",
        ("output",),
        "float",
        (
            Metric("l1", "%", False, lambda x, y, hole: 100 * metrics.l1(x, y, region=patch(hole))),
            Metric("l2", "%", False, lambda x, y, hole: 100 * metrics.l2(x, y, region=patch(hole))),
            Metric("psnr", "dB", True, lambda x, y, hole: metrics.psnr(x, y, region=patch(hole))),
        ),
        size=128,
        # What the network does not see; it paints four pixels more to each side.
        holes=HolesOf(("center",), fraction=56 / 128),
    ),
    "partial-conv": Protocol(
        "Liu et al., 2018: by missing share, with and without holes at the border",
        ("output", "composite"),
        "rounded",
        (Metric("l1", "%", False, lambda x, y, hole: 100 * metrics.l1(x, y)), PSNR, SSIM),
        buckets=HOUSE_BUCKETS,
        by_border=True,
        size=512,
        holes=HolesOf(borders=(True, False)),
    ),
    "lama": Protocol(
        "Suvorov et al., 2022: truncated bytes; SSIM with zeros around the picture",
        ("composite",),
        "truncated",
        (Metric("ssim", "", True, lambda x, y, hole: ssim(x, y, padding="zeros"), 11),),
        lpips=("vgg",),
        fid=(Fid("fid", 1),),
        buckets=tuple((i / 10, (i + 1) / 10) for i in range(10)),
        size=512,
        holes=HolesOf(("lama-thin", "lama-medium", "lama-thick")),
    ),
    "mat": Protocol(
        "Li et al., 2022: rounded bytes of the composite; covariances over N",
        ("composite",),
        "rounded",
        (PSNR, SSIM, L1),
        lpips=("alex",),
        fid=(Fid("fid", 0),),
        ids=True,
        size=512,
        holes=HolesOf(("mat",), buckets=((0.01, 0.6),)),
    ),
    "aot": Protocol(
        "Zeng et al., 2021: errors relative to both pictures; SSIM of 7×7 uniform windows",
        ("composite",),
        "rounded",
        (
            Metric("mae", "%", False, lambda x, y, hole: 100 * metrics.relative_to_both(x, y)),
            PSNR,
            Metric("ssim", "", True, lambda x, y, hole: ssim(x, y, window=UNIFORM), 7),
        ),
        buckets=HOUSE_BUCKETS,
        size=512,
    ),
    "mmagic": Protocol(
        "the mean absolute error inside the hole, times 100; floats",
        ("composite",),
        "float",
        (
            Metric("l1", "%", False, lambda x, y, hole: 100 * metrics.l1(x, y, region=hole)),
            PSNR,
            SSIM,
        ),
        holes=HolesOf(("center",)),
    ),
    "deepfill": Protocol(
        "Yu et al., 2018: errors relative to the true picture",
        ("composite",),
        "rounded",
        (
            Metric("relative_l1", "%", False, lambda x, y, hole: 100 * metrics.relative_l1(x, y)),
            Metric("relative_l2", "%", False, lambda x, y, hole: 100 * metrics.relative_l2(x, y)),
            PSNR,
        ),
        holes=HolesOf(("strokes",)),
    ),
    "crfill": Protocol(
        "Zeng et al., 2021: PSNR of the composite, as floats",
        ("composite",),
        "float",
        (PSNR,),
        holes=HolesOf(("center",)),
    ),
}


def as_judged(picture: View, levels: Levels, output: Image, truth: Image, hole: Hole) -> Image:
    """The picture that a protocol looks at, in [0, 1].

    Args:
        picture: which.
        levels: as which numbers. Truncated bytes are ``floor(255 x)``, of known pixels too.
        output: all that was painted, in [0, 1].
        truth: the true picture.
        hole: 1 where it was missing.
    """
    x = jnp.clip(output, 0, 1)
    if levels == "rounded":
        x = jnp.round(255 * x) / 255
    if picture == "composite":
        x = composite(x, truth, hole)
    return jnp.floor(255 * x) / 255 if levels == "truncated" else x


def column(protocol: str, picture: View, metric: str) -> str:
    """What a score is called in tables: ``house/composite/psnr``."""
    return f"{protocol}/{picture}/{metric}"


class Column(NamedTuple):
    """A score of a picture.

    Attributes:
        name: in tables: ``house/composite/psnr``.
        protocol, picture: whose, and of what.
        of: ``(estimate, truth, hole) -> one value per image``.
    """

    name: str
    protocol: str
    picture: View
    of: Callable[[Image, Image, Hole], PerImage]


def columns(
    names: Sequence[str],
    size: int,
    distances: Mapping[Distance, Callable[[Image, Image], PerImage]],
) -> list[Column]:
    """What protocols measure of pictures of a size, in their order.

    Args:
        names: of `PROTOCOLS`.
        size: the shorter side; metrics that need more are left out.
        distances: LPIPS by the networks whose weights are there.
    """

    def by(network: Distance) -> Callable[[Image, Image, Hole], PerImage]:
        return lambda estimate, truth, hole: distances[network](estimate, truth)

    found = []
    for name in names:
        protocol = PROTOCOLS[name]
        measured = [(m.name, m.of) for m in protocol.metrics if m.least <= size]
        measured += [(f"lpips_{n}", by(n)) for n in protocol.lpips if n in distances]
        for picture in protocol.pictures:
            found += [
                Column(column(name, picture, metric), name, picture, of) for metric, of in measured
            ]
    return found


def scores(of: Sequence[Column], output: Image, truth: Image, hole: Hole) -> dict[str, PerImage]:
    """The values of columns for a batch, by their names.

    Args:
        of: the columns.
        output: all that was painted, in [0, 1].
        truth: the true pictures, of which every value is a byte's.
        hole: 1 where they were missing.
    """
    return {
        one.name: one.of(
            as_judged(one.picture, PROTOCOLS[one.protocol].levels, output, truth, hole), truth, hole
        )
        for one in of
    }
