"""What stands in a notebook: the ledger of results, exercises that check themselves, widgets.

Public names, by module:

    answers: what an exercise is, and what is wrong with an answer
    check: exercises that check themselves: a learner hands in a value and is told what is right, or what to think
        about
    claims: what the literature claims, each with the test that was written down before its results: `claims.toml` as
        objects
    crossover: crossover_twin
    ledger: the ledger: what a lesson measured, kept inside its executed notebook
    libraries: library_answers
    listing: show_code
    needs: material, require_at_least, require_choices, require_enough, require_sequences
    prose: against, each_against, left_out, number, plain, say, signed
    recorded: recorded_answers, recorded_claims, recorded_crossover, recorded_rows
    widgets: interactive twins of what a lesson shows: try other inputs where a kernel runs, read a table where none
        does
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "answers": "",
        "check": "",
        "claims": "",
        "crossover": "crossover_twin",
        "ledger": "",
        "libraries": "library_answers",
        "listing": "show_code",
        "needs": "material require_at_least require_choices require_enough require_sequences",
        "prose": "against each_against left_out number plain say signed",
        "recorded": "recorded_answers recorded_claims recorded_crossover recorded_rows",
        "widgets": "",
    },
)
