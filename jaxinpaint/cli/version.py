"""``jaxinpaint --version``: this version, and those of what it is built on."""

import platform
from importlib import metadata

import jaxinpaint

STACK = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
# What lets JAX see a device other than the CPU, by kind. They are looked up and not asked: to open
# a device takes seconds, and memory that a run may want.
PLUGINS = {
    "CUDA": ("jax-cuda12-plugin", "jax-cuda13-plugin"),
    "ROCm": ("jax-rocm60-plugin", "jax-rocm7-plugin"),
    "TPU": ("libtpu",),
}


def versions() -> str:
    """A line for each: this package, Python and the machine, what it is built on, devices."""
    found = ((name, _version(name)) for name in STACK)
    installed = [f"{name} {version or 'is missing'}" for name, version in found]
    return "\n".join(
        [
            f"jaxinpaint {jaxinpaint.__version__}",
            f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
            *installed,
            f"JAX is installed for: {', '.join(['CPU', *_devices()])}",
        ]
    )


def _devices() -> list[str]:
    """Kinds of devices beside the CPU that JAX is installed for."""
    return [kind for kind, names in PLUGINS.items() if any(map(_version, names))]


def _version(name: str) -> str | None:
    """The version of an installed distribution; None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
