"""Every recipe measured: filling, training, memory, compiling and whole runs, against PyTorch.

    python benchmarks/performance.py                   about an hour on two CPU cores
    python benchmarks/performance.py --only partial-conv pan
    python benchmarks/performance.py --smoke           minutes; says only that it runs

Needs PyTorch. Both sides run in turns in one process, after warming up: a row of times is of the
same minutes. Memory is that of a fresh process for each side. That both sides compute the same is
checked before they are timed, here for filling and by the programs of each recipe for training.
What comes out is printed, and written as JSON, of which `docs/make_performance.py` makes the page.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import argparse
import copy
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

# Before PyTorch is loaded; why, `partial_conv.py` says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import adversarial_training as adversarial
import crfill as crfill_training
import jax
import jax.numpy as jnp
import numpy as np
import perceptual_losses
import torch
import torch_crfill
import torch_partial_conv
from partial_conv_cases import SMOKE as SMALL
from partial_conv_cases import Scale, drawn_variables, holed, normal, unet_case
from side_by_side import (
    MIB,
    Dress,
    Rounds,
    Side,
    compiled,
    describe,
    eager,
    forget_peak,
    hand_back_freed_memory,
    held_bytes,
    in_turns,
    on_equal_terms,
    plain,
    require_equal,
    to_nchw,
    to_nhwc,
    torch_device,
)

from jaxinpaint.nets.crfill import crfill_generator
from jaxinpaint.nets.network import Network
from jaxinpaint.training.flops import matrix_rate, model_flops

HERE = Path(__file__).parent
# Batch norms on their running averages, or none: what filling computes on both sides.
FILLED_APART = 1e-3


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


class Case(NamedTuple):
    """A recipe as it is measured.

    Attributes:
        name: of the recipe.
        size: side of its pictures.
        batch: pictures a step.
        filling: both sides' networks, for a side and a number of pictures.
        ours, theirs: a training step, or the cycle of a recipe's steps. PyTorch's is dressed.
        steps: how many steps of ours are in it.
        whole: options of `train.py` for a whole run of it.
    """

    name: str
    size: int
    batch: int
    filling: Callable[[int, int], Filling]
    ours: Callable[[], Side]
    theirs: Callable[[Dress], Side]
    steps: int
    whole: tuple[str, ...]


def main() -> None:
    chosen = _command_line()
    if chosen.memory_of:
        print(json.dumps(_memory(cases(chosen.smoke)[chosen.only[0]], chosen.memory_of)))
        return
    on_equal_terms()
    torch.set_flush_denormal(True)
    rounds = Rounds(1, 0.0) if chosen.smoke else Rounds(chosen.rounds, 0.2)
    describe(f"{rounds.number} rounds")
    found: dict[str, Any] = {"machine": machine(), "recipes": {}, "sweeps": {}}
    for name, case in cases(chosen.smoke).items():
        if not chosen.only or name in chosen.only:
            found["recipes"][name] = dict(_measured(case, rounds, chosen))
            chosen.output.write_text(json.dumps(found, indent=1) + "\n")
            found["sweeps"][name] = _swept(case, rounds, smoke=chosen.smoke)
            chosen.output.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written to {chosen.output}")


def machine() -> dict[str, Any]:
    """What it was measured on, and how fast that multiplies matrices now."""
    cpu = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "device": str(jax.devices()[0]),
        "cpu": f"{len(cpu)} × {cpu[0]}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "torch": torch.__version__,
        "day": time.strftime("%d %B %Y"),
        "gigaflops": matrix_rate(jnp.float32) / 1e9,
    }


def cases(smoke: bool) -> dict[str, Case]:
    """Every recipe at its published width, on 128² pictures so that a CPU comes to an end."""
    scale = SMALL if smoke else Scale(size=128, batch=4)
    players = adversarial.SMOKE if smoke else adversarial.Scale()
    gated = crfill_training.SMOKE if smoke else crfill_training.Scale()
    small = ("--data.size", "64", "--data.batch-size", "4") if smoke else ()
    return {
        case.name: case
        for case in (
            _partial_conv(scale, small),
            _players("context-encoder", adversarial.context_encoder_match, players, small),
            _players("pan", adversarial.pan_center_match, players, small),
            _crfill(gated, small),
        )
    }


def _partial_conv(scale: Scale, small: tuple[str, ...]) -> Case:
    def filling(side: int, n: int) -> Filling:
        net, image, valid = unet_case(replace(scale, size=side, batch=n))
        variables = drawn_variables(net, image, valid)
        theirs = torch_partial_conv.PartialConvUNet(scale.layer_size, scale.width)
        torch_partial_conv.load(theirs, variables)
        return Filling(net, variables, (image, valid), theirs, see=lambda hole: (image, 1 - hole))

    options = ("--data.size", str(scale.size), "--data.batch-size", str(scale.batch))
    whole = ("partial-conv", *options, "--recipe.features", "random")
    whole = (*whole, "--recipe.layer-size", str(scale.layer_size))
    return Case(
        "partial-conv",
        scale.size,
        scale.batch,
        filling,
        partial(perceptual_losses.our_training, scale),
        partial(perceptual_losses.their_training, scale),
        1,
        whole,
    )


def _players(
    name: str,
    match_of: Callable[[adversarial.Scale], adversarial.Match],
    scale: adversarial.Scale,
    small: tuple[str, ...],
) -> Case:
    batch = scale.batches[0 if name == "context-encoder" else 1]

    def filling(side: int, n: int) -> Filling:
        match = match_of(replace(scale, center=side, batches=(n, n, n)))
        shown = normal(1, (n, side, side, 3))
        variables = drawn_variables(match.generator, shown)
        theirs = adversarial.plain_torch.load(match.theirs[0], variables)
        return Filling(match.generator, variables, (shown,), theirs)

    def ours() -> Side:
        match = match_of(scale)
        training = adversarial.OurTraining(match)
        training.start.clear()  # copies for PyTorch, which would count as memory of ours
        return training.side_of(*range(len(match.turns)))

    def theirs(dress: Dress) -> Side:
        match = match_of(scale)
        looked_at = normal(1, (batch, match.looks_at, match.looks_at, 3))
        start = {
            "generator": drawn_variables(match.generator, normal(1, match.batch.image.shape)),
            "discriminator": drawn_variables(match.discriminator, looked_at),
        }
        training = adversarial.TheirTraining(match, start, dress)
        return training.side_of(*range(len(match.turns)))

    steps = 1 if name == "context-encoder" else 3
    widths = (
        ("--recipe.width", str(scale.width), "--recipe.discriminator-width", str(scale.width))
        if small
        else ()
    )
    whole = (name, "--data.batch-size", str(batch), *widths, *small)
    whole = (*whole, "--recipe.size", "64") if small else whole
    return Case(name, scale.center, batch, filling, ours, theirs, steps, whole)


def _crfill(scale: crfill_training.Scale, small: tuple[str, ...]) -> Case:
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

    def theirs(dress: Dress) -> Side:
        config, start, shown = crfill_training.last_stage(scale)
        training = torch_crfill.Training(start, config, dress)
        return eager(lambda: training.step(*shown))

    side, n = scale.training
    options = ("--data.size", str(side), "--data.batch-size", str(n))
    whole = ("crfill", *options, "--recipe.stages", "auxiliary", *small)
    ours = partial(crfill_training.our_side, scale)
    return Case("crfill", side, n, filling, ours, theirs, 1, whole)


def _measured(case: Case, rounds: Rounds, chosen: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    print(f"\n## {case.name}: {case.size}², batch {case.batch}", flush=True)
    yield "case", {"size": case.size, "batch": case.batch, "steps": case.steps}
    dresses = _dresses(chosen)
    filling = case.filling(case.size, case.batch)
    started = time.perf_counter()
    ours = our_filling(filling)
    yield "getting ready to fill", time.perf_counter() - started
    theirs = _running({name: their_filling(filling, dress) for name, dress in dresses.items()})
    for name, side in theirs.items():
        require_equal(
            f"{case.name} filled, {name}", ours.run(), to_nhwc(side.run()), tolerance=FILLED_APART
        )
    yield "filling", _told("filling", {"ours": ours, **theirs}, rounds)
    flops = _flops(filling)
    yield "filling gigaflops", flops / 1e9
    del ours, theirs, filling

    started = time.perf_counter()
    ours = case.ours()
    yield "getting ready to train", time.perf_counter() - started
    theirs = _running({name: case.theirs(dress) for name, dress in dresses.items()})
    yield "training", _told("training", {"ours": ours, **theirs}, rounds)
    del ours, theirs

    memory = {side: _in_a_child(case, side, chosen) for side in ("jax", "torch")}
    print("memory in training, MiB at the peak:", {k: round(v["peak"]) for k, v in memory.items()})
    yield "memory", memory
    yield "whole", _whole_run(case, chosen.smoke)
    if jax.default_backend() == "cpu":
        devices = (2,) if chosen.smoke else (2, 4)
        yield "whole by devices", {n: _whole_run(case, chosen.smoke, n) for n in devices}


def our_filling(filling: Filling) -> Side:
    net, picture_of = filling.net, filling.picture_of
    return compiled(
        lambda variables, *seen: picture_of(net.apply(variables, *seen)[0]),
        filling.variables,
        *filling.seen,
    )


def their_filling(filling: Filling, dress: Dress) -> Side:
    # A copy, for a network is dressed in place.
    net = dress(copy.deepcopy(filling.theirs).to(torch_device()).eval())
    seen = [to_nchw(x) for x in filling.seen]

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return filling.picture_of(net(*seen))

    return eager(run)


def _dresses(chosen: argparse.Namespace) -> dict[str, Dress]:
    """In which ways PyTorch runs."""
    dresses: dict[str, Dress] = {"eager": plain, "channels last": _channels_last}
    if not chosen.no_compile:
        dresses["torch.compile"] = _compiled
    return dresses


def _channels_last(net: torch.nn.Module) -> torch.nn.Module:
    for parameter in net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net


def _compiled(net: torch.nn.Module) -> Any:
    return torch.compile(net)


def _running(sides: dict[str, Side]) -> dict[str, Side]:
    """Those that run at all: what torch.compile can't compile is told, and left out."""
    kept = {}
    for name, side in sides.items():
        started = time.perf_counter()
        try:
            side.run()
        except RuntimeError as error:
            print(f"{name} fails: {type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        print(f"{name}: the first call took {time.perf_counter() - started:.1f} s", flush=True)
        kept[name] = side
    return kept


def _flops(filling: Filling) -> int:
    traced = jax.make_jaxpr(lambda variables, *seen: filling.net.apply(variables, *seen)[0])
    return model_flops(traced(filling.variables, *filling.seen))


def _told(what: str, sides: dict[str, Side], rounds: Rounds) -> dict[str, list[float]]:
    """Milliseconds of each round by side; printed as medians, and ratios to ours."""
    turns = dict(zip(sides, in_turns(list(sides.values()), rounds), strict=True))
    for name, times in turns.items():
        ratios = sorted(a / b for a, b in zip(times, turns["ours"], strict=True))
        print(
            f"{what:<10}{name:<16}{statistics.median(times):9.1f} ms   "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) of ours",
            flush=True,
        )
    return turns


