# %% [markdown]
# # 08 · Run the shop
#
# *Question: What does a shop do with a rule, and when does a true rule give a wrong answer?*
#
# Rules and models are worth what a shop does with them. This lesson puts them to work: on product
# pages, on a shelf, in a promotion that looks good on paper, in an order of stock, and before a customer
# who waits. Each use gets a number that says how good it is. In every one of them a true rule can mislead.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | fill product pages and a shelf from counted links | why evidence matters more than strength | [01 Count what goes together](01_count_what_goes_together.ipynb); [06 Recommend](06_recommend.ipynb) helps |
# | predict what a promotion sells, and order stock | what a common season does to a forecast | 50 minutes, under 2 GB of memory, no GPU |
# | time what one customer waits; try baskets of your own | what a model costs at the till, and what its reasons are worth | {run_time} |
#
# The lesson works on the **corner shop** only, for there we know which links are true. All its tools are
# functions of the package (`llmarm_tutorial.recommend`) and take the baskets of any shop.

# %% tags=["hide"]

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from llmarm_tutorial import evaluation, figures, mining, models, recommend
from llmarm_tutorial.data import Histories, load, shop
from llmarm_tutorial.evaluation import next_item_task
from llmarm_tutorial.lesson import check, ledger, plain, say, widgets

# %% tags=["hide"]
figures.house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # waiting times are those of one core
pd.options.display.float_format = "{:.4g}".format
pd.options.display.max_colwidth = None

# %% [markdown]
# The next cell holds what you can change: change a value, run all cells, look at what moved.
#
# {parameters}

# %% tags=["parameters"]
SEED: int = 1  # of weights, masks, draws and bootstraps
PAGES: int = 100  # products that get a page with recommendations
SHELF: int = 150  # products that are put on the shelf
BUYERS: int = 100  # extra buyers that a promotion brings
EPOCHS: int = 8  # passes over the data for a model whose weights are not kept
MAX_CASES: int = 1000  # customers whose next visit serves to learn the hybrid

# %% [markdown]
# ## 1. The product page
# "Bought along with it": three products beside each product. Which three? Links are counted in the first
# part of the time and judged by the baskets of the last part, as a shop must do it: a page of today
# meets the customers of tomorrow. (The part between the two serves for choices.)

# %%
data = load("shop")
now, then, later = (part.basket_matrix() for part in data.split_by_time(0.1, 0.2))
names = np.array(data.labels("name"), dtype=object)
for part, baskets in {"to count": now, "to choose": then, "to judge": later}.items():
    print(f"{part}: {baskets.shape[0]:,} baskets × {baskets.shape[1]} products")

# %% [markdown]
# Three ways to order the partners of a product:
#
# - by **confidence**, shrunk towards what everybody buys, as in lesson 04;
# - by **lift**: how many times more often than by chance the two are together;
# - by the **lower end of the interval** of the lift, which asks: how many times, *at the very least*?

# %%
links = recommend.page_links(now)
sales = np.bincount(now.indices, minlength=len(names))
most_sold = np.argsort(-sales, kind="stable")
with_partners = set(links["item"])
on_page = [int(item) for item in most_sold if item in with_partners][:PAGES]
links.head(3)


# %% [markdown]
# An example: of the products with strong links, the first one for which lift and its lower end have no
# partner in common.


# %%
def listed_by(item: int, by: str) -> list[int]:
    """Three partners of a product."""
    return recommend.partners_of(links, item, 3, by)["partner"].tolist()


def differs(item: int) -> bool:
    """Whether lift and its lower end have no partner in common."""
    return not {*listed_by(item, "lift")} & {*listed_by(item, "lift_low")}


strongest = links.assign(extra=(links["together"] * (1 - 1 / links["lift"])).round(6))
strongest = strongest.sort_values(["extra", "baskets"], ascending=False, kind="stable")
product = int(strongest["item"].iloc[0])
example = int(next(filter(differs, strongest["item"].unique()), product))

