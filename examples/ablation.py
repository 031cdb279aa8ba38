"""An ablation: the same short training with one term of the loss left out after the other.

    python examples/ablation.py               300 steps each: five minutes on two CPU cores
    python examples/ablation.py --steps 20 --size 32 --width 0.0625     to see it go

Each row of VARIANTS is a run of the real trainer, with these options, in a folder of its own; a run
that is there already is not made again. Out come ablation.png (the held-out score while training,
and at the end) and ablation.csv. One seed tells little: with `--seeds 0 1 2` the bars are means,
and each seed is a dot. Needs matplotlib.
"""

import argparse
import csv
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from jaxinpaint.cli.train import parse, run

VARIANTS: dict[str, list[str]] = {
    "all terms": [],
    "no smoothness": ["--recipe.tv-weight", "0"],
    "hole as known": ["--recipe.hole-weight", "1"],
    "hole alone": ["--recipe.valid-weight", "0"],
    "known alone": ["--recipe.hole-weight", "0", "--recipe.tv-weight", "0"],
}
SCORE = "held_out_psnr"


def scores(folder: Path) -> dict[int, float]:
    """The PSNR of held-out pictures' holes, by step, that a run has noted."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    noted = [json.loads(line) for line in lines]
    return {values["step"]: values[SCORE] for values in noted if SCORE in values}


def draw(curves: dict[str, list[dict[int, float]]], path: Path) -> None:
    """Draws scores over steps, and the last ones as bars with a dot for each seed."""
    figure, (over_steps, at_end) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=[3, 2])
    for row, (name, runs) in enumerate(curves.items()):
        colour = f"C{row}"
        for number, curve in enumerate(runs):
            label = name if number == 0 else None
            over_steps.plot(list(curve), list(curve.values()), "o-", color=colour, label=label)
        last = [list(curve.values())[-1] for curve in runs]
        at_end.barh(row, sum(last) / len(last), color=colour, alpha=0.5)
        at_end.plot(last, [row] * len(last), "o", color=colour)
    ends = [list(curve.values())[-1] for runs in curves.values() for curve in runs]
    at_end.set_xlim(min(ends) - 1, max(ends) + 0.5)
    at_end.set_yticks(range(len(curves)), list(curves))
    at_end.invert_yaxis()
    at_end.set_xlabel("PSNR in holes at the end, dB (axis is cut)")
    over_steps.set_xlabel("step")
    over_steps.set_ylabel("PSNR in held-out pictures' holes, dB")
    over_steps.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    """Trains each variant with each seed, and draws what came of it."""
    parser = argparse.ArgumentParser(description="Leave out terms of a loss, one after the other.")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", default="0.25")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/ablation"))
    chosen = parser.parse_args()
    often = str(max(1, chosen.steps // 6))
    options = [
        *("--steps", str(chosen.steps), "--data.size", str(chosen.size)),
        *("--recipe.layer-size", "5", "--recipe.width", chosen.width),
        *("--log-every", often, "--sample-every", often, "--checkpoint-every", str(chosen.steps)),
    ]
    curves: dict[str, list[dict[int, float]]] = {}
    for name in chosen.only:
        for seed in chosen.seeds:
            folder = chosen.output / f"{name.replace(' ', '-')}-{seed}"
            if not (folder / "held_out.png").exists():
                where = ["--run", str(folder), "--seed", str(seed)]
                run(parse([*where, *options, *VARIANTS[name]]))
            curves.setdefault(name, []).append(scores(folder))
    with (chosen.output / "ablation.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["variant", "seed", "step", SCORE])
        for name, runs in curves.items():
            for seed, curve in zip(chosen.seeds, runs, strict=True):
                table.writerows([name, seed, step, score] for step, score in curve.items())
    draw(curves, chosen.output / "ablation.png")
    print(chosen.output / "ablation.png")


if __name__ == "__main__":
    main()
