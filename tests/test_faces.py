"""Large libraries load without Python searching what they make, again and again."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("enabled", [True, False])
def test_the_search_for_unreachable_objects_is_as_it_was_and_leaves_out_what_was_loaded(enabled: bool):
    code = f"""
import gc
{"gc.enable" if enabled else "gc.disable"}()
from llmarm_tutorial import models
assert gc.get_freeze_count() == 0
models.ItemModel
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
before = gc.get_freeze_count()
models.Recipe  # loaded already, or small
assert gc.get_freeze_count() == before
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.stdout.split() == [str(enabled), str(enabled)], done.stderr
