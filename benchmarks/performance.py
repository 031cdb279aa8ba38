"""Every published recipe against PyTorch: filling, training, memory, compiling and whole runs.

    python benchmarks/performance.py                   half an hour on two CPU cores
    python benchmarks/performance.py --only pan        the others stay as they were in the output
    python benchmarks/performance.py --bf16            on a GPU: training in bfloat16 too
    python benchmarks/performance.py --smoke           minutes; says only that it runs

Needs PyTorch. Both sides run in turns in one process, after warming up: a row of times is of the
same minutes, and so are the products of large matrices that tell what the machine gave in them.
Both start from the same weights, and must agree in what they fill, and in the losses of their first
step. Memory is that of a fresh process for each side. What comes out is printed, and written as
JSON, of which `docs/make_performance.py` makes the page.
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
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

# Before PyTorch is loaded; why, `partial_conv.py` says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
import torch
from our_training import OurTraining, apart, first_variables, shapes_of_variables
from partial_conv_cases import drawn, holed, normal
from performance_cases import Case, Filling, Start, cases
from side_by_side import (
    MIB,
    Dress,
    Rounds,
    Side,
    compiled,
    describe,
    eager,
    forget_peak,
    held_bytes,
    in_turns,
    on_equal_terms,
    plain,
    require_equal,
    to_nchw,
    to_nhwc,
    torch_device,
)

from jaxinpaint.compiling import give_back_freed_memory
from jaxinpaint.keeping_compiled import keep_compiled
from jaxinpaint.nets.network import Precision, dtype_of
from jaxinpaint.recipes.base import Metrics
from jaxinpaint.training.flops import model_flops

HERE = Path(__file__).parent
# Batch norms on their running averages, or none: what filling computes on both sides.
FILLED_APART = 1e-3
# Losses of a first step, in which a generator is judged after its judge has moved: where a gradient
# is next to nothing, rounding turns Adam's first update around. A bfloat16 has 8 bits, and ours
# rounds between layers too, where autocast leaves some float32.
TRAINED_APART: dict[Precision, float] = {"float32": 1e-2, "bf16": 5e-2}
PRODUCT = 2048  # side of matrices large enough to be multiplied at the full rate


def main() -> None:
    chosen = _command_line()
    if chosen.memory_of:
        print(json.dumps(_memory(cases(chosen.smoke)[chosen.only[0]], chosen.memory_of)))
        return
    on_equal_terms()
    torch.set_flush_denormal(True)
    rounds = Rounds(1, 0.0) if chosen.smoke else Rounds(chosen.rounds, 0.2)
    describe(f"{rounds.number} rounds")
    found, every = _found_before(chosen), cases(chosen.smoke)
    # An hour is long: what is measured is at hand at once, and takes the output's place at the end.
    unfinished = chosen.output.with_suffix(".unfinished")
    for name, case in every.items():
        if not chosen.only or name in chosen.only:
            recipe = found["recipes"][name] = {"machine": machine(), "rounds": rounds.number}
            for what, measured in _measured(name, case, rounds, chosen):
                recipe[what] = measured
                _write(found, unfinished)
    found["recipes"] = {name: found["recipes"][name] for name in every if name in found["recipes"]}
    _write(found, unfinished)
    unfinished.replace(chosen.output)
    print(f"written to {chosen.output}")


def _write(found: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(found, indent=1) + "\n")


def _found_before(chosen: argparse.Namespace) -> dict[str, Any]:
    """Of the recipes that are not measured now."""
    if chosen.only and chosen.output.exists():
        return json.loads(chosen.output.read_text())
    return {"recipes": {}}


def machine() -> dict[str, Any]:
    """What it was measured on, and how much work the products are that tell its speed."""
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
        "product gigaflop": 2 * PRODUCT**3 / 1e9,
    }


def _measured(
    name: str, case: Case, rounds: Rounds, chosen: argparse.Namespace
) -> Iterator[tuple[str, Any]]:
    print(f"\n## {name}: {case.side}², batch {case.n}", flush=True)
    yield "case", {"size": case.side, "batch": case.n, "steps": case.steps}
    dresses: dict[str, Dress] = {"eager": plain, "channels last": _channels_last}
    if not chosen.no_compile:
        dresses["torch.compile"] = _compiled
    yield "filling", _filling_measured(name, case, dresses, rounds)
    yield "training", _training_measured(name, case, dresses, rounds, "float32")
    if chosen.bf16:
        yield "training, bf16", _training_measured(name, case, dresses, rounds, "bf16")
    yield "memory", _memory_of_both(name, chosen)
    yield "whole", _whole_run(case, chosen.smoke)
    yield "whole by devices", {n: _whole_run(case, chosen.smoke, n) for n in chosen.devices}
    yield "sweeps", _swept(case, rounds, smoke=chosen.smoke)


def _filling_measured(
    name: str, case: Case, dresses: Mapping[str, Dress], rounds: Rounds
) -> dict[str, Any]:
    filling = case.filling(case.side, case.n)
    started = time.perf_counter()
    ours = our_filling(filling)
    filled = ours.run()
    seconds = time.perf_counter() - started
    theirs, failed = _running(
        {way: partial(their_filling, filling, dress) for way, dress in dresses.items()},
        lambda way, theirs: require_equal(
            f"{name} filled, {way}", filled, to_nhwc(theirs), tolerance=FILLED_APART
        ),
    )
    times = _told("filling", {"ours": ours, **theirs}, rounds)
    return {"times": times, "failed": failed, "gigaflops": _flops(filling) / 1e9, "ready": seconds}


def _training_measured(
    name: str, case: Case, dresses: Mapping[str, Dress], rounds: Rounds, precision: Precision
) -> dict[str, Any]:
    started = time.perf_counter()
    training = OurTraining(case.config, case.batch, case.steps, precision=precision)
    ours = training.side_of(*range(case.steps))
    (first, *_) = ours.run()
    seconds = time.perf_counter() - started
    start = Start(first_variables(case.config, case.batch), case.first_holes())
    ways = {"eager": (plain, not case.judged)}
    if case.judged:
        ways["judge frozen"] = (plain, True)
    ways |= {way: (dress, True) for way, dress in dresses.items() if way != "eager"}

    def their_training(dress: Dress, frozen: bool) -> Side:
        narrow = precision == "bf16"
        return case.theirs(start, (lambda net: _Autocast(dress(net))) if narrow else dress, frozen)

    def require(way: str, told: Any) -> None:
        _require_same_losses(f"{name} trained, {way}", first, told[0], TRAINED_APART[precision])

    theirs, failed = _running(
        {way: partial(their_training, *how) for way, how in ways.items()}, require
    )
    times = _told(f"training, {precision}", {"ours": ours, **theirs}, rounds, precision)
    gigaflops = sum(training.flops) / 1e9
    return {"times": times, "failed": failed, "gigaflops": gigaflops, "ready": seconds}


class _Autocast(torch.nn.Module):
    """A network with what PyTorch takes for worth it in bfloat16; what it gives is float32.

    Each pass by itself, for within one autocast weights are those of before any update.
    """

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *seen: torch.Tensor) -> Any:
        with torch.autocast(torch_device(), torch.bfloat16):
            made = self.net(*seen)
        return jax.tree.map(torch.Tensor.float, made)


def _require_same_losses(
    what: str, ours: Metrics, theirs: Mapping[str, Any], tolerance: float
) -> None:
    if not (parted := apart(ours, theirs)) < tolerance:
        sys.exit(f"{what}: the losses of the first step differ by {parted}; nothing to compare")


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


def _channels_last(net: torch.nn.Module) -> torch.nn.Module:
    for parameter in net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net


def _compiled(net: torch.nn.Module) -> Any:
    # By default it takes the kinds of call in one step (true pictures, painted ones, with gradients
    # and without) for sizes that change, and fails to compile one for any size.
    return torch.compile(net, dynamic=False)


def _running(
    sides: Mapping[str, Callable[[], Side]], require: Callable[[str, Any], Any]
) -> tuple[dict[str, Side], dict[str, str]]:
    """Those that run at all, checked; and of what torch.compile can't compile, why."""
    kept, failed = {}, {}
    for way, made in sides.items():
        started = time.perf_counter()
        try:
            side = made()
            first = side.run()
        except RuntimeError as error:
            failed[way] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            print(f"{way} fails: {failed[way]}")
            continue
        print(f"{way}: the first call took {time.perf_counter() - started:.1f} s", flush=True)
        require(way, first)
        kept[way] = side
    return kept, failed


