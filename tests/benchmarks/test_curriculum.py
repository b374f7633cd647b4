"""The benchmark of two checkouts: it takes turns, and its ratios are those of the medians and of the sums."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "curriculum.py"


@pytest.fixture
def curriculum():
    spec = importlib.util.spec_from_file_location("curriculum", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkouts(tmp_path: Path) -> list[str]:
    for name in ("old", "new"):
        for folder in ("notebooks", "llmarm_tutorial"):
            (tmp_path / name / folder).mkdir(parents=True)
    return [str(tmp_path / "old"), str(tmp_path / "new")]


def test_both_take_turns_and_the_sum_has_its_own_ratio(curriculum, checkouts, monkeypatch, capsys):
    turns = []

    def measure(checkout: Path, lessons: list[str], extra: list[str]):
        turns.append((checkout.name, *lessons))
        seconds = {"03": 10.0, "04": 30.0}[lessons[0]]
        return curriculum.Cost(seconds, seconds / 2) if checkout.name == "old" else curriculum.Cost(seconds / 2, 3.0)

    monkeypatch.setattr(curriculum, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["curriculum.py", *checkouts, "--each", "03", "04", "--repeat", "2"])
    curriculum.main()
    assert turns[:4] == [("old", "03"), ("new", "03"), ("new", "03"), ("old", "03")]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [
        ["03", "10.0", "5.0", "0.50", "5.0", "3.0", "0.60"],
        ["04", "30.0", "15.0", "0.50", "15.0", "3.0", "0.20"],
        ["together", "40.0", "20.0", "0.50", "20.0", "6.0", "0.30"],
    ]


def test_processor_seconds_are_those_of_the_command_and_a_failed_one_ends_it(curriculum, checkouts):
    package = Path(checkouts[0]) / "llmarm_tutorial"
    (package / "__init__.py").write_text("")
    burn = "import sys, time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass\n"
    (package / "__main__.py").write_text(f"{burn}sys.exit(sys.argv[2] == '99')")
    cost = curriculum.measure(Path(checkouts[0]), ["03"], [])
    assert 0.6 <= cost.cpu < cost.wall + 0.1
    with pytest.raises(SystemExit, match=r"run 99 .* failed in"):
        curriculum.measure(Path(checkouts[0]), ["99"], [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([0, 0], "same checkout"),
        ([0, 1, "--each"], "needs the lessons by number"),
        ([0, "nowhere"], "is no checkout"),
    ],
)
def test_mistakes_are_one_sentence(checkouts, arguments, words):
    given = [checkouts[word] if isinstance(word, int) else word for word in arguments]
    done = subprocess.run([sys.executable, str(SCRIPT), *given], capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]


def test_any_command_is_compared(curriculum, checkouts, monkeypatch, capsys):
    for place, seconds in zip(checkouts, ("1", "0"), strict=True):
        Path(place, "go.py").write_text(f"import time; time.sleep({seconds})\n")
    monkeypatch.setattr(sys, "argv", ["curriculum.py", *checkouts, "--command", f"{sys.executable} go.py"])
    curriculum.main()
    name, old, new, ratio, *_ = capsys.readouterr().out.splitlines()[-1].split()
    assert name == "command"
    assert float(old) >= 1
    assert float(ratio) == pytest.approx(float(new) / float(old), abs=0.1)


def test_a_failing_command_and_one_beside_lessons_are_refused(curriculum, checkouts, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["curriculum.py", *checkouts, "--command", "sh -c 'echo why; exit 3'"])
    with pytest.raises(SystemExit, match=r"(?s)failed in .*old:\nwhy"):
        curriculum.main()
    monkeypatch.setattr(sys, "argv", ["curriculum.py", *checkouts, "03", "--command", "true"])
    with pytest.raises(SystemExit):
        curriculum.main()
    assert "takes the place of lessons" in capsys.readouterr().err
