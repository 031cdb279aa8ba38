"""Writes what was measured into performance.md, and its plot, from performance.json.

    python docs/make_performance.py

`benchmarks/performance.py --output docs/performance.json` makes the numbers.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "performance.md"
MEASURED = HERE / "performance.json"
PLOT = HERE / "pictures" / "performance.png"
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"
AGAINST = ("eager", "channels last", "torch.compile")


def page(text: str, found: dict[str, Any]) -> str:
    """The page's text with these measurements in the place of those in it."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, *measurements(found), END + after])


def measurements(found: dict[str, Any]) -> list[str]:
    """The tables, in Markdown."""
    machine, recipes = found["machine"], found["recipes"]
    lines = [
        "",
        f"{machine['day']}, {machine['cpu']} (shared virtual cores), no GPU; "
        f"Python {machine['python']}, JAX {machine['jax']}, PyTorch {machine['torch']}; float32. "
        f"Products of large matrices reached {machine['gigaflops']:.0f} GFLOP/s.",
        "",
    ]
    for what in ("filling", "training"):
        lines += [f"**{what.capitalize()}**, PyTorch's time / ours: above 1 we are faster", ""]
        lines += [f"| | ours, ms | {' | '.join(AGAINST)} |", "|---|---|---|---|---|"]
        lines += [_row(name, recipe, what) for name, recipe in recipes.items()]
        lines += [""]
    lines += ["**Memory, getting ready (weights drawn, programs compiled), whole runs**", ""]
    lines += ["| | training, MiB, ours / PyTorch | filling, GFLOP/s | of the machine's |"]
    lines[-1] += (
        " getting ready, s, filling / training | `train.py`, pictures/s | of the bare step's |"
    )
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [_further(name, recipe, machine["gigaflops"]) for name, recipe in recipes.items()]
    return [*lines, ""]


def _row(name: str, recipe: dict[str, Any], what: str) -> str:
    times = recipe[what]
    cells = [f"{statistics.median(times['ours']):.0f}"]
    cells += [_ratio(times[other], times["ours"]) if other in times else "–" for other in AGAINST]
    return f"| {_case(name, recipe)} | {' | '.join(cells)} |"


def _case(name: str, recipe: dict[str, Any]) -> str:
    case = recipe["case"]
    cycle = f", {case['steps']} steps" if case["steps"] > 1 else ""
    return f"`{name}`, {case['size']}², batch {case['batch']}{cycle}"


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """The median of the rounds' ratios, with the least and the greatest."""
    ratios = sorted(a / b for a, b in zip(theirs, ours, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def _further(name: str, recipe: dict[str, Any], rate: float) -> str:
    memory, case = recipe["memory"], recipe["case"]
    reached = recipe["filling gigaflops"] / statistics.median(recipe["filling"]["ours"]) * 1e3
    bare = case["steps"] * case["batch"] / statistics.median(recipe["training"]["ours"]) * 1e3
    cells = (
        f"{memory['jax']['peak']:.0f} / {memory['torch']['peak']:.0f}",
        f"{reached:.0f}",
        f"{100 * reached / rate:.0f} %",
        f"{recipe['getting ready to fill']:.0f} / {recipe['getting ready to train']:.0f}",
        f"{recipe['whole']:.1f}",
        f"{100 * recipe['whole'] / bare:.0f} %",
    )
    return f"| `{name}` | {' | '.join(cells)} |"


def draw(found: dict[str, Any], path: Path) -> None:
    """What a picture costs by its side, and by how many are filled at once."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    by_side, by_batch = axes
    for name, sweep in found["sweeps"].items():
        for axis, key in ((by_side, "side"), (by_batch, "batch")):
            points = [(float(x), y) for x, y in sweep[key].items()]
            axis.plot(*zip(*points, strict=True), marker="o", label=name)
    by_side.set(xlabel="side of the picture, one at a time", ylabel="ms a picture")
    by_batch.set(xlabel="pictures filled at once, 128²", ylabel="ms a picture")
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    by_side.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    measured = json.loads(MEASURED.read_text())
    PAGE.write_text(page(PAGE.read_text(), measured))
    draw(measured, PLOT)
