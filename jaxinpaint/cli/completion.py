"""``jaxinpaint completion``: a script by which a shell completes commands."""

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

Shell = Literal["bash", "zsh"]
# What a run notes for itself.
NOT_TYPED = {"--published-weights", "--pictures"}


def completion(
    shell: Annotated[Shell, tyro.conf.Positional, tyro.conf.arg(metavar="SHELL")], /
) -> None:
    """Print a script that completes verbs, presets, options and their choices.

    For bash: `jaxinpaint completion bash > ~/.local/share/bash-completion/completions/jaxinpaint`.
    For zsh: the same into the file _jaxinpaint in a folder of `fpath`, such as ~/.zfunc. Both hold
    from the next shell on. Options of train and doctor are completed after a preset.

    Args:
        shell: bash or zsh.
    """
    print(script(shell))


def script(shell: Shell) -> str:
    """The script of a shell."""
    import contextlib
    import io

    from jaxinpaint.cli import PROG, VERBS

    verbs: dict[str, Callable[..., Any]] = {**VERBS, **_of_runs()}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        tyro.extras.subcommand_cli_from_dict(
            dict(sorted(verbs.items())), prog=PROG, args=["--tyro-print-completion", shell]
        )
    tidied = re.sub(
        r"^COMPLETION_SPEC = (.*)$",
        lambda line: f"COMPLETION_SPEC = {_tidied(ast.literal_eval(line[1]))!r}",
        printed.getvalue(),
        flags=re.MULTILINE,
    )
    # Where it offers nothing, bash itself completes names of files.
    return tidied.replace("complete -F ", "complete -o default -F ")


def _tidied(verb: Mapping[str, Any]) -> dict[str, Any]:
    """What can be typed after a verb, with descriptions of one line: shells take each for a word.

    Args:
        verb: options and further verbs, as tyro tells them to its script.
    """
    options = [
        {**option, "description": " ".join(option["description"].split())}
        for option in verb["options"]
        if not (option.get("nargs") == "*" and NOT_TYPED & set(option["flags"]))
    ]
    further = {name: _tidied(inner) for name, inner in verb["subcommands"].items()}
    described = {
        name: {**inner, "description": " ".join(inner["description"].split())}
        for name, inner in further.items()
    }
    return {**verb, "options": options, "subcommands": described}


def _of_runs() -> dict[str, Callable[..., None]]:
    """What stands for the verbs that read their options themselves: functions of these options."""
    from jaxinpaint.cli.presets import PRESETS

    presets = tyro.extras.subcommand_type_from_defaults(
        {name: config for name, (_, config) in PRESETS.items()},
        {name: about for name, (about, _) in PRESETS.items()},
        prefix_names=False,
    )

    def train(
        *,
        config: Any,
        run: Path | None = None,
        resume: Path | None = None,
        coordinator: str | None = None,
        processes: int | None = None,
        process: int | None = None,
    ) -> None:
        """Train a network."""

    def doctor(
        *,
        config: Any,
        run: Path | None = None,
        seconds: float = 60.0,
        pictures: int = 1000,
        json: bool = False,
    ) -> None:
        """Look for what would spoil a run."""

    for verb in (train, doctor):
        # A preset is a word of its own, and the names of its options have nothing before them.
        verb.__annotations__["config"] = tyro.conf.AvoidSubcommands[
            Annotated[presets, tyro.conf.arg(name="")]
        ]
    return {"train": train, "doctor": doctor}