# %%
measures = {"confidence, shrunk": "shrunk", "lift": "lift", "lift, lower end": "lift_low"}
page = pd.concat(
    {way: recommend.partners_of(links, example, 3, by) for way, by in measures.items()},
    names=["chosen by", "place"],
)
page["partner"] = names[page["partner"]]
print(f"the page of {names[example]}, in {sales[example]:,} baskets")
page[["partner", "together", "confidence", "shrunk", "lift", "lift_low"]]

# %% [markdown]
# Pages of bestsellers compete, too. A page is *taken* if a later basket with the product holds one of the
# three. Compared with: how often do baskets *without* the product hold one?

# %%
best = most_sold[:4].tolist()
ways = {"bestsellers": {item: [j for j in best if j != item][:3] for item in on_page}}
for way, by in measures.items():
    ways[way] = {item: listed_by(item, by) for item in on_page}
taken = {way: recommend.taken_along(later, shown) for way, shown in ways.items()}
on_pages = recommend.judge_pages(taken, seed=SEED)
at_random = taken["lift"]["chance"].sum() / taken["lift"]["baskets"].sum()
print(f"three random products: {at_random:.1%} of later baskets with the product hold one")
display(on_pages, figures.shop.pages(on_pages, at_random))

# %%
columns = ["way", "with product", "without product", "ratio", "ratio low", "ratio high"]
of_pages = "\n".join(
    f"- {way}: {with_it:.1%} of the later baskets with the product hold one of the three, "
    f"{without:.1%} of the others: {ratio:.2f} times as many ({low:.2f} to {high:.2f})."
    for way, with_it, without, ratio, low, high in on_pages[columns].itertuples(index=False)
)
say("**What we see.**", of_pages)

# %% [markdown]
# A page of what sells anyway can be taken often and say nothing about its product: look at the ratio. Lift
# alone puts rare products on a page, whatever few baskets they were in; its lower end asks for evidence. And
# one caution: nobody saw these pages. What *showing* a product changes, only an experiment tells.
#
# ## 2. The shelf
# Products that are bought together should stand near each other, or, say other shopkeepers, far apart,
# so that people walk past the rest. Either way one needs an order of the products that knows the links.
# Put product $i$ at place $x_i$ on a line and make
#
# $$\sum_{ij} w_{ij} (x_i - x_j)^2$$
#
# small, where $w_{ij}$ is the number of joint baskets beyond chance. (With $\sum_i x_i = 0$ and
# $\sum_i x_i^2 = 1$, or all would stand in one place.) The answer is an eigenvector of the graph of links,
# the **Fiedler vector**: the order of its entries is the shelf. Another way is a tree of clusters, whose
# branches are turned until neighbouring leaves are as close as the tree allows.
#
# The measure: how many places apart are products that are linked in *later* baskets? In random order, of
# $n$ places, $(n + 1)/3$. By hand, with the order A, B, C and one link A–C: two places.

# %%
stock = np.sort(most_sold[:SHELF])
linked, linked_then, linked_later = (
    recommend.link_weights(part[:, stock]) for part in (now, then, later)
)
label, random = names[stock].astype(str), np.random.default_rng(SEED)
department = data.items["category"].astype(str).to_numpy()[stock]
orders = {
    "alphabetical": np.argsort(label, kind="stable"),
    "by department": np.lexsort((label, department)),
    "spectral": recommend.seriate(linked),
    "clusters": recommend.seriate(linked, "clusters"),
}
print(f"{len(stock)} products, {linked.nnz // 2:,} links between them")

# %%
distance = recommend.mean_distance
shuffled = [distance(random.permutation(len(stock)), linked_later) for _ in range(200)]
apart = pd.DataFrame(
    {
        "chosen on": {way: distance(order, linked_then) for way, order in orders.items()},
        "later baskets": {way: distance(order, linked_later) for way, order in orders.items()},
    }
)
print(f"in random order: {np.mean(shuffled):.1f} places ± {np.std(shuffled):.1f}, ", end="")
print(f"by formula {(len(stock) + 1) / 3:.1f}")
best_order = apart.loc[["spectral", "clusters"], "chosen on"].idxmin()
display(apart, figures.shop.shelves(orders, linked_later, apart["later baskets"].to_dict()))

