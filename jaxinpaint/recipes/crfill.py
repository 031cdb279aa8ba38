"""CR-Fill: gated convolutions, taught by a branch that rebuilds pictures from their known patches.

Zeng et al., CR-Fill: Generative Image Inpainting with Auxiliary Contextual Reconstruction, ICCV
2021; with attention inside the generator it is DeepFill v2 (Yu et al., ICCV 2019) as trained by the
same program.

    python train.py crfill --data.path photos/                  256², four stages in one run
    python train.py deepfill --data.path photos/                with attention, three stages
    python train.py crfill --start-from RUN --recipe.stages auxiliary --data.path mine/

The published scores are not yet reproduced.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint import masks
from jaxinpaint.array_typing import Hole, Image, Logits, PerImage, RandomKey, Variables
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.nets.crfill import crfill_auxiliary, crfill_generator, show_similarity
from jaxinpaint.nets.discriminators import deepfill_discriminator
from jaxinpaint.objectives.adversarial import hinge_discriminator, hinge_generator
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.ops.compositing import composite
from jaxinpaint.ops.patches import Norm
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
from jaxinpaint.recipes.base import Metrics, Multiple, Recipe, weighted_sum
from jaxinpaint.recipes.options import refuse_unread
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

    stages: tuple[str, ...] = ("coarse:50000", "fine:100000", "all:200000", "auxiliary")
    """What is trained, one after the other, each stage for so many steps and the last one to the
    end: the coarse network alone; the fine one; all of the generator; and this with the auxiliary
    branch. Optimisers begin anew with each."""
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
    holes: masks.SamplerName = "crfill"
    """What is cut out of the training pictures: crfill is strokes with squares or objects
    (--data.shapes)."""
    hole_ratio: tuple[float, float] = (0.01, 0.6)
    """Irregular and random-region: least and greatest share of the picture that is missing."""
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
        if self.holes == "crfill":
            refuse_unread(self, ("hole_ratio", "hole_border"), "--recipe.holes crfill")


def schedule(stages: Sequence[str]) -> list[tuple[str, int]]:
    """The stages' names and first steps, from ``NAME:STEPS`` and last ``NAME``.

    Raises:
        ValueError: for a name that is none, steps that are none, or no stages.
    """
    parts = [stage.partition(":") for stage in stages]
    names = [name for name, _, _ in parts]
    if not names or not set(names) <= STAGES.keys():
        raise ValueError(f"--recipe.stages {' '.join(stages)}: stages are {', '.join(STAGES)}")
    lengths = [steps for _, _, steps in parts]
    if lengths[-1] or not all(steps.isdigit() and int(steps) for steps in lengths[:-1]):
        raise ValueError(
            f"--recipe.stages {' '.join(stages)}: every stage but the last takes its number of "
            "steps, such as coarse:1000 fine:2000 all"
        )
    starts = accumulate(map(int, lengths[:-1]), initial=0)
    return list(zip(names, starts, strict=True))


class Painted(NamedTuple):
    """What the generator has made of a batch, in [-1, 1].

    Attributes:
        coarse, fine: both networks' pictures.
        completed: the fine one in the hole, the known pixels outside.
        auxiliary, auxiliary_completed: the same of the auxiliary branch; empty where it is not
            trained.
    """

    coarse: Image
    fine: Image
    completed: Image
    auxiliary: Image | None = None
    auxiliary_completed: Image | None = None


def crfill(
    config: CRFillConfig, *, shapes: Shapes | None = None, axis_name: str | None = None
) -> Recipe:
    """The recipe: a ``generator`` and a ``discriminator``, trained by Adam, stage by stage.

    The generator's parameters are those of `crfill_generator` and, under ``auxiliary``, of
    `crfill_auxiliary`; the discriminator's those of two alike, ``fine`` and ``auxiliary``, which
    judge composites. In each step the discriminator moves first; the generator runs forward once.
    With x₁, x₂, x₃ the coarse, fine and auxiliary picture, y the true one, c(·) the composite::

        discriminator: Σ hinge(D(y), D(c(x₂))) + hinge(D'(y), D'(c(x₃)))
        generator:     -D(c(x₂)) + |x₁ - y| + |x₂ - y| + 0.5 (-D'(c(x₃)) + |x₃ - y|)

    in [-1, 1], means over whole pictures; a stage has those of its terms that `STAGES` names.

    Args:
        config: every number of it.
        shapes: of objects that are cut out, from `data.shapes`; without them more strokes are.
        axis_name: the mapped axis over which gradients are averaged, under ``pmap``; None is the
            global view, under ``jit``.

    Raises:
        ValueError: for a config that no network or sampler can be made from.
    """
    generator = crfill_generator(
        width=config.width,
        attention=config.attention,
        norm=config.norm,
        threshold=config.threshold,
    )
    auxiliary = crfill_auxiliary(width=config.width, norm=config.norm, threshold=config.threshold)
    discriminator = deepfill_discriminator(width=config.discriminator_width)
    weights = {
        "adversarial": config.adversarial_weight,
        "coarse": config.pixel_weight,
        "fine": config.pixel_weight,
        "auxiliary_adversarial": config.auxiliary_weight * config.adversarial_weight,
        "auxiliary": config.auxiliary_weight * config.pixel_weight,
    }
    judges = ("fine",) if config.attention else ("fine", "auxiliary")

    def begin_generator(key: RandomKey, size: tuple[int, int]) -> Variables:
        keys = jax.random.split(key)
        image, hole = jnp.zeros((1, *size, 3)), jnp.zeros((1, *size, 1))
        params = generator.init(keys[0], image, hole)["params"]
        if config.attention:
            return {"params": params}
        painted, _ = jax.eval_shape(partial(generator.apply, {"params": params}), image, hole)
        features = jnp.zeros(painted.features.shape)
        branch = auxiliary.init(keys[1], image, features, hole)["params"]
        return {"params": {**params, "auxiliary": branch}}

    def begin_discriminator(key: RandomKey, size: tuple[int, int]) -> Variables:
        keys = jax.random.split(key, len(judges))
        image, extra = jnp.zeros((1, *size, 3)), jnp.zeros((1, *size, 1))
        each = [discriminator.init(judge_key, image, extra) for judge_key in keys]
        return {
            kept: {name: variables[kept] for name, variables in zip(judges, each, strict=True)}
            for kept in each[0]
        }

    def judged(
        variables: Variables, name: str, pictures: Image, hole: Hole
    ) -> tuple[Logits, Variables]:
        own = {kept: of_all[name] for kept, of_all in variables.items()}
        extra = hole if config.discriminator_sees_hole else jnp.ones_like(hole)
        logits, own = discriminator.apply(own, pictures, extra, train=True)
        return logits, {kept: {**of_all, name: own[kept]} for kept, of_all in variables.items()}

    def game(stage: Stage) -> Game:
        def paint(variables: Variables, posed: Posed) -> tuple[Painted, Variables]:
            params = _frozen_but(stage.trains, variables["params"])
            shown, hole = posed.shown, posed.hole
            (coarse, fine, features), _ = generator.apply({"params": params}, shown, hole)
            completed = composite(fine, shown, hole)
            painted = Painted(coarse, fine, completed)
            if "auxiliary" in stage.trains:
                branch = {"params": params["auxiliary"]}
                (rebuilt, _), _ = auxiliary.apply(branch, completed, features, hole)
                painted = painted._replace(
                    auxiliary=rebuilt, auxiliary_completed=composite(rebuilt, shown, hole)
                )
            return painted, variables

        def discriminator_loss(variables: Variables, posed: Posed, painted: Painted) -> Judged:
            loss, told = jnp.zeros(()), {}
            for name, fake in _completed(painted).items():
                pairs = jnp.stack([posed.truth, fake], axis=1)
                holes = jnp.stack([posed.hole, posed.hole], axis=1)
                logits, variables = judged(variables, name, _flat(pairs), _flat(holes))
                of_real, of_fake = jnp.moveaxis(_paired(logits), 1, 0)
                losses = hinge_discriminator(of_real, of_fake)
                loss += jnp.mean(losses)
                told |= _named(name, discriminator_metrics(losses, of_real, of_fake))
            return loss, (variables, told)

        def generator_loss(painted: Painted, posed: Posed, variables: Variables) -> Judged:
            terms: dict[str, PerImage] = {
                "coarse": l1(painted.coarse, posed.truth),
                "fine": l1(painted.fine, posed.truth),
            }
            if painted.auxiliary is not None:
                terms["auxiliary"] = l1(painted.auxiliary, posed.truth)
            if "adversarial" in stage.terms:
                for name, fake in _completed(painted).items():
                    logits, variables = judged(variables, name, fake, posed.hole)
                    terms |= _named(name, {"adversarial": hinge_generator(logits)})
            loss, told = weighted_sum(
                {name: terms[name] for name in stage.terms},
                {name: weights[name] for name in stage.terms},
            )
            return loss, (variables, told)

        return Game(paint, discriminator_loss, generator_loss)

    def fill(variables: Variables, shown: Image, hole: Hole) -> Image:
        return generator.apply(variables, shown, hole)[0].fine

    def show(variables: Variables, image: Image, hole: Hole) -> dict[str, Image]:
        shown = tasks.to_signed(composite(jnp.full_like(image, 0.5), image, hole))
        (coarse, fine, features), _ = generator.apply(variables, shown, hole)
        pictures = {"coarse": tasks.to_unit(coarse)}
        if config.attention:
            return pictures
        completed = composite(fine, shown, hole)
        branch = {"params": variables["params"]["auxiliary"]}
        (rebuilt, found), _ = auxiliary.apply(branch, completed, features, hole)
        copied, from_hole = show_similarity(found, completed, hole)
        return pictures | {
            "auxiliary": tasks.to_unit(rebuilt),
            "copied": tasks.to_unit(copied),
            "from hole": jnp.broadcast_to(from_hole, image.shape),
        }

    sample = masks.sampler(
        config.holes, ratio=config.hole_ratio, border=config.hole_border, shapes=shapes
    )
    adam = partial(optax.adam, b1=config.beta1, b2=config.beta2)
    stages = schedule(config.stages)
    recipe = adversarial(
        tasks.anywhere(fill, sample, Multiple(8), cover=tasks.GREY, one_hole=config.one_hole),
        _round_at({start: _round(game, name, start) for name, start in stages}),
        Side(begin_generator, adam(config.learning_rate)),
        Side(begin_discriminator, adam(config.discriminator_learning_rate)),
        moves_others_averages=True,
        axis_name=axis_name,
    )
    return recipe._replace(show=show, stages=tuple(stages))


def _round(game: Callable[[Stage], Game], name: str, start: int) -> Round:
    stage = STAGES[name]
    movers = BOTH if "adversarial" in stage.terms else GENERATOR
    return Round(game(stage), movers, begins=start or None)


def _round_at(rounds: Mapping[int, Round]) -> Callable[[int], Round]:
    """The round of a step, from those that begin at some steps."""
    return lambda number: rounds[max(start for start in rounds if start <= number)]


def _frozen_but(parts: frozenset[Part], params: Variables) -> Variables:
    """The generator's parameters; no gradient reaches those of other parts."""

    def part(name: str) -> str:
        return name if name in ("coarse", "auxiliary") else "fine"

    return {
        name: values if part(name) in parts else lax.stop_gradient(values)
        for name, values in params.items()
    }


def _completed(painted: Painted) -> dict[str, Image]:
    """What is judged, by the name of who judges it."""
    if painted.auxiliary_completed is None:
        return {"fine": painted.completed}
    return {"fine": painted.completed, "auxiliary": painted.auxiliary_completed}


# True and painted pictures go through a discriminator in one batch, side by side, so that each
# device keeps its own: one pass, one step of power iteration.
def _flat(pairs: Float[Array, "N 2 H W C"]) -> Float[Array, "M H W C"]:
    return pairs.reshape(-1, *pairs.shape[2:])


def _paired(logits: Float[Array, "M h w C"]) -> Float[Array, "N 2 h w C"]:
    return logits.reshape(-1, 2, *logits.shape[1:])


def _named(judge: str, told: Metrics | dict[str, PerImage]) -> dict:
    """Names that tell what the auxiliary discriminator says from what the other does."""
    return {name if judge == "fine" else f"{judge}_{name}": value for name, value in told.items()}
