"""Contextual attention: patches of a picture that are like others, and pictures rebuilt from them.

Yu et al., Generative Image Inpainting with Contextual Attention, CVPR 2018; Zeng et al., CR-Fill:
Generative Image Inpainting with Auxiliary Contextual Reconstruction, ICCV 2021.

A picture is cut into square blocks. A patch is 2×2 of them, and the next patch begins one block
further, so h×w blocks make (h-1)×(w-1) patches. Each block is in up to four patches: what is summed
over a patch is summed block by block once and then shared, which takes a quarter of the
multiplications of cut-out patches, and none of their memory. (A norm over each patch is not such a
sum: only for that are patches cut out.)
"""

from itertools import product
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import FeatureMap

Norm = Literal["map", "patch"]

# Similarities of every patch (p, q) with every patch; those of one sum to 1.
Similarity = Float[Array, "N p q p q"]

BLOCK = 2  # side of the blocks of features, in pixels
EPSILON = 1e-8
SHIFTS = tuple(product((0, 1), repeat=2))  # of a patch's blocks against its first


def similarity(
    features: FeatureMap,
    hole: Float[Array, "_ _ _ 1"],
    *,
    norm: Norm = "map",
    threshold: float = 0.5,
    scale: float = 10.0,
) -> Similarity:
    """How much each patch of 4×4 features is like each known one.

    With f the patches of the features, g those of the normalised ones, and known(·) the share of a
    patch that is no hole::

        score[p, l] = <f_p, g_l>   where known(l) = 1, or known(p) > t and known(l) > known(p),
                      0            elsewhere
        similarity[p, :] = softmax(scale · score[p, :])

    Source: CR-Fill (Zeng et al., ICCV 2021), section 3.2, as in its program: only one side is
    normalised, and patches that may not be looked at stay in the softmax, with the score 0.

    Scores and softmax are float32 whatever the features' dtype. For a picture of H×W pixels and
    features at a quarter of its size there are (H/8 - 1)² (W/8 - 1)² of them: 4 MB a picture at
    256², 63 MB at 512², 1 GB at 1024²; a few times as much is used for a moment.

    Args:
        features: of even height and width, 4 at least.
        hole: the missing share of each of their pixels, in [0, 1].
        norm: what a feature is divided by: its norm over the whole ``map``, as published, or over
            the ``patch``. Both are finite, and so are their gradients, for features of zero.
        threshold: t.
        scale: of the softmax: the larger, the nearer to a choice of one.

    Raises:
        ValueError: for features that make no patches, or a hole of another size.
    """
    _check_features(features, hole)
    match norm:
        case "map":
            keys = features * _inverse_norm(features, axes=(1, 2))
            scores = _over_patches(_products(_blocks(features, BLOCK), _blocks(keys, BLOCK)))
        case "patch":
            patches = _patches(features)
            scores = _products(*map(_flat, (patches, patches * _inverse_norm(patches, axes=(3,)))))
    kept = jnp.where(_may_be_looked_at(1 - hole, threshold), scores, 0)
    return jax.nn.softmax(scale * kept, axis=(3, 4))


def reconstruct(
    similarity: Similarity, image: Float[Array, "N H W C"], *, averaged: bool = False
) -> Float[Array, "N H W C"]:
    """The picture, or features, with each patch replaced by its mix of similar ones.

    ::

        patch p of the result = Σ_l similarity[p, l] · patch l,  overlapping ones added up

    Source: CR-Fill (Zeng et al., ICCV 2021), section 3.2.

    Args:
        similarity: of patches, from `similarity` or `copies`.
        image: cut into as many blocks as the features were: of any size that they divide.
        averaged: whether overlapping patches are averaged, which gives a picture; as published,
            what a network goes on with is their sum.

    Raises:
        ValueError: if the picture can't be cut into these blocks.
    """
    _, height, width, _ = image.shape
    rows, columns = (patches + 1 for patches in similarity.shape[1:3])
    block = height // rows
    if (height, width) != (rows * block, columns * block):
        raise ValueError(
            f"a picture of {height}x{width} can't be cut into {rows}x{columns} square blocks"
        )
    shared = _over_blocks(similarity).astype(image.dtype)
    mixed = jnp.einsum("nijkl,nklx->nijx", shared, _blocks(image, block))
    if averaged:
        mixed = mixed / _times_covered(rows, columns)
    return _picture(mixed, block)