def _in_a_child(case: Case, side: str, chosen: argparse.Namespace) -> dict[str, float]:
    program = [sys.executable, str(HERE / "performance.py"), "--memory-of", side]
    program += ["--only", case.name, *(["--smoke"] if chosen.smoke else [])]
    return json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _memory(case: Case, side: str) -> dict[str, float]:
    """MiB that training holds beyond the imports: between its steps, and at the peak of three."""
    on_equal_terms()
    start = held_bytes(side, peak=False)
    training = case.ours() if side == "jax" else case.theirs(plain)
    training.run()
    hand_back_freed_memory()
    between = held_bytes(side, peak=False)
    forget_peak()
    for _ in range(3):
        training.run()
    peak = held_bytes(side, peak=True)
    return {"between": (between - start) / MIB, "peak": (peak - start) / MIB}


def _whole_run(case: Case, smoke: bool, devices: int = 1) -> float:
    """Pictures a second of `train.py`, from files to checkpoints, as it tells after its start.

    More devices than one are the same CPU's cores, told apart: what sharing out work costs.
    """
    steps = 8 if smoke else 20
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, str(HERE.parent / "train.py"), *case.whole]
        program += ["--run", f"{folder}/run", "--steps", str(steps), "--sample-every", str(steps)]
        program += ["--checkpoint-every", "8", "--log-every", "4"]
        # With programs that nobody has compiled before.
        environment = os.environ | {"JAXINPAINT_CACHE": f"{folder}/cache"}
        if devices > 1:
            environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL, env=environment)
        lines = Path(f"{folder}/run/metrics.jsonl").read_text().splitlines()
    told = [found for line in lines[1:] if (found := json.loads(line).get("examples_per_second"))]
    rate = statistics.median(told)
    print(f"a whole run, {devices} device(s): {rate:.1f} pictures a second", flush=True)
    return rate


