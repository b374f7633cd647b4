"""Recommenders that count, and how to tune and join them; none needs PyTorch.

Public names, by module:

    by_rules: recommend_by_rules
    by_text: Borrowed, ContentNeighbours, RestrictedRecommender, validation_score_of_new_items
    counting: AssociationRules, Ease, ItemNeighbours, MarkovChain, PersonalPopularity, Popularity, SequentialRules
    experts: Expert, Fusion, Precomputed, choose_weight, product_of_experts
    hybrid: choose_hybrid
    item_weights: ItemScores, ItemWeights, Profile
    new_items: hidden_before, hide_items, launched_items, new_customers, new_or_hidden
    pages: judge_pages, page_links, partners_of, taken_along
    promotion: FEWEST_WEEKS, co_movement, promotions, remove_common, usual_correlation, weekly_sales, weeks_of
    reasons: ExpertReasons, ModelReasons, RuleReasons
    rerank: Diversified, RuleReranker, similarities
    shelf: link_weights, mean_distance, seriate
    similarity: Similarity, nearest_items, share_alike
    tuning: BASELINES, choose_setting, make_baseline, tune_baseline, validation_score
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "by_rules": "recommend_by_rules",
        "by_text": "Borrowed ContentNeighbours RestrictedRecommender validation_score_of_new_items",
        "counting": "AssociationRules Ease ItemNeighbours MarkovChain PersonalPopularity Popularity SequentialRules",
        "experts": "Expert Fusion Precomputed choose_weight product_of_experts",
        "hybrid": "choose_hybrid",
        "item_weights": "ItemScores ItemWeights Profile",
        "new_items": "hidden_before hide_items launched_items new_customers new_or_hidden",
        "pages": "judge_pages page_links partners_of taken_along",
        "promotion": "FEWEST_WEEKS co_movement promotions remove_common usual_correlation weekly_sales weeks_of",
        "reasons": "ExpertReasons ModelReasons RuleReasons",
        "rerank": "Diversified RuleReranker similarities",
        "shelf": "link_weights mean_distance seriate",
        "similarity": "Similarity nearest_items share_alike",
        "tuning": "BASELINES choose_setting make_baseline tune_baseline validation_score",
    },
)
