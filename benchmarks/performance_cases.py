"""What `performance.py` measures: each published recipe, its networks and steps on both sides."""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import adversarial_training as adversarial
import crfill as crfill_training
import numpy as np
import perceptual_losses
import torch
import torch_crfill
import torch_partial_conv
from partial_conv_cases import SMOKE as SMALL
from partial_conv_cases import Scale, drawn_variables, holed, normal, unet_case
from side_by_side import Dress, Side, eager, to_nchw

from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.crfill import crfill_generator
from jaxinpaint.nets.network import Network
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Batch


class Filling(NamedTuple):
    """A network and what it sees, on both sides.

    Attributes:
        net: ours.
        variables: of it.
        seen: pictures, and masks where it takes them.
        theirs: PyTorch's network with the same weights.
        picture_of: what of its output is compared.
        see: what it is shown of pictures with this hole; None of networks that see no mask.
    """

    net: Network
    variables: Any
    seen: tuple[np.ndarray, ...]
    theirs: torch.nn.Module
    picture_of: Callable[[Any], Any] = lambda output: output
    see: Callable[[np.ndarray], tuple[np.ndarray, ...]] | None = None


class Start(NamedTuple):
    """What both sides' training starts from.

    Attributes:
        variables: by player.
        hole: those that our first step draws, for what draws any.
    """

    variables: Mapping[str, Variables]
    hole: Any


class Case(NamedTuple):
    """A recipe as it is measured.

    Attributes:
        config: of it.
        batch: what it is trained on.
        steps: kinds of step, which make up a cycle.
        sides: of the pictures that are filled to see what size costs.
        filling: both sides' networks, for a side and a number of pictures.
        first_holes: those of our first step, for what draws any.
        theirs: PyTorch's cycle of steps, from what it starts from, in a dress; told last whether
            the judge is frozen while it judges for the generator, as plain programs do not.
        judged: whether that makes a difference.
        whole: options of `train.py` for a whole run of it.
    """

    config: RecipeConfig
    batch: Batch
    steps: int
    sides: tuple[int, ...]
    filling: Callable[[int, int], Filling]
    first_holes: Callable[[], Any]
    theirs: Callable[[Start, Dress, bool], Side]
    judged: bool
    whole: tuple[str, ...]

    @property
    def side(self) -> int:
        """Of its pictures."""
        return self.batch.image.shape[1]

    @property
    def n(self) -> int:
        """Pictures a step."""
        return self.batch.image.shape[0]


def cases(smoke: bool) -> dict[str, Case]:
    """Every recipe at its published width, on 128² pictures so that a CPU comes to an end."""
    scale = SMALL if smoke else Scale(size=128, batch=4)
    players = adversarial.SMOKE if smoke else adversarial.Scale()
    gated = crfill_training.SMOKE if smoke else crfill_training.Scale()
    small = ("--data.size", "64", "--data.batch-size", "4") if smoke else ()
    painted = {
        "context-encoder": adversarial.context_encoder_match,
        "pan": adversarial.pan_center_match,
    }
    return {
        "partial-conv": _partial_conv(scale, small),
        **{name: _players(name, match_of, players, small) for name, match_of in painted.items()},
        "crfill": _crfill(gated, small),
    }


def _partial_conv(scale: Scale, small: tuple[str, ...]) -> Case:
    config, batch = perceptual_losses.recipe_of(scale)

    def filling(side: int, n: int) -> Filling:
        net, image, valid = unet_case(replace(scale, size=side, batch=n))
        variables = drawn_variables(net, image, valid)
        theirs = torch_partial_conv.PartialConvUNet(scale.layer_size, scale.width)
        torch_partial_conv.load(theirs, variables)
        return Filling(net, variables, (image, valid), theirs, see=lambda hole: (image, 1 - hole))

    def theirs(start: Start, dress: Dress, frozen: bool) -> Side:
        return perceptual_losses.their_training(scale, start.variables, start.hole, dress)

    options = ("--data.size", str(scale.size), "--data.batch-size", str(scale.batch))
    whole = ("partial-conv", *options, "--recipe.features", "random")
    whole = (*whole, "--recipe.layer-size", str(scale.layer_size))
    return Case(
        config,
        batch,
        1,
        (scale.size,) if small else (128, 256, 512),  # 128² is the least of a U-Net of 7 levels
        filling,
        lambda: perceptual_losses.first_holes(config, batch),
        theirs,
        judged=False,
        whole=whole,
    )


def _players(
    name: str,
    match_of: Callable[[adversarial.Scale], adversarial.Match],
    scale: adversarial.Scale,
    small: tuple[str, ...],
) -> Case:
    match = match_of(scale)
    n = len(match.batch.image)

    def filling(side: int, n: int) -> Filling:
        match = match_of(replace(scale, center=side, batches=(n, n, n)))
        shown = normal(1, (n, side, side, 3))
        variables = drawn_variables(match.generator, shown)
        theirs = adversarial.plain_torch.load(match.theirs[0], variables)
        return Filling(match.generator, variables, (shown,), theirs)

    def theirs(start: Start, dress: Dress, frozen: bool) -> Side:
        training = adversarial.TheirTraining(match_of(scale), start.variables, dress)
        return training.side_of(*range(len(match.turns)), frozen_judge=frozen)

    widths = (
        ("--recipe.width", str(scale.width), "--recipe.discriminator-width", str(scale.width))
        if small
        else ()
    )
    whole = (name, "--data.batch-size", str(n), *widths, *small)
    return Case(
        match.config,
        match.batch,
        len(match.turns),
        (scale.center,),  # networks of one size
        filling,
        lambda: None,
        theirs,
        judged=True,
        whole=(*whole, "--recipe.size", "64") if small else whole,
    )


def _crfill(scale: crfill_training.Scale, small: tuple[str, ...]) -> Case:
    config, batch = crfill_training.last_stage(scale)

    def filling(side: int, n: int) -> Filling:
        net, image = crfill_generator(width=scale.width), normal(3, (n, side, side, 3))
        hole = 1 - holed(n, side)
        variables = drawn_variables(net, image, hole)

        def see(hole: np.ndarray) -> tuple[np.ndarray, ...]:
            return image * (1 - hole), hole

        theirs = torch_crfill.load_generator(
            torch_crfill.Generator(scale.width), variables["params"]
        )
        return Filling(net, variables, see(hole), theirs, lambda made: made.fine, see)

    def theirs(start: Start, dress: Dress, frozen: bool) -> Side:
        training = torch_crfill.Training(start.variables, config, dress)
        shown = to_nchw(batch.image), to_nchw(start.hole)
        return eager(lambda: [training.step(*shown)])

    side, n = scale.training
    options = ("--data.size", str(side), "--data.batch-size", str(n))
    return Case(
        config,
        batch,
        1,
        (side,) if small else (64, 128, 256, 512),
        filling,
        lambda: crfill_training.first_holes(config, batch),
        theirs,
        judged=False,  # its program freezes the judges
        whole=("crfill", *options, "--recipe.stages", "auxiliary", *small),
    )
