"""Writes what was measured into performance.md, and its plot, from performance.json.

    python docs/make_performance.py

`benchmarks/performance.py --output docs/performance.json` makes the numbers.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "performance.md"
MEASURED = HERE / "performance.json"
PLOT = HERE / "pictures" / "performance.png"
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"
AGAINST = {
    "filling": ("eager", "channels last", "torch.compile"),
    "training": ("eager", "judge frozen", "channels last", "torch.compile"),
    "training, bf16": ("eager", "judge frozen", "channels last", "torch.compile"),
}
TITLES = {"training, bf16": "Training in bfloat16"}
SIDES = ("jax", "jax, kept", "torch")
PRODUCTS = ("product by XLA", "product by PyTorch")


def page(text: str, found: dict[str, Any]) -> str:
    """The page's text with these measurements in the place of those in it."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, *measurements(found["recipes"]), END + after])


def measurements(recipes: dict[str, Any]) -> list[str]:
    """The tables, in Markdown."""
    lines = ["", *_where(recipes)]
    for what, against in AGAINST.items():
        told = {name: recipe for name, recipe in recipes.items() if what in recipe}
        if not told:  # not every machine is asked for bfloat16
            continue
        title = TITLES.get(what, what.capitalize())
        lines += [f"**{title}**, PyTorch's time / ours: above 1 we are faster", ""]
        lines += _table(
            ("", "ours, ms", *against, "GFLOP/s", "of the machine's"),
            ((_case(name, recipe, what), *_row(recipe, what)) for name, recipe in told.items()),
        )
        lines += _failures(told, what)
    lines += ["**Memory in training**, MiB beyond the imports, at the peak", ""]
    lines += _table(
        (
            "",
            "steps: ours, compiled by this process",
            "ours, compiled before",
            "PyTorch",
            "start and first step: ours, compiling",
            "ours, compiled before",
            "PyTorch",
        ),
        ((f"`{name}`", *_memory(recipe["memory"])) for name, recipe in recipes.items()),
    )
    lines += ["**From nothing**, and whole runs of `train.py`", ""]
    lines += _table(
        (
            "",
            "to the first picture filled, s",
            "to the first step made, s",
            "pictures/s",
            "of the bare step's",
        ),
        ((f"`{name}`", *_whole(recipe)) for name, recipe in recipes.items()),
    )
    return lines


def _where(recipes: dict[str, Any]) -> list[str]:
    """What was measured where, recipes of one day and machine together."""
    told: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        machine = recipe["machine"]
        devices = "no GPU" if machine["device"].startswith("cpu") else machine["device"]
        where = (
            f"{machine['day']}, {machine['cpu']} (shared virtual cores), {devices}; "
            f"Python {machine['python']}, JAX {machine['jax']}, PyTorch {machine['torch']}; "
            f"float32 unless told otherwise; {recipe['rounds']} rounds."
        )
        told.setdefault(where, []).append(f"`{name}`")
    if len(told) == 1:
        return [*told, ""]
    return [*(f"- {', '.join(names)}: {where}" for where, names in told.items()), ""]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = (head, ["---"] * len(head), *rows)
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def _case(name: str, recipe: dict[str, Any], what: str) -> str:
    case = recipe["case"]
    cycle = f", {case['steps']} steps" if what != "filling" and case["steps"] > 1 else ""
    return f"`{name}`, {case['size']}², batch {case['batch']}{cycle}"


def _row(recipe: dict[str, Any], what: str) -> list[str]:
    measured, against = recipe[what], AGAINST[what]
    times, gigaflops = measured["times"], measured["gigaflops"]
    ratios = [_ratio(times[other], times["ours"]) if other in times else "–" for other in against]
    rate = statistics.median(gigaflops / ms * 1e3 for ms in times["ours"])
    # Of each round by itself: what the machine gives changes from round to round.
    best = [min(turn) for turn in zip(*(times[name] for name in PRODUCTS), strict=True)]
    shares = [
        gigaflops / ms * product / recipe["machine"]["product gigaflop"]
        for ms, product in zip(times["ours"], best, strict=True)
    ]
    share = f"{100 * statistics.median(shares):.0f} %"
    return [f"{statistics.median(times['ours']):.0f}", *ratios, f"{rate:.0f}", share]


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """The median of the rounds' ratios, with the least and the greatest."""
    ratios = sorted(a / b for a, b in zip(theirs, ours, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def _failures(recipes: dict[str, Any], what: str) -> list[str]:
    told = [
        f"{way} could not make this of `{name}`: {why}"
        for name, recipe in recipes.items()
        for way, why in recipe[what]["failed"].items()
    ]
    return [*told, ""] if told else []


def _memory(memory: dict[str, dict[str, float]]) -> list[str]:
    return [f"{memory[side][when]:.0f}" for when in ("peak", "getting ready") for side in SIDES]


def _whole(recipe: dict[str, Any]) -> list[str]:
    filling, training, case = recipe["filling"], recipe["training"], recipe["case"]
    bare = case["steps"] * case["batch"] / statistics.median(training["times"]["ours"]) * 1e3
    return [
        f"{filling['ready']:.0f}",
        f"{training['ready']:.0f}",
        f"{recipe['whole']:.1f}",
        f"{100 * recipe['whole'] / bare:.0f} %",
    ]


def draw(recipes: dict[str, Any], path: Path) -> None:
    """What a picture costs by its side, by how many are filled at once, and by its hole.

    Medians, with bars from the least to the greatest of the rounds.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    labels = {
        "side": "side of the picture, one at a time",
        "batch": "pictures filled at once, 128²",
        "hole": "share of the picture that is missing, 128²",
    }
    for axis, (key, label) in zip(axes, labels.items(), strict=True):
        for i, (name, recipe) in enumerate(recipes.items()):
            if key in recipe["sweeps"]:
                points = {float(x): rounds for x, rounds in recipe["sweeps"][key].items()}
                middle = [statistics.median(rounds) for rounds in points.values()]
                least = [m - min(r) for m, r in zip(middle, points.values(), strict=True)]
                most = [max(r) - m for m, r in zip(middle, points.values(), strict=True)]
                style = {"marker": "o", "capsize": 3, "color": f"C{i}", "label": name}
                axis.errorbar(list(points), middle, yerr=(least, most), **style)
        axis.set(xlabel=label, ylabel="ms a picture")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:2]:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.set_yscale("log")
    axes[2].set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    measured = json.loads(MEASURED.read_text())
    PAGE.write_text(page(PAGE.read_text(), measured))
    draw(measured["recipes"], PLOT)
