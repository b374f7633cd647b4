"""A table of purchases, where it comes from, and what each user did.

Public names, by module:

    histories: Histories
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "histories": "Histories",
    },
)
