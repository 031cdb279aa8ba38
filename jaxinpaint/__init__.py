"""Image inpainting in JAX: training, research and export, as pure functions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxinpaint.inpainter import Inpainter, load
    from jaxinpaint.keeping_compiled import keep_compiled

__version__ = "0.1.0.dev0"
__all__ = ["Inpainter", "keep_compiled", "load"]


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that `jaxinpaint --help` does not wait for JAX.
    if name not in __all__:
        raise AttributeError(f"module 'jaxinpaint' has no attribute {name!r}")
    from jaxinpaint import inpainter, keeping_compiled

    return getattr(keeping_compiled if name == "keep_compiled" else inpainter, name)
