"""Every figure of the lessons, in one style.

Public names, by module:

    classify: figures of the lesson that fine-tunes a model for a task: reports, quality against size and labels,
        settings
    crossover: the figure of the crossover: where a model passes counting, as the dial of the corner shop is turned
    distil: figures of the lesson on distillation and compression: quality against cost, methods over seeds, soft
        labels
    graphs: figures of the lesson on the graph of products: the graph, one product's surroundings, groups, middles,
        new links
    house_style: one look for all figures: colours, markers, fonts, axes
    mining: figures of the lessons that count: sales, the cost of mining, rules and their networks, rules that hold
        or not
    models: figures of the item models: learning, maps of embeddings, growth, quality against time
    readout: figures of the lesson that reads rules out of a model: errors by support, agreement, calibration, cost
    recommend: figures of the lesson on recommending: trade-offs, overlaps, groups of customers, waiting times
    sequences: figures of customers over time: their visits, what follows what, and scores of systems that foretell
        it
    shop: figures of what a shop does with associations: pages, shelves, promotions, sales that move together
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "classify": "",
        "crossover": "",
        "distil": "",
        "graphs": "",
        "house_style": "",
        "mining": "",
        "models": "",
        "readout": "",
        "recommend": "",
        "sequences": "",
        "shop": "",
    },
)