def _flops(filling: Filling) -> int:
    traced = jax.make_jaxpr(lambda variables, *seen: filling.net.apply(variables, *seen)[0])
    return model_flops(traced(filling.variables, *filling.seen))


def _told(
    what: str, sides: dict[str, Side], rounds: Rounds, precision: Precision = "float32"
) -> dict[str, list[float]]:
    """Milliseconds of each round by side; printed as medians, and ratios to ours.

    Between them the frameworks multiply large matrices: what the machine gives in that round.
    """
    sides = sides | _products(precision)
    turns = dict(zip(sides, in_turns(list(sides.values()), rounds), strict=True))
    for name, times in turns.items():
        ratios = sorted(a / b for a, b in zip(times, turns["ours"], strict=True))
        print(
            f"{what:<20}{name:<20}{statistics.median(times):9.1f} ms   "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) of ours",
            flush=True,
        )
    return turns


def _products(precision: Precision) -> dict[str, Side]:
    """A product of `PRODUCT`² matrices by each framework."""
    a, b = (normal(seed, (PRODUCT, PRODUCT)) for seed in (1, 2))
    narrow = torch.bfloat16 if precision == "bf16" else torch.float32
    x, y = (torch.from_numpy(matrix).to(torch_device(), narrow) for matrix in (a, b))
    a, b = (matrix.astype(dtype_of(precision)) for matrix in (a, b))
    return {
        "product by XLA": compiled(jnp.matmul, a, b),
        "product by PyTorch": eager(lambda: x @ y),
    }


