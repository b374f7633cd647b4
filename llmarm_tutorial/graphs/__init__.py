"""Products as a graph: links that counting and networks predict, and recommendations over it.

Public names, by module:

    common_neighbours: second_step
    fusion: Walks, by_links, gain_of_graph, with_recency
    item_graph: ItemGraph, chance_pairs, co_occurrence_graph, hops, strongest, transition_graph
    lightgcn: GraphBatches, GraphLoss, GraphRecommender, LightGCN, normalised_adjacency, propagate,
        published_settings
    link_counting: choose_link_scores, joined_scores, neighbours, own_counts
    link_evaluation: by_support, evaluate_links
    link_networks: fit_links
    link_prediction: fit_past, predict_links
    link_tasks: LinkDefinition, hide_links, make_link_tasks
    structure: NO_COMMUNITY, against_sales, agreement, centrality, communities
    text_links: TextLinks
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "common_neighbours": "second_step",
        "fusion": "Walks by_links gain_of_graph with_recency",
        "item_graph": "ItemGraph chance_pairs co_occurrence_graph hops strongest transition_graph",
        "lightgcn": (
            "GraphBatches GraphLoss GraphRecommender LightGCN normalised_adjacency propagate published_settings"
        ),
        "link_counting": "choose_link_scores joined_scores neighbours own_counts",
        "link_evaluation": "by_support evaluate_links",
        "link_networks": "fit_links",
        "link_prediction": "fit_past predict_links",
        "link_tasks": "LinkDefinition hide_links make_link_tasks",
        "structure": "NO_COMMUNITY against_sales agreement centrality communities",
        "text_links": "TextLinks",
    },
)
