"""A table of purchases, where it comes from, and what each user did.

Public names, by module:

    catalogue: entries, names
    histories: Histories
    loading: check, load
    own_files: read_table
    shop: the corner shop: a simulated shop whose rules are planted, so that one can tell what a method finds
    stand_ins: in_baskets
    thinning: thin
    transactions: Split, Transactions
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "catalogue": "entries names",
        "histories": "Histories",
        "loading": "check load",
        "own_files": "read_table",
        "shop": "",
        "stand_ins": "in_baskets",
        "thinning": "thin",
        "transactions": "Split Transactions",
    },
)