# %%
in_order = label[orders[best_order]][: 3 * 8]
print(f"the first {len(in_order)} products on the shelf, {best_order}:")
stretch = {f"from place {n + 1}": in_order[n : n + 8] for n in range(0, len(in_order), 8)}
display(pd.DataFrame.from_dict(stretch, orient="index").fillna(""))
distances = "; ".join(f"{way} {places:.1f}" for way, places in apart["later baskets"].items())
say(
    f"**What we see.** Places between linked products, in later baskets: {distances}; at "
    f"random {np.mean(shuffled):.1f}. The baskets before them choose {best_order}."
)

# %% [markdown]
# In the panels a dot is a link in later baskets, its size the strength of the link; dots on the diagonal
# are links between neighbours on the shelf. Not all can be there: a line has only two sides, and a product
# with many partners cannot stand beside them all.
#
# ## 3. The promotion
# A coupon brings a hundred more buyers of $a$. How many more will buy $b$? The obvious forecast:
#
# $$\text{extra sales of } b = \bigl(P(b \mid a) - P(b \mid \text{not } a)\bigr) \times \text{extra buyers}.$$
#
# It is right if having $a$ is what brings people to $b$, and wrong if both only come at the same time. So
# compare baskets *of the same week*, and average the differences of the weeks $s$ with weights
# $n_{1s} n_{0s} / (n_{1s} + n_{0s})$, from the numbers of baskets with and without $a$ (Mantel and
# Haenszel). By hand, with two seasons and baskets that hold $b$:

# %% tags=["nbval-check-output"]
by_hand = pd.DataFrame(
    {"with a": [20, 80], "b among them": [2, 40], "without a": [80, 20], "b there": [8, 10]},
    index=["winter", "summer"],
)
both = by_hand.sum()
naive = both["b among them"] / both["with a"] - both["b there"] / both["without a"]
within = by_hand["b among them"] / by_hand["with a"] - by_hand["b there"] / by_hand["without a"]
print(f"together {naive:.2f}, so {100 * naive:.0f} extra sales; within a season", end=" ")
print(" and ".join(f"{difference:.2f}" for difference in within))
by_hand

# %% [markdown]
# Both are bought more in summer, and that is all. In the shop we try six pairs: three planted rules, and
# three pairs that are planted as *confounded*. Two of these share a season, the last only popularity; their
# true extra sales are 0.

# %%
code = {item: number for number, item in enumerate(data.items["item_id"])}
planted = shop.planted_rules(["confounded", "same_basket"]).set_index("id")
planted = planted.loc[["S01", "S04", "S08", "C01", "C02", "C03"]]
truth = [0.0 if kind == "confounded" else np.nan for kind in planted["kind"]]
pairs = [(code[min(row.antecedent)], code[min(row.consequent)]) for row in planted.itertuples()]
labels = [f"{names[a]} → {names[b]}" for a, b in pairs]
weeks, matrix = recommend.weeks_of(data), data.basket_matrix()
promoted = recommend.promotions(matrix, pairs, BUYERS, weeks)
figures.shop.promotion(promoted, labels, BUYERS, truth)

# %%
shares = ["pair", "way", "with_it", "without", "expected", "expected_low", "expected_high"]
promoted.assign(pair=np.repeat(labels, 2))[shares]

# %%
forecasts = {way: part.set_index([labels]) for way, part in promoted.groupby("way")}
naive, fair = forecasts["naive"], forecasts["within strata"]
lowest_high = np.minimum(naive["expected_high"], fair["expected_high"])
gap = np.maximum(naive["expected_low"], fair["expected_low"]) > lowest_high
wrong = {
    way: int(
        ((part["expected_low"] > 0) | (part["expected_high"] < 0))[np.equal(truth, 0)].sum()
    )
    for way, part in forecasts.items()
}
say(
    "**What we see.** The intervals of the two forecasts lie apart for: "
    f"{'; '.join(map(plain, gap.index[gap])) or 'none of these pairs'}. Of the "
    f"{truth.count(0.0)} pairs whose truth is 0 the naive interval excludes 0 for "
    f"{wrong['naive']}, the interval within weeks for {wrong['within strata']}."
)

