"""CR-Fill: gated convolutions, taught by a branch that rebuilds pictures from their known patches.

Zeng et al., CR-Fill: Generative Image Inpainting with Auxiliary Contextual Reconstruction, ICCV
2021; with attention inside the generator it is DeepFill v2 (Yu et al., ICCV 2019) as trained by the
same program.

    python train.py crfill --data.source photos/                  256², four stages in one run
    python train.py deepfill --data.source photos/                with attention, three stages
    python train.py crfill --start-from RUN --recipe.stages auxiliary --data.source mine/

The published scores are not yet reproduced.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image, Logits, RandomKey, Variables
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.nets.crfill import compare, crfill_auxiliary, crfill_generator
from jaxinpaint.nets.discriminators import deepfill_discriminator
from jaxinpaint.nets.network import Network, computed_in
from jaxinpaint.objectives.adversarial import hinge_discriminator, hinge_generator
from jaxinpaint.objectives.contextual import contextual_reconstruction_terms
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.ops.compositing import composite
from jaxinpaint.ops.patches import Norm, copies, reconstruct
from jaxinpaint.recipes import tasks
from jaxinpaint.recipes.adversarial import (
    BOTH,
    GENERATOR,
    Game,
    Judged,
    Round,
    Side,
    adversarial,
    discriminator_metrics,
)
from jaxinpaint.recipes.base import Multiple, Recipe, weighted_sum
from jaxinpaint.recipes.holes import HolesName, sampler_of, unread
from jaxinpaint.recipes.optimisers import adam
from jaxinpaint.recipes.options import refuse_unread
from jaxinpaint.recipes.stepping import PLAIN, StepConfig
from jaxinpaint.recipes.tasks import Posed

Part = Literal["coarse", "fine", "auxiliary"]


class Stage(NamedTuple):
    """What a stage of training is about.

    Attributes:
        trains: which parts of the generator move.
        terms: of the generator's loss that count.
    """

    trains: frozenset[Part]
    terms: tuple[str, ...]


STAGES: Mapping[str, Stage] = {
    "coarse": Stage(frozenset({"coarse"}), ("coarse",)),
    "fine": Stage(frozenset({"fine"}), ("adversarial", "fine")),
    "all": Stage(frozenset({"coarse", "fine"}), ("adversarial", "coarse", "fine")),
    "auxiliary": Stage(
        frozenset({"coarse", "fine", "auxiliary"}),
        ("adversarial", "coarse", "fine", "auxiliary_adversarial", "auxiliary"),
    ),
}


@dataclass(frozen=True)
class CRFillConfig:
    """CR-Fill (Zeng et al., ICCV 2021)."""

    NETWORK: ClassVar = ("attention", "width", "norm", "threshold")

    stages: tuple[str, ...] = ("coarse:50000", "fine:100000", "all:200000", "auxiliary")
    """What is trained, one after the other: NAME:STEPS, and last a NAME that goes on to the end.
    coarse: the coarse network alone. fine: the fine one. all: both. auxiliary: both, with the
    auxiliary branch. Optimisers begin anew with each."""
    attention: bool = False
    """DeepFill: attention inside the fine network, and no auxiliary branch."""
    width: int = 48
    """Channels of the generator's first layers, before their gates."""
    discriminator_width: int = 64
    """Channels of the discriminators' first layers."""
    norm: Norm = "map"
    """What features are divided by before patches are compared: their norm over the whole map, as
    published, or over each patch."""
    threshold: float = 0.5
    """Patches that are more than this known may be made of others that are more known."""
    discriminator_sees_hole: bool = False
    """Whether the discriminators see the hole; else a channel of ones."""
    holes: HolesName = "crfill"
    """What is cut out of the training pictures (docs/masks.md shows them): crfill is strokes with
    squares or objects (--data.shapes)."""
    hole_ratio: tuple[float, float] = (0.01, 0.6)
    """Irregular, mat and random-region: least and greatest share of the picture that is missing."""
    hole_border: bool = True
    """Irregular: whether holes may touch the picture's border."""
    one_hole: bool = False
    """Whether all pictures of a batch have the same hole, as in the published program."""
    pixel_weight: float = 1.0
    """Weight of the mean differences from the truth, of the coarse and the fine picture each."""
    adversarial_weight: float = 1.0
    """Weight of the generator's adversarial term."""
    auxiliary_weight: float = 0.5
    """Weight of both terms of the auxiliary picture, on top of theirs."""
    learning_rate: float = 1e-4
    """Of the generator's Adam."""
    discriminator_learning_rate: float = 4e-4
    """Of the discriminators' Adam."""
    beta1: float = 0.0
    """Of both."""
    beta2: float = 0.9
    """Of both."""

    def __post_init__(self) -> None:
        """Refuses stages that can't be, and options that would not be read."""
        names = [name for name, _ in schedule(self.stages)]
        if self.attention and "auxiliary" in names:
            raise ValueError(
                "--recipe.attention needs no auxiliary branch: leave it out of --recipe.stages"
            )
        if self.attention:
            refuse_unread(self, ("auxiliary_weight",), "--recipe.attention")
        from_files = self.holes == "folder" or self.holes == "paired"
        names = (*unread(self.holes), *(("one_hole",) if from_files else ()))
        refuse_unread(self, names, f"--recipe.holes {self.holes}")