def copies(similarity: Similarity) -> Similarity:
    """The most similar patch alone, in place of the mix: what each patch would be copied from."""
    flat = similarity.reshape(*similarity.shape[:3], -1)
    return jax.nn.one_hot(jnp.argmax(flat, -1), flat.shape[-1]).reshape(similarity.shape)


def _check_features(features: Array, hole: Array) -> None:
    height, width = features.shape[1:3]
    if height % BLOCK or width % BLOCK or height < 2 * BLOCK or width < 2 * BLOCK:
        raise ValueError(f"features of {height}x{width}: patches take even sides, 4 at least")
    if hole.shape != (*features.shape[:3], 1):
        raise ValueError(f"the hole is {hole.shape}, the features {features.shape}")


def _inverse_norm(x: Array, axes: tuple[int, ...]) -> Array:
    squares = jnp.sum(jnp.square(x.astype(jnp.float32)), axes, keepdims=True)
    return jax.lax.rsqrt(squares + EPSILON).astype(x.dtype)


def _blocks(x: Float[Array, "N H W C"], side: int) -> Float[Array, "N h w X"]:
    """Blocks of pixels, each as one vector."""
    n, height, width, channels = x.shape
    cut = x.reshape(n, height // side, side, width // side, side, channels)
    return cut.swapaxes(2, 3).reshape(n, height // side, width // side, -1)


def _picture(blocks: Float[Array, "N h w X"], side: int) -> Float[Array, "N H W C"]:
    """The inverse of `_blocks`."""
    n, rows, columns, _ = blocks.shape
    cut = blocks.reshape(n, rows, columns, side, side, -1).swapaxes(2, 3)
    return cut.reshape(n, rows * side, columns * side, -1)


def _patches(x: FeatureMap) -> Float[Array, "N p q B C"]:
    """Patches of features, each as its pixels."""
    blocks = _blocks(x, BLOCK)
    p, q = blocks.shape[1] - 1, blocks.shape[2] - 1
    parts = [blocks[:, a : a + p, b : b + q] for a, b in SHIFTS]
    pixels = [part.reshape(*part.shape[:3], BLOCK**2, -1) for part in parts]
    return jnp.concatenate(pixels, axis=3)


def _flat(patches: Float[Array, "N p q B C"]) -> Float[Array, "N p q X"]:
    return patches.reshape(*patches.shape[:3], -1)


def _products(these: Float[Array, "N h w X"], those: Float[Array, "N h w X"]) -> Array:
    """Scalar products of all pairs, all in float32: the softmax enlarges their errors."""
    return jnp.einsum(
        "nijx,nklx->nijkl",
        these,
        those,
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )


def _over_patches(of_blocks: Float[Array, "N h w h w"]) -> Float[Array, "N p q p q"]:
    """Of two patches the sum over their four pairs of blocks."""
    p, q = of_blocks.shape[1] - 1, of_blocks.shape[2] - 1
    return sum(
        (of_blocks[:, a : a + p, b : b + q, a : a + p, b : b + q] for a, b in SHIFTS),
        start=jnp.zeros((), of_blocks.dtype),
    )


def _over_blocks(of_patches: Similarity) -> Float[Array, "N h w h w"]:
    """Of two blocks the sum over all pairs of patches that have them in the same place."""
    return sum(
        (
            jnp.pad(of_patches, ((0, 0), (a, 1 - a), (b, 1 - b), (a, 1 - a), (b, 1 - b)))
            for a, b in SHIFTS
        ),
        start=jnp.zeros((), of_patches.dtype),
    )


def _times_covered(rows: int, columns: int) -> Float[Array, "h w 1"]:
    """In how many patches each block is."""
    down, across = (jnp.full(n, 2.0).at[0].set(1).at[-1].set(1) for n in (rows, columns))
    return (down[:, None] * across)[..., None]


def _may_be_looked_at(known: Float[Array, "N h w 1"], threshold: float) -> Array:
    """Which patch may be made of which, by how much of each is known."""
    share = jnp.mean(_patches(known.astype(jnp.float32)), axis=(3, 4))
    of_patch, of_other = share[..., None, None], share[:, None, None]
    return (of_other == 1) | ((of_patch > threshold) & (of_other > of_patch))
