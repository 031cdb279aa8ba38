"""``jaxinpaint import``: a published network, as a file that everything here takes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from jaxinpaint.interop.network_files import NetworkFile

Judge = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


def import_network(
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
    discriminator: Judge = None,
    auxiliary_discriminator: Judge = None,
    attention: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Bring in a network that a published program trained.

    Checkpoints of naoto0804/pytorch-inpainting-with-partial-conv, tanimutomo/partialconv,
    BoyuanJiang/context_encoder_pytorch and zengxianyu/crfill are known by the names in them. Every
    array is checked; nothing in a PyTorch file is run. (docs/checkpoints.md)

    Args:
        file: A PyTorch file (.pth, .pt), or a safetensors file of the same names.
        output: The file to write, .safetensors. It fills holes (jaxinpaint inpaint OUT ...) and is
            what training starts from (train.py PRESET --init OUT).
        discriminator: The file of its discriminator, to train on with.
        auxiliary_discriminator: CR-Fill: that of the auxiliary branch.
        attention: FILE is of DeepFill, which zengxianyu/crfill saves under the same names.
    """
    from jaxinpaint.interop import network_files
    from jaxinpaint.interop.published_networks import (
        read_network,
        warn_of_untold,
        with_discriminators,
    )

    if output.suffix != ".safetensors":
        raise ValueError(f"{output} must end in .safetensors, which is what is written")
    if output.exists():
        raise ValueError(f"{output} is there already; choose another output, or remove it")
    network = read_network(file, attention=attention)
    warn_of_untold(network, file)
    judges = {"fine": discriminator, "auxiliary": auxiliary_discriminator}
    network = with_discriminators(
        network, {name: read_network(path) for name, path in judges.items() if path is not None}
    )
    network_files.write(network, output)
    _tell(network, output)


def _tell(network: "NetworkFile", output: Path) -> None:
    import jax

    from jaxinpaint import recipes

    weights = sum(leaf.size for leaf in jax.tree.leaves(network.players))
    print(f"{network.source}: {' and '.join(network.players)}, {weights / 1e6:.1f} million numbers")
    options = recipes.network_options(network.config).items()
    print("    " + ", ".join(f"{name.replace('_', '-')} {value}" for name, value in options))
    if network.unused:
        print(f"    kept, but read by no network: {', '.join(network.unused)}")
    print(output)