def _swept(case: Case, rounds: Rounds, *, smoke: bool) -> dict[str, Any]:
    """What a picture costs filling, in milliseconds: by side, by batch, and by share of hole."""
    fixed = case.name in ("context-encoder", "pan")  # networks of one size
    sides = (case.size,) if fixed or smoke else (128, 256, 512)
    batches = (1, 2) if smoke else (1, 2, 4, 8)

    def cost(filling: Filling) -> float:
        (times,) = in_turns([our_filling(filling)], rounds)
        return statistics.median(times) / len(filling.seen[0])

    found: dict[str, dict[float, float]] = {
        "side": {side: cost(case.filling(side, 1)) for side in sides},
        "batch": {n: cost(case.filling(case.size, n)) for n in batches},
    }
    filling = case.filling(case.size, 1)
    if filling.see is not None:
        found["hole"] = {
            share: cost(filling._replace(seen=filling.see(_square(case.size, share))))
            for share in (0.05, 0.25, 0.6)
        }
    print("ms a picture:", json.dumps(found), flush=True)
    return found


def _square(side: int, share: float) -> np.ndarray:
    """A hole of a share of one picture."""
    hole, width = np.zeros((1, side, side, 1), np.float32), round(side * share**0.5)
    hole[:, :width, :width] = 1
    return hole


def _command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--only", nargs="+", metavar="RECIPE", default=[], help="some recipes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all sides")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--output", type=Path, default=Path("performance.json"))
    parser.add_argument("--memory-of", choices=("jax", "torch"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