def schedule(stages: Sequence[str]) -> list[tuple[str, int]]:
    """The stages' names and first steps, from ``NAME:STEPS`` and last ``NAME``.

    Raises:
        ValueError: for a name that is none, steps that are none, or no stages.
    """
    parts = [stage.partition(":") for stage in stages]
    names, lengths = [name for name, _, _ in parts], [steps for _, _, steps in parts]
    told = f"--recipe.stages {' '.join(stages)}"
    if not names or not set(names) <= STAGES.keys():
        raise ValueError(f"{told}: stages are {', '.join(STAGES)}")
    if stages[-1] != names[-1]:
        raise ValueError(f"{told}: the last stage goes on to --steps and takes no number")
    if not all(steps.isdecimal() and int(steps) for steps in lengths[:-1]):
        raise ValueError(
            f"{told}: every stage but the last takes its number of steps, such as coarse:1000 "
            "fine:2000 all"
        )
    starts = accumulate(map(int, lengths[:-1]), initial=0)
    return list(zip(names, starts, strict=True))


class Nets(NamedTuple):
    """The networks of a config; with attention there is no branch."""

    generator: Network
    auxiliary: Network | None
    discriminator: Network

    @property
    def judges(self) -> tuple[str, ...]:
        """What the discriminators are called, by whose composite they judge."""
        return ("fine", "auxiliary") if self.auxiliary else ("fine",)


class Canvas(NamedTuple):
    """What is painted of a batch, in [-1, 1].

    Attributes:
        coarse, fine: both networks' pictures.
        auxiliary: the branch's, where it is trained.
        completed: what is judged, by the name of who judges it: known pixels, and in the hole the
            fine or the auxiliary picture.
    """

    coarse: Image
    fine: Image
    auxiliary: Image | None
    completed: dict[str, Image]


def crfill(
    config: CRFillConfig,
    how: StepConfig = PLAIN,
    *,
    shapes: Shapes | None = None,
    axis_name: str | None = None,
) -> Recipe:
    """The recipe: a ``generator`` and a ``discriminator``, trained by Adam, stage by stage.

    The generator's parameters are those of `crfill_generator` and, under ``auxiliary``, of
    `crfill_auxiliary`; the discriminator's those of two alike, ``fine`` and ``auxiliary``, which
    judge composites. In each step the discriminator moves first; the generator runs forward once.
    With x₁, x₂, x₃ the coarse, fine and auxiliary picture, y the true one, c(·) the composite, and
    λ the published weights 1, 1, ½ (adversarial, pixel, auxiliary)::

        discriminator: hinge(D(y), D(c(x₂))) + hinge(D'(y), D'(c(x₃)))
        generator:     -λ₁ D(c(x₂)) + λ₂ |x₁ - y| + λ₂ |x₂ - y|
                       + λ₃ (-λ₁ D'(c(x₃)) + λ₂ |x₃ - y|)

    in [-1, 1], means over whole pictures; a stage has those of its terms that `STAGES` names.

    Source: Zeng et al., ICCV 2021, and its program.

    Args:
        config: every number of it.
        how: its steps are made.
        shapes: of objects that are cut out, from `data.shapes`; without them more strokes are.
        axis_name: the mapped axis over which gradients are averaged, where a
            step is written out for one of several devices; None is the global view.

    Raises:
        ValueError: for a config that no network or sampler can be made from.
    """
    nets = _nets(config, how)
    sample = sampler_of(
        config.holes, ratio=config.hole_ratio, border=config.hole_border, shapes=shapes
    )
    task = tasks.anywhere(
        partial(_fill, nets.generator),
        sample,
        Multiple(8, least=16),
        cover=tasks.GREY,
        one_hole=config.one_hole,
    )
    stages = schedule(config.stages)
    optimiser = partial(adam, b1=config.beta1, b2=config.beta2)
    recipe = adversarial(
        task,
        _round_at({start: _round(config, nets, STAGES[name], start) for name, start in stages}),
        Side(partial(_begin_generator, nets), optimiser(config.learning_rate)),
        Side(partial(_begin_discriminators, nets), optimiser(config.discriminator_learning_rate)),
        moves_others_averages=True,
        how=how,
        axis_name=axis_name,
    )
    branch = [("generator", "auxiliary"), ("discriminator", "auxiliary")] if nets.auxiliary else []
    return recipe._replace(
        show=partial(_show, config, nets), stages=tuple(stages), dispensable=frozenset(branch)
    )