# %% [markdown]
# The interval covers only chance, never a wrong question. Weeks are a cause that we could see; against
# causes that nobody recorded there is no formula, only an experiment.
#
# ## 4. The stock
# If $a$ sells more this week, should one order more $b$? Weekly sales of two products can rise and fall
# together for three reasons: they share baskets, they share a season, or the whole shop has a good week. We
# take out the second and the third: each series loses its *running median* of seven weeks (which follows a
# season that begins from one week to the next), and what all sales do together is subtracted by regression.

# %%
by_week = recommend.weekly_sales(matrix, weeks)
rest = recommend.remove_common(by_week)
print(f"{by_week.shape[0]} weeks × {by_week.shape[1]} products")
seasonal = list(pairs[3])
series = {
    "baskets a week": tuple(by_week[:, seasonal].T),
    "square roots, without season and general trade": tuple(rest[:, seasonal].T),
}
figures.shop.together_over_time(series, tuple(str(names[item]) for item in seasonal))

# %% [markdown]
# The same for the six pairs and for the pairs with the most certain links. What do unrelated products
# do? Of all pairs of products 95 % lie within a band around 0: that is the yardstick.

# %%
pool = links[(links["item"] < links["partner"]) & (links["together"] >= 50)]
pool = pool.nlargest(80, "lift_low")[["item", "partner"]].itertuples(index=False, name=None)
listed = list(dict.fromkeys([*((min(pair), max(pair)) for pair in pairs), *pool]))
moves = recommend.co_movement(by_week, listed)
held, n = np.bincount(matrix.indices, minlength=len(names)), matrix.shape[0]
joint = (matrix.T.astype(np.int32) @ matrix.astype(np.int32)).tocsr()
moves["lift"] = [float(mining.lift(joint[a, b], held[a], held[b], n)) for a, b in listed]
moves["pair"] = [f"{names[a]} – {names[b]}" for a, b in listed]
usual = recommend.usual_correlation(rest[:, most_sold[:200]])
display(moves.head(len(pairs))[["pair", "lift", "raw", "adjusted"]])
figures.shop.lift_and_movement(moves, usual, range(len(pairs)))

# %%
six = moves.head(len(pairs))
closest = six.loc[six["raw"].idxmax()]
beyond = ", ".join(map(plain, six.loc[six["adjusted"] > usual, "pair"])) or "none"
say(
    f"**What we see.** Of the six pairs {plain(closest['pair'])} look most alike as they are "
    f"({closest['raw']:.2f}; adjusted {closest['adjusted']:.2f}). Above the grey band of "
    f"±{usual:.2f}, without season and trade: {beyond}; of all {len(moves)} pairs drawn, "
    f"{(moves['adjusted'] > usual).mean():.0%}."
)

# %% [markdown]
# A product's own ups and downs are mostly chance, and weak links can be lost in them. For ordering stock
# the season matters, link or no link. The right panel is at least free of the season; what a *change* in
# $a$ does to $b$ still needs an experiment.
#
# ## 5. The customer waits
# The texts say both: that large models answer in real time, since they compute in parallel [T3], and that
# they are slow and heavy [T1, T2, T4]. Two different questions: how long does *one* customer wait, and how
# many lists does a machine make when it may do many at once? Both on one core, from the history of a
# customer to the ten best products. The systems are those of lesson 06: counting, the item model that reads
# the purchases in their order, and the hybrid that learns how far to trust each.

# %%
split = data.leave_one_out()
past = split.train.histories()
to_choose = next_item_task(split, "validation", max_cases=MAX_CASES, seed=SEED)


def opened(name: str, histories: Histories) -> models.ItemRecommender:
    """A model whose weights are kept, or one that is trained here for a short time."""
    fitted = models.trained(models.RECIPES[name], histories, seed=SEED, epochs=EPOCHS)
    print(f"{name}: {fitted.note}")
    return fitted.recommender


model = opened("next-visit", past)
print(
    f"{len(to_choose):,} customers, who bought {past.lengths.mean():.0f} products in the mean"
)

