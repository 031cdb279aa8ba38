"""``jaxinpaint doctor``: what would spoil a run, before it starts."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxinpaint.cli.assembling import Assembly
    from jaxinpaint.data.sources import Source
    from jaxinpaint.doctor.findings import Finding
    from jaxinpaint.run_config import RunConfig

READING_SECONDS = 5.0
DESCRIPTION = (
    "Look for what would spoil a run: bad, small, grey or doubled pictures, held-out ones that are "
    "trained on, swapped masks, devices, precision, disk, memory, reading that is too slow, and a "
    "network that can't learn one batch by heart.\n\n"
    "--seconds N: how long to train on one batch (60).\n"
    "--pictures N: how many files of a source are looked at (1000).\n"
    "--json: findings for machines.\n\n"
    "The exit code is 0 if all is well, 1 after a warning, 2 if a run should not be started. All "
    "other options are those of `jaxinpaint train`."
)


def doctor(arguments: Sequence[str]) -> None:
    """Look for what would spoil a run: `jaxinpaint doctor [PRESET] --data.source photos/`."""
    from jaxinpaint.cli.choosing import chosen
    from jaxinpaint.doctor.findings import LEVELS, line, worst

    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--seconds", type=float, default=60.0)
    first.add_argument("--pictures", type=int, default=1000)
    first.add_argument("--json", action="store_true")
    first.add_argument("--run", type=Path, default=Path("runs"))
    own, rest = first.parse_known_args(arguments)
    if own.seconds < 0 or own.pictures < 1:
        raise ValueError("--seconds must be at least 0, and --pictures at least 1")
    _, config, _ = chosen(rest, prog="jaxinpaint doctor", description=DESCRIPTION)
    findings = []
    for finding in examine(config, folder=own.run, most=own.pictures, seconds=own.seconds):
        findings.append(finding)
        if not own.json:
            print(line(finding), flush=True)
    level = worst(finding.level for finding in findings)
    if own.json:
        told = [finding._asdict() for finding in findings]
        print(json.dumps({"worst": level, "findings": told}, indent=1))
    sys.exit(LEVELS.index(level))


def examine(config: "RunConfig", *, folder: Path, most: int, seconds: float) -> Iterator["Finding"]:
    """All findings about a run.

    Args:
        config: of the run.
        folder: in which it goes.
        most: how many files of a source are looked at.
        seconds: how long to train on one batch.
    """
    from jaxinpaint.cli.assembling import abstract_state, assemble, check_steps
    from jaxinpaint.doctor import machine
    from jaxinpaint.doctor.findings import Finding

    yield from _of_data(config, most)
    yield from _or_why_not("devices", machine.examine_devices())
    try:
        parts = assemble(config)
        check_steps(parts.recipe, parts.config, parts.placement)
    except (ValueError, OSError, RuntimeError, ModuleNotFoundError) as error:
        yield Finding("config", "fail", "this run can't start", str(error))
        return
    state = abstract_state(parts.recipe, config.data)
    yield machine.examine_disk(folder, state, config.loop.keep)
    yield from _or_why_not("trial", _of_trial(parts, most, seconds))


def _of_data(config: "RunConfig", most: int) -> Iterator["Finding"]:
    """Findings about pictures and holes."""
    from jaxinpaint.data.examples import held_out_source
    from jaxinpaint.data.sources import open_source
    from jaxinpaint.doctor import holes, pictures

    data = config.data
    # Of the pictures, once they are looked at.
    training: list[tuple[Source, pictures.Looked]] = []

    def of_pictures() -> Iterator["Finding"]:
        source = open_source(data.source)
        looked = pictures.look(source, most)
        training.append((source, looked))
        yield from pictures.examine(looked, data)

    def of_held_out() -> Iterator["Finding"]:
        source = held_out_source(data)
        if source is None or not training:
            return
        trained_on, looked = training[0]
        copies = pictures.copies(trained_on, source)
        yield from pictures.examine_held_out(looked, pictures.look(source, most), copies)

    def of_holes() -> Iterator["Finding"]:
        if data.holes is not None:
            yield from holes.examine_files(open_source(data.holes), most)
        else:
            yield from holes.examine_drawn(config.recipe, (data.size, data.size), config.seed)

    yield from _or_why_not("pictures", of_pictures())
    yield from _or_why_not("held out", of_held_out())
    yield from _or_why_not("holes", of_holes())


def _or_why_not(subject: str, findings: Iterator["Finding"]) -> Iterator["Finding"]:
    """Findings, and a failure if they end in one that a user can mend."""
    from jaxinpaint.doctor.findings import Finding

    try:
        yield from findings
    # RuntimeError: what devices raise, such as when their memory is full.
    except (ValueError, OSError, RuntimeError, ModuleNotFoundError) as error:
        yield Finding(subject, "fail", "could not be gone through with", str(error))


def _of_trial(parts: "Assembly", most: int, seconds: float) -> Iterator["Finding"]:
    """Findings about a trial of training."""
    from jaxinpaint.doctor import machine, trial
    from jaxinpaint.doctor.pictures import examine_examples

    config = parts.config
    if config.data.pairs or getattr(config.recipe, "holes", None) == "paired":
        yield from examine_examples(parts.pictures, most)
    with closing(parts.crops_from(0)) as crops:
        read = trial.reading_speed(crops, seconds=READING_SECONDS)
        ready = trial.prepare(
            parts.recipe,
            next(crops),
            parts.placement,
            size=(config.data.size, config.data.size),
            seed=config.seed,
            last=config.loop.steps - 1,
        )
    # Before anything runs: what does not fit would end the program.
    yield from machine.examine_memory(ready.step_bytes, config.data.workers)
    yield from trial.judge(trial.try_out(ready, read=read, seconds=seconds), seconds)
