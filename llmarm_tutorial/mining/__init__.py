"""Itemsets, rules and sequential patterns by counting, and whether they hold.

Public names, by module:

    antecedents: band_names, draw_parts, draw_questions, gather, padded
    confidence: raw_confidence, shrunk_confidence
    eclat_search: eclat
    itemsets: Itemsets, as_matrix, pack_columns
    judged: JudgedEstimate
    judging: COUNT_ESTIMATES, PRIOR_DOUBTS, Trial, best_of, by_band, confidence_losses,
        count_estimates, mean_losses, tune_confidence, wide_by_band
    measures: lift
    miners: apriori, compare_miners, generate_candidates, mine, suggest_support
    patterns: Patterns, mine_sequences, prefixspan, transactions_from_lists
    rule_checks: against_truth, average_precision, kept_by_evidence, precision_at_each, rank_rules, recount,
        without_redundant
    rules: in_words, mine_rules, pair_rules, readable, rules_from_itemsets
    sequence_rules: follow_rules, followed_by, lift_by_gap, readable_sequences, rules_from_patterns
    significance: lift_within, pair_tests, rule_significance
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "antecedents": "band_names draw_parts draw_questions gather padded",
        "confidence": "raw_confidence shrunk_confidence",
        "eclat_search": "eclat",
        "itemsets": "Itemsets as_matrix pack_columns",
        "judged": "JudgedEstimate",
        "judging": (
            "COUNT_ESTIMATES PRIOR_DOUBTS Trial best_of by_band confidence_losses count_estimates "
            "mean_losses tune_confidence wide_by_band"
        ),
        "measures": "lift",
        "miners": "apriori compare_miners generate_candidates mine suggest_support",
        "patterns": "Patterns mine_sequences prefixspan transactions_from_lists",
        "rule_checks": (
            "against_truth average_precision kept_by_evidence precision_at_each rank_rules recount without_redundant"
        ),
        "rules": "in_words mine_rules pair_rules readable rules_from_itemsets",
        "sequence_rules": "follow_rules followed_by lift_by_gap readable_sequences rules_from_patterns",
        "significance": "lift_within pair_tests rule_significance",
    },
)