# %%
counting = {
    name: recommend.make_baseline(name).fit(past)
    for name in ("popularity", "personal", "ar", "ease")
}
experts = [recommend.Expert("model", model, "logits")]
experts += [recommend.Expert(name, counting[name]) for name in ("personal", "ar", "ease")]
joined = recommend.choose_hybrid(experts, to_choose, filter_seen=False, seed=SEED)
systems = counting | {
    "model": model,
    "model, re-ranked by rules": recommend.RuleReranker(
        model, counting["ar"], filter_seen=False
    ),
    "learned": joined.finalists["learned"],
}
joined.tries

# %%
batches = {"batch": 256, "repeats": 3, "warmup": 1}
waits = []
for name, system in systems.items():
    one = evaluation.measure_latency(system, to_choose.histories, repeats=100, seed=SEED)
    many = evaluation.measure_latency(system, to_choose.histories, seed=SEED, **batches)
    times = {"p50": one.p50, "p99": one.p99, "per_second": many.per_second}
    waits.append({"system": name, **times})
waits = pd.DataFrame(waits)
figures.recommend.waiting(waits)

# %%
wait = waits.set_index("system")
at_once = wait["per_second"] * wait["p50"]
longer = wait["p50"]["model"] / wait["p50"]["personal"]
say(
    f"**What we see.** One customer waits {1e3 * wait['p50']['model']:.2g} ms for the model "
    f"(one in a hundred longer than {1e3 * wait['p99']['model']:.2g} ms), {longer:.1f} times "
    "as long as for a count of what the customer bought before. A batch makes "
    f"{at_once['model']:.1f} times as many lists a second as one customer after the other with "
    f"the model, {at_once['personal']:.1f} times with counting."
)

# %% [markdown]
# Counting is a lookup and a sum, the model a forward pass. What takes less than a tenth of a second nobody
# notices, so at this size both sentences of the texts can be half right: slower than counting, and fast
# enough. Batches spread the cost of a call over many customers. A combination waits for all its experts.
# (How long the unluckiest customers wait depends on what else the machine does.)
#
# ## 6. Try it
# Three systems answer for a basket of your choice, with reasons: **rules** add up confidences beyond what is
# bought anyway and name the strongest rule; the **basket model** of lesson 03, which reads a basket as a set
# and fills a gap in it, names the product without which its answer would lose most; the **learned hybrid**
# says at which place its experts have a product. Where no kernel runs you see the answers for one basket.

