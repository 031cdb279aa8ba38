"""Array types: one legend of axes for the whole package.

Axes
    N      examples of a batch            C, I, O  channels (of anything, in, out)
    H, W   height and width in pixels     h, w     those of another resolution
    *S     spatial axes, 2 or 3 of them   *T       those of the output
    *K     sizes of a window

Conventions
    Images are float32 (bfloat16 inside a net under mixed precision), RGB, in [0, 1], NHWC.
    A mask is named by what its ones mean, and is exactly 0 or 1:
        hole   1 where a pixel is missing (every public door, every file: white is hole)
        valid  1 where a pixel is known   (partial convolution, as in its paper)
    so ``valid == 1 - hole``. No value is ever called just "mask".

The annotations are jaxtyping's; the tests check them at run time, the package itself does not.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, Bool, Float, Key, UInt8

Image: TypeAlias = Float[Array, "N H W C"]
Hole: TypeAlias = Float[Array, "N H W 1"]
Valid: TypeAlias = Float[Array, "N H W 1"]
Bytes: TypeAlias = UInt8[Array, "N H W C"]
FeatureMap: TypeAlias = Float[Array, "N h w C"]
Logits: TypeAlias = Float[Array, "N ..."]
PerImage: TypeAlias = Float[Array, " N"]
Scalar: TypeAlias = Float[Array, ""]
RandomKey: TypeAlias = Key[Array, ""]

# What a network shows of its hidden layers, by name.
Taps: TypeAlias = Mapping[str, Float[Array, "N ..."]]

# On the host a picture has no batch axis and is bytes; its hole is a truth value a pixel.
RGB: TypeAlias = UInt8[np.ndarray, "_ _ 3"]
Missing: TypeAlias = Bool[np.ndarray, "_ _"]

# An array of a state, or what stands for one: its shape, its sharding, a row of replicas.
Leaf: TypeAlias = Any

# Flax's nested dictionaries of arrays: {"params": ..., "batch_stats": ...}.
Variables: TypeAlias = Mapping[str, Any]
