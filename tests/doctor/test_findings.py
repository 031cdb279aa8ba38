import pytest

from jaxinpaint.doctor.findings import Finding, Level, judged, line, some, worst


@pytest.mark.parametrize(
    ("levels", "level"),
    [([], "ok"), (["ok"], "ok"), (["ok", "warn"], "warn"), (["fail", "ok", "warn"], "fail")],
)
def test_the_worst_level_counts(levels: list[Level], level: Level) -> None:
    assert worst(levels) == level


def test_a_finding_is_as_bad_as_its_worst_remedy() -> None:
    assert judged("a", "b") == Finding("a", "ok", "b", "")
    assert judged("a", "b", warn="c") == Finding("a", "warn", "b", "c")
    assert judged("a", "b", warn="c", fail="d") == Finding("a", "fail", "b", "d")


def test_the_table_has_a_line_a_finding_and_what_to_do_below() -> None:
    findings = [Finding("masks", "ok", "12 files"), Finding("leak", "fail", "word " * 40, "mend")]
    told = "\n".join(map(line, findings))
    lines = told.splitlines()
    assert lines[0].split() == ["ok", "masks", "12", "files"]
    assert lines[1].startswith("fail")
    assert told.count("word") == 40
    assert max(map(len, lines)) <= 100
    assert lines[-1].strip() == "-> mend"


def test_of_many_names_the_first_are_told() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