def _nets(config: CRFillConfig, how: StepConfig) -> Nets:
    compared: dict = {"norm": config.norm, "threshold": config.threshold}
    generator = crfill_generator(width=config.width, attention=config.attention, **compared)
    auxiliary = crfill_auxiliary(width=config.width, **compared)
    discriminator = deepfill_discriminator(width=config.discriminator_width)
    return Nets(
        computed_in(generator, how.precision),
        None if config.attention else computed_in(auxiliary, how.precision),
        computed_in(discriminator, how.precision),
    )


def _round(config: CRFillConfig, nets: Nets, stage: Stage, start: int) -> Round:
    game = Game(
        partial(_paint, nets, stage),
        partial(_discriminator_loss, config, nets),
        partial(_generator_loss, config, nets, stage),
    )
    movers = BOTH if "adversarial" in stage.terms else GENERATOR
    return Round(game, movers, begins=start or None)


def _round_at(rounds: Mapping[int, Round]) -> Callable[[int], Round]:
    """The round of a step, from those that begin at some steps."""
    return lambda number: rounds[max(start for start in rounds if start <= number)]


def _begin_generator(nets: Nets, key: RandomKey, size: tuple[int, int]) -> Variables:
    keys = jax.random.split(key)
    image, hole = jnp.zeros((1, *size, 3)), jnp.zeros((1, *size, 1))
    variables = nets.generator.init(keys[0], image, hole)
    if nets.auxiliary is None:
        return variables
    painted, _ = jax.eval_shape(nets.generator.apply, variables, image, hole)
    features = jnp.zeros(painted.features.shape)
    branch = nets.auxiliary.init(keys[1], image, features, hole)
    return {"params": {**variables["params"], "auxiliary": branch["params"]}}


def _begin_discriminators(nets: Nets, key: RandomKey, size: tuple[int, int]) -> Variables:
    image, extra = jnp.zeros((1, *size, 3)), jnp.zeros((1, *size, 1))
    keys = jax.random.split(key, len(nets.judges))
    each = [nets.discriminator.init(judge_key, image, extra) for judge_key in keys]
    return {
        kept: {name: own[kept] for name, own in zip(nets.judges, each, strict=True)}
        for kept in each[0]
    }


def _paint(
    nets: Nets, stage: Stage, variables: Variables, posed: Posed
) -> tuple[Canvas, Variables]:
    shown, hole = posed.shown, posed.hole
    params = _frozen_but(stage.trains, variables["params"])
    (coarse, fine, features), _ = nets.generator.apply({"params": params}, shown, hole, train=True)
    if "fine" not in stage.trains:
        # Else the coarse network's gradient would be sought through it, and found to be zero.
        fine = lax.stop_gradient(fine)
    completed = {"fine": composite(fine, shown, hole)}
    if nets.auxiliary is None or "auxiliary" not in stage.trains:
        return Canvas(coarse, fine, None, completed), variables
    branch = {"params": params["auxiliary"]}
    (rebuilt, _), _ = nets.auxiliary.apply(branch, completed["fine"], features, hole, train=True)
    completed["auxiliary"] = composite(rebuilt, shown, hole)
    return Canvas(coarse, fine, rebuilt, completed), variables


