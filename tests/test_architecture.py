"""Who may import whom."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jaxinpaint"

# A room may import from these, from itself, and from no other.
ROOMS = {
    "array_typing": set(),
    "names": set(),
    "whole_files": set(),
    "ops": {"array_typing"},
    "objectives": {"array_typing", "ops"},
    "nets": {"array_typing", "ops"},
    "masks": {"array_typing", "ops"},
    "evaluation": {"array_typing", "ops", "masks", "data.pictures"},
    "recipes": {"array_typing", "ops", "objectives", "nets", "masks"},
    "data": {"array_typing", "ops", "recipes.base"},
    "training": {"array_typing", "compiling", "ops", "recipes.base", "recipes.fitting"},
    "doctor": {
        "array_typing",
        "data",
        "evaluation",
        "masks",
        "objectives",
        "ops",
        "recipes",
        "training",
    },
    "interop": {"array_typing", "compiling", "ops", "nets", "recipes", "evaluation.lpips"},
    "windows": {"array_typing", "recipes.base"},
    "sizes": {"recipes.base"},
    "tiles": {"array_typing"},
    "memory": {"array_typing", "recipes.base", "sizes"},
    "run_config": {"array_typing", "data", "masks", "recipes", "training"},
    "trained": {"array_typing", "interop", "recipes", "run_config", "training"},
    "photos": set(),
    "ready": set(),
    "compiling": set(),
    "keeping_compiled": {"interop"},
    "exported": {"array_typing", "compiling", "interop", "photos", "recipes"},
    "inpainter": {
        "array_typing",
        "compiling",
        "exported",
        "interop",
        "memory",
        "photos",
        "ready",
        "recipes.base",
        "sizes",
        "tiles",
        "trained",
        "windows",
    },
    "demo": {"array_typing", "data", "evaluation.baselines"},
    "translator": {
        "array_typing",
        "compiling",
        "exported",
        "interop",
        "photos",
        "recipes.base",
        "sizes",
        "trained",
    },
}
# The doors may use every room.
DOORS = {"cli", "__init__", "__main__"}


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, without the package's name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("jaxinpaint.") for name in found if name.startswith("jaxinpaint.")}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = room_of(path)
    if room in DOORS:
        return
    allowed = ROOMS[room] | {room, "names", "whole_files"}
    strangers = {name for name in imports(path) if not any(within(name, a) for a in allowed)}
    assert not strangers


def test_only_nets_import_flax() -> None:
    for path in files():
        modules = {
            module.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for module in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        assert "flax" not in modules or room_of(path) == "nets", path


def test_there_is_a_rule_for_every_room() -> None:
    rooms = {room_of(path) for path in files()}
    assert rooms == ROOMS.keys() | DOORS
