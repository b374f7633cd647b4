"""The item models of the benchmarks: one home, so that all scripts mean the same model by the same name.

All were chosen on validation of seed 1, see `results/next_item.md`. `cpu` needs two
cores and 15 minutes a model, `gpu` a graphics card of 16 GB.
"""

from __future__ import annotations

from dataclasses import replace

from llmarm_tutorial.models.recipes import Recipe

# Of customers who buy baskets: "masked" reads the set of purchases, "causal" their order.
SET = Recipe(objective="masked", positions=False, max_length=128, validate_every=2)
ORDER = replace(SET, objective="causal", positions=True, visits=True)
# The same from little training, a minute of one core, for data sets drawn by the dozen: whole visits are asked for.
BRIEF = Recipe(
    visits=True, whole_visits=True, layers=2, heads=2, feed_forward=128, max_length=64, batch_size=32, epochs=30,
    learning_rate=4e-3, validate_every=6,
)  # fmt: skip
# Of single events, after SASRec and BERT4Rec.
CAUSAL = Recipe(
    layers=2, heads=2, feed_forward=256, dropout=0.1, spread=0.02, popularity=False, copying=False, batch_size=128,
    warmup=0.05, precision="auto", log_every=50,
)  # fmt: skip
MASKED = replace(CAUSAL, objective="masked")
LARGE = {"hidden": 128, "heads": 4, "feed_forward": 512, "learning_rate": 1e-3}
LONG = LARGE | {"max_length": 200, "layers": 3, "patience": 8}

# kind of machine → data → objective → recipe
RECIPES: dict[str, dict[str, dict[str, Recipe]]] = {
    "cpu": {
        "shop": {"masked": replace(SET, epochs=60), "causal": replace(ORDER, epochs=60)},
        "online-retail": {"masked": replace(SET, epochs=50), "causal": replace(ORDER, epochs=24)},
        "movielens-1m": {
            "causal": replace(CAUSAL, epochs=20, validate_every=2),
            "masked": replace(MASKED, max_length=100, last_share=0.1, epochs=40, validate_every=4),
        },
        "beauty": {
            "causal": replace(CAUSAL, dropout=0.3, epochs=8),
            "masked": replace(MASKED, dropout=0.2, last_share=0.3, epochs=16, learning_rate=1e-3, validate_every=2),
        },
    },
    "gpu": {
        "movielens-1m": {
            "causal": replace(CAUSAL, **LONG, dropout=0.2, epochs=80, validate_every=2),
            "masked": replace(MASKED, **LONG, last_share=0.1, epochs=200, validate_every=4),
        },
        "beauty": {
            "causal": replace(CAUSAL, **LARGE, dropout=0.4, epochs=30, patience=6),
            "masked": replace(MASKED, **LARGE, dropout=0.3, last_share=0.3, epochs=100, validate_every=2, patience=8),
        },
    },
}
