"""What anybody can fill a hole with: the mean colour, and classical methods."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxinpaint.array_typing import RGB, Missing

Fill = Callable[[RGB, Missing], RGB]

OPENCV, SCIKIT_IMAGE = ("cv2", "OpenCV"), ("skimage", "scikit-image")


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
        ModuleNotFoundError: without OpenCV, which is in the extra ``baselines``; as all below.
    """
    cv2 = _needed(*OPENCV)
    return cv2.inpaint(photo, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA)


def navier_stokes(photo: RGB, hole: Missing) -> RGB:
    """The hole filled by OpenCV's transport of edges, with a radius of 3 pixels.

    Bertalmio, Bertozzi and Sapiro, Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting,
    CVPR 2001.
    """
    cv2 = _needed(*OPENCV)
    return cv2.inpaint(photo, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_NS)


def biharmonic(photo: RGB, hole: Missing) -> RGB:
    """The hole filled by scikit-image with the smoothest surface: ``Δ²u = 0`` inside.

    Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, 2018. A
    system as large as the hole is solved: seconds, or minutes for large holes.
    """
    skimage = _needed(*SCIKIT_IMAGE)
    # What stands in the hole may be anything, and is nothing to it.
    known = np.where(hole[..., None], 0, photo) / 255
    filled = skimage.restoration.inpaint_biharmonic(known, hole, channel_axis=-1)
    painted = np.round(255 * np.clip(filled, 0, 1)).astype(np.uint8)
    return np.where(hole[..., None], painted, photo)


BASELINES: Mapping[str, Fill] = {
    "mean-colour": mean_colour,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
}
LIBRARIES = {"telea": OPENCV, "navier-stokes": OPENCV, "biharmonic": SCIKIT_IMAGE}


def with_version(name: str) -> str:
    """The name of a baseline, with the version of what computes it, as in ``telea, OpenCV 4.10.0``.

    Raises:
        ModuleNotFoundError: as the baseline.
    """
    if name not in LIBRARIES:
        return name
    module, library = LIBRARIES[name]
    return f"{name}, {library} {_needed(module, library).__version__}"


def _needed(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this baseline needs {name}: pip install 'jaxinpaint[baselines]'"
        ) from error