def _discriminator_loss(
    config: CRFillConfig, nets: Nets, variables: Variables, posed: Posed, canvas: Canvas
) -> Judged:
    loss, told = jnp.zeros(()), {}
    for name, fake in canvas.completed.items():
        # Side by side in one batch, so that each device keeps its own: one pass, one step of power
        # iteration.
        pairs, holes = (_side_by_side(*two) for two in ((posed.truth, fake), (posed.hole,) * 2))
        logits, variables = _judged(config, nets, variables, name, pairs, holes)
        of_real, of_fake = logits[0::2], logits[1::2]
        losses = hinge_discriminator(of_real, of_fake)
        loss += jnp.mean(losses)
        of_judge = discriminator_metrics(losses, of_real, of_fake)
        prefix = "" if name == "fine" else f"{name}_"
        told |= {f"{prefix}{what}": mean for what, mean in of_judge.items()}
    return loss, (variables, told)


def _generator_loss(
    config: CRFillConfig,
    nets: Nets,
    stage: Stage,
    canvas: Canvas,
    posed: Posed,
    variables: Variables,
) -> Judged:
    terms = {"coarse": l1(canvas.coarse, posed.truth), "fine": l1(canvas.fine, posed.truth)}
    if "adversarial" in stage.terms:
        fake = canvas.completed["fine"]
        logits, variables = _judged(config, nets, variables, "fine", fake, posed.hole)
        terms["adversarial"] = hinge_generator(logits)
    if canvas.auxiliary is not None:
        fake = canvas.completed["auxiliary"]
        logits, variables = _judged(config, nets, variables, "auxiliary", fake, posed.hole)
        terms |= contextual_reconstruction_terms(canvas.auxiliary, posed.truth, logits)
    weights = _weights(config)
    loss, told = weighted_sum(
        {name: terms[name] for name in stage.terms}, {name: weights[name] for name in stage.terms}
    )
    return loss, (variables, told)


def _weights(config: CRFillConfig) -> dict[str, float]:
    """Weights of the generator's terms, in all stages."""
    adversarial, pixel = config.adversarial_weight, config.pixel_weight
    return {
        "adversarial": adversarial,
        "coarse": pixel,
        "fine": pixel,
        "auxiliary_adversarial": config.auxiliary_weight * adversarial,
        "auxiliary": config.auxiliary_weight * pixel,
    }


def _judged(
    config: CRFillConfig,
    nets: Nets,
    variables: Variables,
    name: str,
    pictures: Image,
    hole: Hole,
) -> tuple[Logits, Variables]:
    """What the discriminator of a name says, and the variables of all after its pass."""
    own = {kept: of_all[name] for kept, of_all in variables.items()}
    extra = hole if config.discriminator_sees_hole else jnp.ones_like(hole)
    logits, own = nets.discriminator.apply(own, pictures, extra, train=True)
    return logits, {kept: {**of_all, name: own[kept]} for kept, of_all in variables.items()}


def _fill(generator: Network, variables: Variables, shown: Image, hole: Hole) -> Image:
    return generator.apply(variables, shown, hole)[0].fine


def _show(
    config: CRFillConfig, nets: Nets, variables: Variables, image: Image, hole: Hole
) -> dict[str, Image]:
    """The coarse picture, the branch's, and what patches are compared with."""
    shown = tasks.to_signed(tasks.covered(image, hole, tasks.GREY))
    (coarse, fine, features), _ = nets.generator.apply(variables, shown, hole)
    completed = composite(fine, shown, hole)
    found = compare(features, hole, norm=config.norm, threshold=config.threshold)
    copied = reconstruct(copies(found), completed, averaged=True)
    from_hole = reconstruct(found, hole, averaged=True)
    pictures = {
        "coarse": tasks.to_unit(coarse),
        "copied": tasks.to_unit(copied),
        "from hole": jnp.broadcast_to(from_hole, image.shape),
    }
    if nets.auxiliary is not None:
        branch = {"params": variables["params"]["auxiliary"]}
        (rebuilt, _), _ = nets.auxiliary.apply(branch, completed, features, hole)
        pictures["auxiliary"] = tasks.to_unit(rebuilt)
    return pictures


def _frozen_but(parts: frozenset[Part], params: Variables) -> Variables:
    """The generator's parameters; no gradient reaches those of other parts."""

    def part(name: str) -> str:
        return name if name in ("coarse", "auxiliary") else "fine"

    return {
        name: values if part(name) in parts else lax.stop_gradient(values)
        for name, values in params.items()
    }


def _side_by_side(
    these: Float[Array, "N H W C"], those: Float[Array, "N H W C"]
) -> Float[Array, "M H W C"]:
    """Of each pair first the one, then the other."""
    return jnp.stack([these, those], axis=1).reshape(-1, *these.shape[1:])
