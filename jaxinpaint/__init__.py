"""Image inpainting in JAX: training, research and export, as pure functions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxinpaint.inpainter import Inpainter, load

__version__ = "0.1.0.dev0"
__all__ = ["Inpainter", "load"]


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that `jaxinpaint --help` does not wait for JAX.
    if name in __all__:
        from jaxinpaint import inpainter

        return getattr(inpainter, name)
    raise AttributeError(f"module 'jaxinpaint' has no attribute {name!r}")
