#!/usr/bin/env bash
# Version: papermill 2.7.0, ipykernel 7.4.0, nbformat 5.11.1
# Expected: a parameter arrives in the notebook as what was given, or is refused; what papermill writes into the
#   executed notebook's metadata is what ran.
# Instead: a tuple arrives as the text of a tuple, and keys of a dictionary that are numbers arrive as text. A loop over
#   `ages = (18, 65)` then runs over eight characters, `by_item[3]` finds nothing; nothing is logged. The metadata say
#   [18, 65] all the same, so the record of the run does not show what ran. Give lists, and keys that are text.
# Output:
#   the notebook says:  ages is str of 8, first is '('; keys are ['1', '3']
#   the metadata say:   ages is list of 2, first is 18
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet papermill==2.7.0 ipykernel==7.4.0 nbformat==5.11.1
"$place/bin/python" -I - <<'END'
import sys
import tempfile
from pathlib import Path

import nbformat
import papermill
from ipykernel.kernelspec import install

KERNEL = {"name": "here", "display_name": "here", "language": "python"}
told = "print(f'ages is {type(ages).__name__} of {len(ages)}, first is {ages[0]!r}; keys are {sorted(by_item)}')"
cells = [
    nbformat.v4.new_code_cell("ages = (0, 1)\nby_item = {}", metadata={"tags": ["parameters"]}),
    nbformat.v4.new_code_cell(told),
]
notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
install(prefix=sys.prefix, kernel_name="here")
with tempfile.TemporaryDirectory() as folder:
    source, executed = Path(folder, "source.ipynb"), Path(folder, "executed.ipynb")
    nbformat.write(notebook, source)
    parameters = {"ages": (18, 65), "by_item": {1: 0.5, 3: 0.25}}
    papermill.execute_notebook(source, executed, parameters=parameters, progress_bar=False)
    done = nbformat.read(executed, as_version=4)
said = done.cells[-1].outputs[0].text.strip()
ages = done.metadata.papermill.parameters.ages
recorded = f"ages is {type(ages).__name__} of {len(ages)}, first is {ages[0]!r}"
print("the notebook says: ", said)
print("the metadata say:  ", recorded)
assert said == "ages is str of 8, first is '('; keys are ['1', '3']", f"the behaviour has changed: {said}"
assert recorded == "ages is list of 2, first is 18", f"the behaviour has changed: {recorded}"
END
