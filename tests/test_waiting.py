"""Two checkouts compared by time: the ratio, in turns, and what cannot be compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import waiting
from waiting import Spent


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """An old checkout whose command sleeps a second, and a new one whose command does not."""
    for name, seconds in (("old", "1"), ("new", "0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.sh").write_text(f"echo {name} >> ../order\nsleep {seconds}\necho slept {seconds}\n")
    return [str(tmp_path / "old"), str(tmp_path / "new")]


def test_ratios_are_of_medians():
    old, new = [Spent(8, 10), Spent(10, 10), Spent(90, 10)], [Spent(4, 20), Spent(5, 20), Spent(6, 20)]
    assert waiting.ratio(old, new, "wall") == 0.5
    assert waiting.ratio(old, new, "cpu") == 2


def test_checkouts_take_turns(two: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    waiting.main([*two, "--command", "sh go.sh", "--rounds", "2"])
    assert (tmp_path / "order").read_text().split() == ["old", "new", "old", "new"]
    printed = capsys.readouterr().out
    wall = [float(seconds) for seconds in re.findall(r"(?:old|new): ([\d.]+) s", printed)]
    assert len(wall) == 4
    assert wall[0] >= 1
    assert wall[2] >= 1
    assert re.search(r"new / old: 0\.\d\d of the time", printed)
    logs = Path(re.search(r"goes to (\S+)", printed)[1])
    assert (logs / "old-1.txt").read_text() == "slept 1\n"


def test_a_failing_command_is_no_time(two: list[str]):
    with pytest.raises(SystemExit, match=r"failed in .*old with code 3; see .*old-1\.txt"):
        waiting.main([*two, "--command", "sh -c 'exit 3'"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["nowhere", "."], "nowhere is not a folder"), ([".", ".", "--rounds", "0"], "at least 1")],
)
def test_what_cannot_be_compared_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        waiting.main(arguments)
    assert complaint in capsys.readouterr().err
