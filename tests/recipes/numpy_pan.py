"""PAN in float64 NumPy, written from its description: networks in training, and both losses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray
Params = Mapping[str, Any]

WEIGHTS = (5.0, 1.5, 1.5, 1.0)


def conv(x: Array, kernel: Array, stride: int = 1, padding: int = 0) -> Array:
    padded = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    windows = sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows[:, ::stride, ::stride], kernel)


def transposed_conv(x: Array, kernel: Array) -> Array:
    """Each pixel adds its kernel to the output, two pixels further for each; one is cut off."""
    n, h, w, _ = x.shape
    y = np.zeros((n, 2 * h + 2, 2 * w + 2, kernel.shape[-1]))
    for i in range(h):
        for j in range(w):
            y[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum(
                "nc,hwco->nhwo", x[:, i, j], kernel
            )
    return y[:, 1:-1, 1:-1]


def normed(x: Array, norm: Mapping[str, Array]) -> Array:
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(var + 1e-5) * norm["scale"] + norm["bias"]


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def unet(p: Params, image: Array, levels: int) -> Array:
    x, raw = image, []
    for i in range(1, levels + 1):
        x = conv(x, p[f"enc_{i}_kernel"], stride=2, padding=1)
        if i == 1:
            x = x + p["enc_1_bias"]
        raw.append(x)
        x = leaky(x if i == 1 else normed(x, p[f"enc_{i}_norm"]))
    for i in range(levels - 1, 0, -1):
        x = normed(transposed_conv(x, p[f"dec_{i}_kernel"]), p[f"dec_{i}_norm"])
        x = relu(np.concatenate([x, raw[i - 1]], axis=-1))
    return np.tanh(transposed_conv(x, p["dec_0_kernel"]) + p["dec_0_bias"])


def center_generator(p: Params, image: Array) -> Array:
    x = leaky(conv(image, p["enc_1_kernel"], stride=2, padding=1))
    i = 2
    while f"enc_{i}_kernel" in p:
        x = leaky(normed(conv(x, p[f"enc_{i}_kernel"], stride=2, padding=1), p[f"enc_{i}_norm"]))
        i += 1
    x = leaky(normed(conv(x, p["bottleneck_kernel"]), p["bottleneck_norm"]))
    # A transposed convolution of a single pixel: its kernel, weighted.
    x = np.einsum("nc,hwco->nhwo", x[:, 0, 0], p["dec_1_kernel"])
    x = relu(normed(x, p["dec_1_norm"]))
    i = 2
    while f"dec_{i}_norm" in p:
        x = relu(normed(transposed_conv(x, p[f"dec_{i}_kernel"]), p[f"dec_{i}_norm"]))
        i += 1
    return np.tanh(transposed_conv(x, p[f"dec_{i}_kernel"]))


def discriminator(p: Params, image: Array, center: bool) -> tuple[Array, list[Array]]:
    """Probabilities, and the layers 1, 4, 6 and 8."""
    first = conv(image, p["conv_1_kernel"], padding=0 if center else 1) + p["conv_1_bias"]
    layers = [np.tanh(first)]
    for i, stride in enumerate((2, 1, 2, 1, 2, 1, 2, 1 if center else 2), start=2):
        x = conv(layers[-1], p[f"conv_{i}_kernel"], stride=stride, padding=1)
        layers.append(leaky(normed(x, p[f"norm_{i}"])))
    flat = layers[-1].reshape(len(image), -1)
    logits = flat @ p["logit_kernel"] + p["logit_bias"]
    return 1 / (1 + np.exp(-logits[:, 0])), [layers[i - 1] for i in (1, 4, 6, 8)]


def losses(
    p: Params, truth: Array, painted: Array, *, center: bool, margin: float
) -> dict[str, Any]:
    """What the published program minimises, and what it is made of."""
    of_real, real = discriminator(p, truth, center)
    of_fake, fake = discriminator(p, painted, center)
    distances = [np.abs(r - f).mean() for r, f in zip(real, fake, strict=True)]
    perceptual = sum(w * d for w, d in zip(WEIGHTS, distances, strict=True))
    entropy = -(0.9 * np.log(of_real) + 0.1 * np.log(1 - of_real)) - np.log(1 - of_fake)
    return {
        "discriminator": entropy.mean(),
        "margin": max(0.0, margin - perceptual),
        "perceptual": perceptual,
        "adversarial": np.log(1 - of_fake).mean(),
        "right_about_real": np.mean(of_real > 0.5),
        "right_about_fake": np.mean(of_fake < 0.5),
    }
