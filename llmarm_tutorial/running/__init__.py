"""What runs notebooks: the command line, batches, reports, verification.

Public names, by module:

    cli: the command `llmarm`. Every command imports what it needs when it is called, so that `--help` answers at
        once
    doctor: what the kit runs on: hardware and versions for the record, and a check-up that says what to mend and
        how
    execution: execute one lesson: papermill runs the notebook; what came of it is written into the run's folder
    lessons: the lessons: which exist, which parameters they declare, and what a profile sets
    machine: what this process may use of the machine: cores, memory, and how fast it is now
    own_copies: a learner's own copies of lessons and exercises, in a folder that git ignores and that nothing here
        overwrites
    parameters: parameters of lessons: what a notebook declares, and the value that a text, a plan or a profile gives
        to one
    plan: batches: a grid of lessons × data sets × parameters × seeds, executed once each, and one table of what
        came out
    pool: execute runs on several processes, so that no run can take the others along
    reference: the stored reference of each profile: what lessons recorded, and the time, memory and machine that
        this took
    report: one page about a folder of runs: results, figures, failures, hardware. A single HTML file that needs
        nothing else
    run_folder: the folder of one run: what belongs into it, and how it is written so that no crash leaves half a
        truth
    schedule: before runs are executed: how many at the same time, in which order, and how long all of them will
        take
    speed: a fixed small piece of work whose time says how fast a machine is
    verify: do the numbers reproduce? A run against the reference results of its profile, within each result's own
        tolerance
"""

import sys

from llmarm_tutorial.faces import face

# nbformat loads jsonschema, and that compiles a grammar of internationalised addresses, a second in every process; no
# notebook has one to check, and jsonschema does without it
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "cli": "",
        "doctor": "",
        "execution": "",
        "lessons": "",
        "machine": "",
        "own_copies": "",
        "parameters": "",
        "plan": "",
        "pool": "",
        "reference": "",
        "report": "",
        "run_folder": "",
        "schedule": "",
        "speed": "",
        "verify": "",
    },
)
