"""Networks as PyTorch files, with the keys of the programs that were published."""

from pathlib import Path

import numpy as np

from jaxinpaint.interop.network_files import NetworkFile
from jaxinpaint.interop.published_networks import as_published, with_stages_of
from jaxinpaint.interop.weight_files import NOTE
from jaxinpaint.recipes.converting import config_as_text


def write(network: NetworkFile, path: Path) -> None:
    """Writes a generator as ``{"state_dict": ..., "jaxinpaint": its config}``.

    The state dict is one that the network loads strictly, of the program whose keys it has: with
    the constants that this stores, and what the network's own state dict had that is not used;
    without one counters are zero.

    Raises:
        ValueError: for a network that no program with published weights has.
        ModuleNotFoundError: without PyTorch.
    """
    config, variables = network.config, network.players["generator"]
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
    kept = counters | dict(network.unused) | arrays
    tensors = {key: torch.from_numpy(np.array(array)) for key, array in kept.items()}
    torch.save(
        {"state_dict": tensors, NOTE: config_as_text(with_stages_of(config, variables))}, path
    )
