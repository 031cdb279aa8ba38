"""Two sides of a comparison, timed in turns, checked to agree, and printed as a ratio."""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import torch

from jaxinpaint.compiling import fast_jit

TOLERANCE = 1e-4
MIB = 2**20


class Side(NamedTuple):
    """One side of a comparison.

    Attributes:
        run: does the work once, waits for it, and gives what it computed.
        planned: bytes that XLA plans for the program; None for PyTorch, which plans nothing.
    """

    run: Callable[[], Any]
    planned: int | None = None


class Rounds(NamedTuple):
    """How long to measure: a call shorter than ``seconds_a_turn`` is repeated within its turn."""

    number: int
    seconds_a_turn: float


def on_equal_terms() -> None:
    """Both sides compute in float32, and both try out cuDNN's algorithms, as XLA does unasked."""
    jax.config.update("jax_default_matmul_precision", "float32")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


# What is done to a network of PyTorch before it is used.
Dress = Callable[[torch.nn.Module], torch.nn.Module]


def plain(net: torch.nn.Module) -> torch.nn.Module:
    """PyTorch as users write it first: eager, channels second."""
    return net


def describe(what: str) -> None:
    """Prints what runs where, and what is measured."""
    print(f"JAX {jax.__version__} on {jax.devices()[0]}, PyTorch {torch.__version__} on", end=" ")
    print(f"{torch_device()}; float32, {what}")


def compiled(f: Callable[..., Any], *args: Any) -> Side:
    args = jax.device_put(args)
    program = program_of(f, *args)
    return Side(lambda: jax.block_until_ready(program(*args)), planned_bytes(program))


def program_of(f: Callable[..., Any], *args: Any, **how: Any) -> jax.stages.Compiled:
    """The function compiled as the package compiles its own."""
    return fast_jit(f, **how).lower(*args).compile()


def planned_bytes(program: jax.stages.Compiled) -> int | None:
    plan = program.memory_analysis()
    if plan is None:
        return None
    whole = plan.temp_size_in_bytes + plan.argument_size_in_bytes + plan.output_size_in_bytes
    return whole - plan.alias_size_in_bytes


def eager(f: Callable[[], Any]) -> Side:
    def run() -> Any:
        found = f()
        if torch_device() == "cuda":
            torch.cuda.synchronize()
        return found

    return Side(run)


def torch_device() -> str:
    """Where JAX is: a comparison across devices would say nothing."""
    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"


def to_nchw(x: Any) -> torch.Tensor:
    return _to_torch(x, (0, 3, 1, 2))


def to_oihw(kernel: Any) -> torch.Tensor:
    return _to_torch(kernel, (3, 2, 0, 1))


def to_nhwc(x: torch.Tensor) -> np.ndarray:
    return x.cpu().numpy().transpose(0, 2, 3, 1)


def to_hwio(kernel: torch.Tensor) -> np.ndarray:
    return kernel.cpu().numpy().transpose(2, 3, 1, 0)


def heading(what: str, a: str, b: str, meaning: str) -> None:
    print(f"\n## {what}: {b} / {a} ({meaning})")
    print(f"{'':<36}{a:>19}{b:>19}   {'ratio (least–most)':<18}{'MiB':>16}", flush=True)


def compare(label: str, a: Side, b: Side, rounds: Rounds) -> None:
    """Times both sides in turns and prints their row.

    The ratio is the median of the rounds' own: what slows a round slows both of its turns.
    """
    turns = in_turns((a, b), rounds)
    times = [f"{min(turn):9.2f} /{statistics.median(turn):8.2f}" for turn in turns]
    ratios = sorted(theirs / ours for ours, theirs in zip(*turns, strict=True))
    ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
    planned = [f"{side.planned / MIB:8.1f}" for side in (a, b) if side.planned is not None]
    print(f"{label:<36}{''.join(times)}   {ratio:<18}{''.join(planned):>16}", flush=True)


def require_equal(what: str, a: Any, b: Any, tolerance: float = TOLERANCE) -> float:
    """The largest difference over the range of values; ends the program if it is too large."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not np.isfinite(a).all():
        sys.exit(f"{what}: not finite, or the shapes differ: {a.shape} and {b.shape}")
    error = float(np.max(np.abs(a - b)) / np.ptp(a))
    if not error < tolerance:
        sys.exit(f"{what}: the two sides differ by {error:.1e} of the range; nothing to compare")
    return error


def held_bytes(side: str, *, peak: bool) -> int:
    """Memory that this process holds now, or held at most since `forget_peak`.

    On a GPU what the framework's allocator handed out; else the resident memory of the process.
    """
    if side == "torch" and torch_device() == "cuda":
        return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
    if side == "jax" and jax.default_backend() == "gpu":
        stats = jax.devices()[0].memory_stats()
        return stats["peak_bytes_in_use" if peak else "bytes_in_use"]
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM" if peak else "VmRSS"].split()[0]) * 1024


def forget_peak() -> None:
    """Sets the resident memory's high-water mark back to what is resident now.

    That of getrusage cannot be set back, and a child process inherits its parent's; nor can that of
    JAX on a GPU.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    Path("/proc/self/clear_refs").write_text("5")


def in_turns(sides: Sequence[Side], rounds: Rounds) -> list[list[float]]:
    """Milliseconds a call: for each side one number a round."""
    calls = [_calls_a_turn(side, rounds) for side in sides]
    milliseconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds.number):
        for side, n, found in zip(sides, calls, milliseconds, strict=True):
            start = time.perf_counter()
            for _ in range(n):
                side.run()
            found.append((time.perf_counter() - start) / n * 1e3)
    return milliseconds


def _calls_a_turn(side: Side, rounds: Rounds) -> int:
    side.run()  # warms up
    start = time.perf_counter()
    side.run()
    return max(1, math.ceil(rounds.seconds_a_turn / (time.perf_counter() - start)))


def _to_torch(x: Any, axes: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.array(np.transpose(x, axes), order="C")).to(torch_device())
