"""What anybody can fill a hole with: the mean colour, and a classical method."""

import numpy as np

from jaxinpaint.array_typing import RGB, Missing


def mean_colour(photo: RGB, hole: Missing) -> RGB:
    """The hole filled with the mean colour of the known pixels.

    Raises:
        ValueError: if nothing is known.
    """
    if hole.all():
        raise ValueError("all is hole: there is no known colour to take the mean of")
    filled = photo.copy()
    filled[hole] = np.round(photo[~hole].mean(axis=0)).astype(np.uint8)
    return filled


def telea(photo: RGB, hole: Missing) -> RGB:
    """The hole filled by OpenCV's fast marching, with a radius of 3 pixels.

    Telea, An Image Inpainting Technique Based on the Fast Marching Method, 2004.

    Raises:
        ModuleNotFoundError: without OpenCV, which is the extra ``baselines``.
    """
    import cv2

    return cv2.inpaint(photo, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA)
