"""What several processes are told by, and what one alone makes of it."""

import pytest

from jaxinpaint.training.processes import from_first, is_first, join, require_alike


@pytest.mark.parametrize(
    ("coordinator", "numbers", "message"),
    [
        ("localhost", {"processes": 2, "process": 0}, "it is HOST:PORT of the first process"),
        (":123", {"processes": 2, "process": 0}, "it is HOST:PORT"),
        ("host:port", {"processes": 2, "process": 0}, "it is HOST:PORT"),
        ("host:123", {}, "needs --processes N, how many there are, and --process"),
        ("host:123", {"processes": 2}, "needs --processes N"),
        ("host:123", {"processes": 2, "process": 2}, "from 0 to N - 1"),
        ("host:123", {"processes": 2, "process": -1}, "from 0 to N - 1"),
        ("auto", {"processes": 2}, "finds out --processes by itself"),
        ("auto", {"processes": 2, "process": 0}, "finds out --processes and --process by itself"),
    ],
)
def test_mistakes_are_told_before_anything_is_waited_for(
    coordinator: str, numbers: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        join(coordinator, **numbers)


def test_one_process_is_the_first_and_agrees_with_itself() -> None:
    assert is_first()
    assert from_first("runs/mine") == "runs/mine"
    require_alike("a config", "the config")
