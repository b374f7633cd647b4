"""Tasks with labels made from purchases, what counting makes of them, and scores.

Public names, by module:

    baselines: LogisticOnCounts, TreesOnCounts, majority
    customer_tasks: customer_segments, returning_customers, soon_returning_customers
    product_tasks: holding_rules, same_category_pairs
    scores: ClassScores, choose_threshold, score_table
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "baselines": "LogisticOnCounts TreesOnCounts majority",
        "customer_tasks": "customer_segments returning_customers soon_returning_customers",
        "product_tasks": "holding_rules same_category_pairs",
        "scores": "ClassScores choose_threshold score_table",
    },
)
