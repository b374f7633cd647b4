"""Sequential rules as a recommender."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from llmarm_tutorial.data.table import item_labels
from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.recommend.item_weights import ItemWeights, Profile


def recommend_by_rules(
    rules: pd.DataFrame, items: pd.DataFrame, *, by: str = "confidence", last: int = 3, label: str = "item_id"
) -> ItemWeights:
    """A recommender that adds up a measure over the rules which the last visits set off.

    Args:
        rules: Rules with one item on each side.
        items: Item table that labels the items of the rules.
        by: The measure that is added up, a numeric column.
        last: Rules are set off by the items of the last so many visits.
        label: Column of the item table that names the items in the rules.

    Raises:
        BadParameter: If a rule has several items on a side, or there is no such column.
    """
    if by not in rules or by in ("antecedent", "consequent"):
        raise BadParameter(f"The rules have no measure {by!r}; choose one of: {', '.join(rules.columns[2:])}.")
    if any(len(side) != 1 for name in ("antecedent", "consequent") for side in rules[name]):
        raise BadParameter("A recommender is made of rules with one item on each side; select those first.")
    code = {name: number for number, name in enumerate(item_labels(items, label))}
    sides = [np.array([code[next(iter(side))] for side in rules[name]], dtype=int) for name in rules.columns[:2]]
    values = rules[by].to_numpy(dtype=np.float32)
    weights = sparse.csr_matrix((values, tuple(sides)), shape=(len(items), len(items)))
    return ItemWeights(f"rules by {by}", len(items), Profile(last, 0.0, once=True), weights)
