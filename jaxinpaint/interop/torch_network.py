"""Networks as PyTorch files, with the keys of the programs that were published."""

from pathlib import Path

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.network_files import config_as_text
from jaxinpaint.interop.published_networks import as_published, with_stages_of
from jaxinpaint.interop.weight_files import NOTE
from jaxinpaint.recipes import RecipeConfig


def write(config: RecipeConfig, variables: Variables, path: Path) -> None:
    """Writes a generator as ``{"state_dict": ..., "jaxinpaint": its config}``.

    The state dict is one that the network loads strictly, of the program whose keys it has: with
    the constants that this stores, and counters of zero.

    Raises:
        ValueError: for a network that no program with published weights has.
        ModuleNotFoundError: without PyTorch.
    """
    _, arrays = as_published(config, variables)
    try:
        import torch  # pyright: ignore[reportMissingImports] (an extra)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "exporting to PyTorch needs it: pip install 'jaxinpaint[torch]'; without it, export "
            "safetensors"
        ) from error
    counters = {
        key.replace("running_mean", "num_batches_tracked"): np.zeros((), np.int64)
        for key in arrays
        if key.endswith("running_mean")
    }
    tensors = {key: torch.from_numpy(np.array(a)) for key, a in (arrays | counters).items()}
    torch.save(
        {"state_dict": tensors, NOTE: config_as_text(with_stages_of(config, variables))}, path
    )
