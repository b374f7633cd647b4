"""The corner shop: a simulated shop whose rules are planted, so that one can tell what a method finds.

Public names, by module:

    simulate: generate, on_errand, planted_rules, planted_structure, range_items, truth, write
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "simulate": "generate on_errand planted_rules planted_structure range_items truth write",
    },
)
