"""Fair questions to recommenders, and honest answers: ranks, intervals, comparisons.

Public names, by module:

    comparison: CaseValues, Comparison, MeanOfPooledRuns, MeanOfRuns, changed_places, clear_winner,
        compare, comparison_table, means_table
    groups: also_found, by_history_length, by_kind, by_popularity, by_segment, compare_kinds,
        gain_by_popularity, overlap, popularity_bucket
    intervals: bootstrap, bootstrap_interval
    latency: measure_latency
    metrics: Evaluation, user_vectors
    ranking: evaluate, evaluate_sampled
    tasks: Recommender, Task, gap_task, hide_one_visit, next_item_task
    verdicts: LEVEL, LOSES, WINS, verdict
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "comparison": "CaseValues Comparison MeanOfPooledRuns MeanOfRuns changed_places clear_winner compare "
        "comparison_table means_table",
        "groups": "also_found by_history_length by_kind by_popularity by_segment compare_kinds gain_by_popularity "
        "overlap popularity_bucket",
        "intervals": "bootstrap bootstrap_interval",
        "latency": "measure_latency",
        "metrics": "Evaluation user_vectors",
        "ranking": "evaluate evaluate_sampled",
        "tasks": "Recommender Task gap_task hide_one_visit next_item_task",
        "verdicts": "LEVEL LOSES WINS verdict",
    },
)
