"""Adversarial objectives: what discriminators and generators minimise, on logits.

A discriminator may give one logit a picture or a map of them: each value is the mean over a
picture's logits. ``real`` are the logits of true pictures, ``fake`` those of made ones.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus

from jaxinpaint.array_typing import Hole, Image, Logits, PerImage
from jaxinpaint.objectives.reduction import (
    in_full_precision,
    mean_per_image,
    require_equal_shapes,
    sum_per_image,
)


def log_discriminator(real: Logits, fake: Logits, *, real_label: float = 1.0) -> PerImage:
    """The discriminator's cross entropy.

    ::

        -(l · log D(y) + (1 - l) · log(1 - D(y))) - log(1 - D(x)),  D = sigmoid(logits)

    By softplus, so that no logit is too large. PAN's label l of true pictures is 0.9.

    Source: Goodfellow et al., NeurIPS 2014, eq. 1, negated.
    Range: [0, ∞); nats; 2 log 2 where the discriminator knows nothing.
    Reduction: mean over a picture's logits.

    Args:
        real, fake: logits of equal shape.
        real_label: l, the label of true pictures.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ.
    """
    real, fake = _logits(real, fake)
    of_real = real_label * softplus(-real) + (1 - real_label) * softplus(real)
    return mean_per_image(of_real + softplus(fake))


def log_generator(fake: Logits) -> PerImage:
    """The generator's non-saturating cross entropy.

    ::

        -log D(x),  D = sigmoid(logits)

    Source: Goodfellow et al., NeurIPS 2014, section 3.
    Range: [0, ∞); nats.
    Reduction: mean over a picture's logits.
    """
    return mean_per_image(softplus(-in_full_precision(fake)))


def log_generator_saturating(fake: Logits) -> PerImage:
    """The generator's side of the minimax game.

    ::

        log(1 - D(x)),  D = sigmoid(logits)

    Its gradient vanishes where the discriminator is sure; PAN's program has it.

    Source: Goodfellow et al., NeurIPS 2014, eq. 1; PAN (Wang et al., TIP 2018).
    Range: (-∞, 0]; nats.
    Reduction: mean over a picture's logits.
    """
    return -mean_per_image(softplus(in_full_precision(fake)))


def hinge_discriminator(real: Logits, fake: Logits) -> PerImage:
    """The discriminator's hinge loss.

    ::

        max(0, 1 - D(y)) + max(0, 1 + D(x))

    Source: Lim and Ye, Geometric GAN, 2017; CR-Fill (Zeng et al., ICCV 2021).
    Range: [0, ∞); logits.
    Reduction: mean over a picture's logits.

    Args:
        real, fake: logits of equal shape.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ.
    """
    real, fake = _logits(real, fake)
    return mean_per_image(relu(1 - real) + relu(1 + fake))


def hinge_generator(fake: Logits) -> PerImage:
    """The generator's side of the hinge loss.

    ::

        -D(x)

    Source: Lim and Ye, Geometric GAN, 2017; CR-Fill (Zeng et al., ICCV 2021).
    Range: (-∞, ∞); logits.
    Reduction: mean over a picture's logits.
    """
    return -mean_per_image(fake)


def least_squares_discriminator(real: Logits, fake: Logits) -> PerImage:
    """The discriminator's least squares.

    ::

        ½ (D(y) - 1)² + ½ D(x)²

    Source: LSGAN (Mao et al., ICCV 2017), eq. 9.
    Range: [0, ∞); logits, squared.
    Reduction: mean over a picture's logits.

    Args:
        real, fake: logits of equal shape.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ.
    """
    real, fake = _logits(real, fake)
    return mean_per_image(jnp.square(real - 1) + jnp.square(fake)) / 2


def least_squares_generator(fake: Logits) -> PerImage:
    """The generator's least squares.

    ::

        ½ (D(x) - 1)²

    Source: LSGAN (Mao et al., ICCV 2017), eq. 9.
    Range: [0, ∞); logits, squared.
    Reduction: mean over a picture's logits.
    """
    return mean_per_image(jnp.square(in_full_precision(fake) - 1)) / 2


def wasserstein_discriminator(real: Logits, fake: Logits) -> PerImage:
    """The critic's side of the Wasserstein distance.

    ::

        D(x) - D(y)

    Needs a critic of bounded slope, such as by `gradient_penalty`.

    Source: WGAN (Arjovsky et al., ICML 2017), eq. 2.
    Range: (-∞, ∞); logits.
    Reduction: mean over a picture's logits.

    Args:
        real, fake: logits of equal shape.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ.
    """
    real, fake = _logits(real, fake)
    return mean_per_image(fake - real)


def wasserstein_generator(fake: Logits) -> PerImage:
    """The generator's side of the Wasserstein distance.

    ::

        -D(x)

    Source: WGAN (Arjovsky et al., ICML 2017), eq. 2.
    Range: (-∞, ∞); logits.
    Reduction: mean over a picture's logits.
    """
    return -mean_per_image(fake)


def gradient_penalty(
    critic: Callable[[Image], Logits],
    real: Image,
    fake: Image,
    mix: PerImage,
    *,
    region: Hole | None = None,
    target: float = 1.0,
) -> PerImage:
    """What holds a critic's slope at one.

    ::

        (‖∇D(z)‖₂ - t)²,  z = ε · y + (1 - ε) · x

    Where the gradient is zero the norm's own gradient is taken as zero. The slope is of the sum of
    a picture's logits.

    Source: WGAN-GP (Gulrajani et al., NeurIPS 2017), eq. 3; in a region: DeepFill (Yu et al., CVPR
        2018).
    Range: [0, ∞); the weight that was published is 10.
    Reduction: norm over H, W and C.

    Args:
        critic: from pictures to logits, one picture independent of the other (no batch statistics).
        real, fake: pictures of equal shape.
        mix: ε, drawn uniformly from [0, 1], one a picture.
        region: where the slope counts, as a factor of the gradient; None is everywhere.
        target: t.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ.
    """
    require_equal_shapes(real=real, fake=fake)
    if mix.shape != real.shape[:1]:
        raise ValueError(f"mix has shape {mix.shape}; it needs {real.shape[:1]}, one a picture")
    if region is not None and region.shape != (*real.shape[:3], 1):
        raise ValueError(f"region has shape {region.shape}; it needs {(*real.shape[:3], 1)}")
    share = mix.reshape(-1, *(1,) * (real.ndim - 1))
    slope = _slope(critic, share * real + (1 - share) * fake)
    if region is not None:
        slope = slope * region
    squared = sum_per_image(jnp.square(slope))
    norm = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)
    return jnp.square(norm - target)


def r1(critic: Callable[[Image], Logits], real: Image) -> PerImage:
    """What holds a discriminator flat at true pictures.

    ::

        ½ ‖∇D(y)‖²

    The paper's γ is its weight. The slope is of the sum of a picture's logits.

    Source: Mescheder et al., ICML 2018, eq. 9.
    Range: [0, ∞).
    Reduction: sum over H, W and C.

    Args:
        critic: from pictures to logits, one picture independent of the other (no batch statistics).
        real: true pictures.

    Returns:
        one value per image.
    """
    return sum_per_image(jnp.square(_slope(critic, real))) / 2


def _slope(critic: Callable[[Image], Logits], image: Image) -> Image:
    return in_full_precision(jax.grad(lambda z: jnp.sum(in_full_precision(critic(z))))(image))


def _logits(real: Logits, fake: Logits) -> tuple[Logits, Logits]:
    require_equal_shapes(real=real, fake=fake)
    return in_full_precision(real), in_full_precision(fake)
