"""Photos as users hand them in: one or a batch, as bytes or floats."""

import numpy as np


def as_batch(photo: np.ndarray) -> np.ndarray:
    """The photos as ``[N, H, W, 3]``.

    Raises:
        ValueError: for other shapes and dtypes.
    """
    photo = np.asarray(photo)
    if photo.ndim not in (3, 4) or photo.shape[-1] != 3:
        raise ValueError(f"a photo is [H, W, 3] or [N, H, W, 3], not {list(photo.shape)}")
    if 0 in photo.shape:
        raise ValueError(f"a photo needs pixels; this one is {list(photo.shape)}")
    if photo.dtype != np.uint8 and not np.issubdtype(photo.dtype, np.floating):
        raise ValueError(f"a photo is uint8, or float in [0, 1], not {photo.dtype}")
    return photo if photo.ndim == 4 else photo[None]


def check_range(values: np.ndarray) -> None:
    """Raises ValueError for floats outside [0, 1]."""
    if np.issubdtype(values.dtype, np.floating) and not np.all((values >= 0) & (values <= 1)):
        raise ValueError("a float photo needs its known pixels in [0, 1]")


def to_unit(photo: np.ndarray) -> np.ndarray:
    """A photo as floats in [0, 1]."""
    unit = photo.astype(np.float32)
    return unit / 255 if photo.dtype == np.uint8 else unit


def in_dtype(output: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats in [0, 1] as a photo of a dtype; bytes are rounded."""
    if dtype == np.uint8:
        return np.round(output * 255).astype(np.uint8)
    return output.astype(dtype)