def _memory_of_both(name: str, chosen: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Ours twice: where the program is compiled, which leaves much behind, and where it is kept."""
    with tempfile.TemporaryDirectory() as cache:
        memory = {
            "jax": _in_a_child(name, "jax", chosen, cache),
            "jax, kept": _in_a_child(name, "jax", chosen, cache),
            "torch": _in_a_child(name, "torch", chosen, cache),
        }
    print("memory in training, MiB:", json.dumps(memory), flush=True)
    return memory


def _in_a_child(name: str, side: str, chosen: argparse.Namespace, cache: str) -> dict[str, float]:
    program = [sys.executable, str(HERE / "performance.py"), "--memory-of", side, "--only", name]
    program += ["--smoke"] if chosen.smoke else []
    done = subprocess.run(
        program, check=True, stdout=subprocess.PIPE, text=True, env=_environment(cache)
    )
    return json.loads(done.stdout)


def _environment(cache: str) -> dict[str, str]:
    """That of a program which keeps what it compiles here, and finds nothing else."""
    kept = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    return kept | {"JAXINPAINT_CACHE": cache}


def _memory(case: Case, side: str) -> dict[str, float]:
    """MiB that training holds beyond the imports.

    At the peak of getting ready and the first step, between steps, and at the peak of three more.
    """
    on_equal_terms()
    keep_compiled()
    start = held_bytes(side, peak=False)
    forget_peak()
    training = _alone(case, side)
    training.run()
    ready = held_bytes(side, peak=True)
    give_back_freed_memory()
    between = held_bytes(side, peak=False)
    forget_peak()
    for _ in range(3):
        training.run()
    held = {"getting ready": ready, "between": between, "peak": held_bytes(side, peak=True)}
    return {when: (found - start) / MIB for when, found in held.items()}


def _alone(case: Case, side: str) -> Side:
    """Training on one side. PyTorch's starts from weights that JAX has no part in."""
    if side == "jax":
        return OurTraining(case.config, case.batch, case.steps).side_of(*range(case.steps))
    variables = drawn(shapes_of_variables(case.config, case.batch))
    return case.theirs(Start(variables, 1 - holed(case.n, case.side)), plain, True)


def _whole_run(case: Case, smoke: bool, devices: int = 1) -> float:
    """Pictures a second of `train.py`, from files to checkpoints, as it tells after its start.

    More devices than one are the same CPU's cores, told apart: what sharing out work costs.
    """
    # Checkpoints far enough apart that one is written before the next, as in any real run.
    steps = 8 if smoke else 60
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, str(HERE.parent / "train.py"), *case.whole]
        program += ["--run", f"{folder}/run", "--steps", str(steps), "--sample-every", str(steps)]
        program += ["--checkpoint-every", str(steps // 2), "--log-every", str(steps // 4)]
        # With programs that nobody has compiled before.
        environment = _environment(f"{folder}/cache")
        if devices > 1:
            flags = f"--xla_force_host_platform_device_count={devices}"
            environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {flags}"
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL, env=environment)
        lines = Path(f"{folder}/run/metrics.jsonl").read_text().splitlines()
    told = [found for line in lines[1:] if (found := json.loads(line).get("examples_per_second"))]
    rate = statistics.harmonic_mean(told)  # of as many pictures each: all of them over all the time
    print(f"a whole run, {devices} device(s): {rate:.1f} pictures a second", flush=True)
    return rate


def _swept(case: Case, rounds: Rounds, *, smoke: bool) -> dict[str, Any]:
    """What a picture costs filling, in milliseconds a round: by side, batch, and share of hole."""

    def costs(fillings: dict[float, Filling]) -> dict[float, list[float]]:
        turns = in_turns([our_filling(filling) for filling in fillings.values()], rounds)
        pictures = [len(filling.seen[0]) for filling in fillings.values()]
        return {
            of: [ms / n for ms in times]
            for of, times, n in zip(fillings, turns, pictures, strict=True)
        }

    batches = (1, 2) if smoke else (1, 2, 4, 8)
    found = {
        "side": costs({side: case.filling(side, 1) for side in case.sides}),
        "batch": costs({n: case.filling(case.side, n) for n in batches}),
    }
    filling = case.filling(case.side, 1)
    if (see := filling.see) is not None:
        holes = {share: see(_square(case.side, share)) for share in (0.05, 0.25, 0.6)}
        found["hole"] = costs({of: filling._replace(seen=seen) for of, seen in holes.items()})
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
    parser.add_argument(
        "--bf16", action="store_true", help="training in bfloat16 too, PyTorch's by autocast"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument(
        "--devices",
        nargs="+",
        type=int,
        default=[],
        help="whole runs on so many devices too, made of one CPU: what sharing out work costs",
    )
    parser.add_argument("--output", type=Path, default=Path("performance.json"))
    parser.add_argument("--memory-of", choices=("jax", "torch"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