# %%
parts = data.split_by_time_or_lot(0.1, 0.1, SEED)
basket_model = opened("gaps", Histories.from_matrix(parts.train.basket_matrix()))
pair_rules = recommend.make_baseline("ar", unit="basket", last=None, min_count=5).fit(past)
bought_by = np.asarray(split.train.basket_matrix().mean(axis=0)).ravel()
other = strongest.loc[~strongest["item"].isin(strongest.iloc[0][["item", "partner"]]), "item"]
start, words = [product, int(other.iloc[0])], [str(name) for name in names]
answer_by = {
    "rules": recommend.RuleReasons(pair_rules.weights, bought_by, words, "basket"),
    "basket model": recommend.ModelReasons(basket_model, words),
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
# The hybrid was made for another question, the *next visit*; for somebody whose history is one basket it
# may know little more than what sells. The reasons of rules can be checked against the counts, the model's
# cannot: that leaving a product out lowers a score does not say why. A name in all three lists is in bold.

# %% [markdown]
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("08.1")` in a new cell; ask again and you
# get another one.
#
# **Exercise 08.1.** By hand: of 200 baskets with $a$, 50 hold $b$; of 800 baskets without $a$, 80 hold $b$.
# How many extra sales of $b$ does the obvious forecast promise for 100 more buyers of $a$?

# %%
# a number
### BEGIN SOLUTION
answer = (50 / 200 - 80 / 800) * 100
### END SOLUTION
_ = check.exercise("08.1", answer)

# %% [markdown]
# **Exercise 08.2.** By hand: four products have two links, A–B of weight 3 and B–C of weight 1. How many
# places apart are linked products in the mean, each link as often as its weight, on the shelf A, C, B, D? And
# on the shelf A, B, C, D?

# %%
# two numbers: for A, C, B, D; for A, B, C, D
### BEGIN SOLUTION
answer = (3 * 2 + 1 * 1) / 4, (3 * 1 + 1 * 1) / 4
### END SOLUTION
_ = check.exercise("08.2", answer)

# %% [markdown]
# **Exercise 08.3.** Write a function that predicts the extra sales of $b$ from a number of extra buyers of
# $a$, *within seasons*: the difference of shares in each season, averaged with weights
# $n_1 n_0 / (n_1 + n_0)$, times the buyers. A season in which nobody bought $a$, or everybody, has weight 0.


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
_ = check.exercise("08.3", fair_extra_sales)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded below |
# |---|---|---|
# | Large models answer faster, and: they are slow. | T3; T1, T2, T4 | milliseconds for one list, the model's and counting's (`cost/…`) |
#
# Of pages, shelf and promotions (`shop/…`) the texts claim nothing that could be tested here.

# %% tags=["hide"]
_ = ledger.record("data/fingerprint", data.fingerprint())
of_way = on_pages.set_index("way").rename(columns={"with product": "value"})
note = (
    "share of later baskets with one of the three; the baseline is baskets without the product"
)
facts = {"baseline": of_way["without product"], "tolerance": 1e-6, "note": note}
_ = ledger.record_table("shop/page_{}", of_way[["value", "low", "high"]], **facts)
note = f"{best_order}; the baseline is random order"
facts = {"baseline": float(np.mean(shuffled)), "tolerance": 1.0, "unit": "places", "note": note}
_ = ledger.record("shop/shelf_distance", apart["later baskets"][best_order], **facts)

# %% tags=["hide"]
forecast = fair.set_index(planted.index)
forecast = forecast[["expected", "expected_low", "expected_high"]].set_axis(
    ["value", "low", "high"], axis=1
)
note = dict(zip(planted.index, labels, strict=True))
facts = {
    "baseline": dict(zip(planted.index, naive["expected"], strict=True)),
    "tolerance": 1e-6,
    "note": lambda pair: f"{note[pair]}, {BUYERS} buyers; baseline: the naive forecast",
}
_ = ledger.record_table("shop/promotion_{}", forecast, **facts)

# %% tags=["hide"]
ms = {"claim": "11", "tolerance": None, "unit": "ms"}
costs = {
    "model_ms_p50": 1e3 * wait["p50"]["model"],
    "model_ms_p99": 1e3 * wait["p99"]["model"],
    "learned_hybrid_ms_p50": 1e3 * wait["p50"]["learned"],
}
_ = ledger.record_table("cost/{}", costs, note="one customer, one core", **ms)
ratio = {"note": "milliseconds for one list, the model's by those of personal popularity"}
_ = ledger.record("cost/model_by_counting_p50", round(longer, 1), **ratio, **ms | {"unit": ""})

# %% [markdown]
# ## Summary
# - A link that is strong on little evidence fills a page with what nobody buys: order partners by the
#   least that the counts allow, and compare with baskets that do not hold the product.
# - Links order a shelf; the order is judged by links in *later* baskets.
# - A forecast for a promotion is true only if $a$ causes $b$. A common season is no cause: compare baskets
#   of the same week. What nobody recorded, only an experiment finds.
# - Weekly sales move together because of season and trade first.
# - How long one customer waits and how many lists a machine makes are two questions.

# %% [markdown]
# ## References
# - E. Wilson (1927). Probable inference, the law of succession, and statistical inference. JASA 22.
# - J. Atkins, E. Boman, B. Hendrickson (1998). A spectral algorithm for seriation and the consecutive ones problem. SIAM Journal on Computing 28.
# - Z. Bar-Joseph, D. Gifford, T. Jaakkola (2001). Fast optimal leaf ordering for hierarchical clustering. Bioinformatics 17.
# - N. Mantel, W. Haenszel (1959). Statistical aspects of the analysis of data from retrospective studies of disease. JNCI 22.
# - S. Greenland, J. Robins (1985). Estimation of a common effect parameter from sparse follow-up data. Biometrics 41.
# - J. Tukey (1977). Exploratory data analysis. Addison-Wesley.
#
# Texts under test: T1 to T5, see lesson [01](01_count_what_goes_together.ipynb).
