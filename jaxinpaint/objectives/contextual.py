"""Contextual reconstruction: what is painted must be something that known patches can make."""

from jaxinpaint.array_typing import Image, Logits, PerImage
from jaxinpaint.objectives.adversarial import hinge_generator
from jaxinpaint.objectives.pixel import l1


def contextual_reconstruction_terms(
    rebuilt: Image, truth: Image, fake: Logits
) -> dict[str, PerImage]:
    """CR-Fill's two terms of the picture that its auxiliary branch rebuilds.

    ::

        auxiliary:             mean |x' - y|
        auxiliary_adversarial: -D'(c(x'))

    with x' the filled picture rebuilt from its known patches, as `ops.patches` compares them, and
    c(·) its composite. They reach the generator through the patches that are compared and through
    the picture that is cut into them.

    Source: CR-Fill (Zeng et al., ICCV 2021), section 3.2, as in its program; both weigh ½ there.
    Range: [0, ∞), the pictures' unit; (-∞, ∞), logits.
    Reduction: mean over H, W and C; mean over a picture's logits.

    Args:
        rebuilt, truth: x' and y, of equal shape.
        fake: what the branch's own discriminator says of the composite.

    Returns:
        one value per image, by the terms' names.

    Raises:
        ValueError: if shapes differ.
    """
    return {"auxiliary": l1(rebuilt, truth), "auxiliary_adversarial": hinge_generator(fake)}
