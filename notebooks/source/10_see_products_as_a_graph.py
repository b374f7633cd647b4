# %% [markdown]
# # 10 · See the products as a graph
#
# *Question: What does a graph of products add?*
#
# Counted pairs are links, and links make a graph. In a graph one can ask what no single pair answers: what is near without ever
# having met, what belongs together, what stands in the middle. A text under test [T2] promises that a **graph neural network**
# on such a graph finds associations over several links and makes the analysis more precise. This lesson builds the graph, looks
# at it, lets it predict links and purchases, and keeps beside each network the counting that it was built from.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | turn baskets into a graph, draw it, walk on it, find groups and middles in it | when a link is an accident, and how to tell a finding from what chance or sales alone would give | [01 Count what goes together](01_count_what_goes_together.ipynb) |
# | predict links of the future by counting, by GraphSAGE and by LightGCN | which tests flatter; what a graph adds to a pair's own counts | 75 minutes, under 2 GB of memory, no GPU |
# | propagate by hand, then train LightGCN on customers and products, and join it to counting | what smoothing over a graph does, and whether it is worth having | {run_time} |

# %%
import time

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from llmarm_tutorial import evaluation, graphs, models, recommend
from llmarm_tutorial.data import in_baskets, load, shop, thin
from llmarm_tutorial.figures import graphs as graphs_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import sequences as sequences_figures
from llmarm_tutorial.lesson import (
    against,
    check,
    ledger,
    left_out,
    material,
    require_enough,
    require_sequences,
    say,
)

# %%
house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # models this small are not faster on more cores
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
SEED: int = 1  # of weights, draws and bootstraps
MIN_COUNT: int = 10  # a link of the graph that is drawn: fewest baskets with both
MAX_Q: float = 0.05  # … and most expected share of false links
NEW_COUNT: int = 3  # a link to predict: fewest baskets with both in its stretch of time
NEW_Q: float = 0.2  # … and most expected share of false links
VALIDATION: float = 0.3  # share of baskets in the stretch of time that settings are chosen on
TEST: float = 0.4  # … and in the last one, which judges
LINK_SEEDS: int = 3  # trainings of each network that predicts links
LINK_EPOCHS: int = 30  # passes over the links, at most
GRAPH_EPOCHS: int = 8  # passes over the purchases for LightGCN
GRAPH_WIDTH: int = 32  # numbers per vector in it
EPOCHS: int = 8  # passes over the customers for the item model
MAX_LENGTH: int = 128  # tokens of a customer's history that it reads
MAX_CASES: int = 1500  # customers asked for their next purchase
NEW_WEEKS: float = 6.0  # products first sold in the last so many weeks are new

# %% [markdown]
# ## 1. From rules to a graph
# By hand, five baskets. Two products are linked where a basket holds both; what a link weighs can be the **count**, or the
# **lift**, how many times more often they meet than if they were strangers:
#
# $$\text{lift}(a, b) = \frac{n_{ab}\, n}{n_a\, n_b}, \qquad \text{PMI}(a, b) = \log_2 \text{lift}(a, b).$$

# %% tags=["nbval-check-output"]
baskets = [
    {"bread", "butter"},
    {"bread", "butter", "jam"},
    {"bread", "jam"},
    {"bread"},
    {"tea", "honey"},
]
goods = ["bread", "butter", "jam", "tea", "honey"]
holds = np.array([[good in basket for good in goods] for basket in baskets]).astype(int)
counts = holds.T @ holds
rows = []
for a, b in zip(*np.nonzero(np.triu(counts, 1)), strict=True):
    lift = counts[a, b] * len(baskets) / (counts[a, a] * counts[b, b])
    pmi = f"{np.log2(lift):+.2f} bits"
    rows.append((f"{goods[a]} – {goods[b]}", counts[a, b], f"{lift:.2f}", pmi))
pd.DataFrame(rows, columns=["link", "count", "lift", "PMI"])

# %% [markdown]
# The strongest link by lift is tea and honey, which met *once*: two rare products that met at all have a huge lift. A
# graph drawn from lift alone is a picture of accidents. How bad is it? Take the pairs of highest lift in the earlier baskets,
# and count them again in the later ones.

# %%
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="a lesson on what is linked, and what will be")
data = data.filter_items(1)  # of the item table, those that were sold
require_enough(data, "what is linked, and what will be,", customers=4, visits=3, items=4)
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
bought = in_baskets(data)
stretches = bought.split_by_time(VALIDATION, TEST)
split = data.leave_one_out()
past = split.train.histories()
held = past.held()
require_sequences(past, "learning from the past")

# %% [markdown]
# The shop has baskets and a clock. Data without one of them gets a stand-in here: ten items in a row for a basket, the place in
# a customer's history for the time (earlier then means the first part of each history).

# %%
for lacking in sorted({"baskets", "clock"} - data.aspects):
    print(f"{data.name} has no {lacking}: the stand-in serves.")
sales = np.bincount(bought.item_codes, minlength=n_items)
every, earlier, last = (
    part.describe()["baskets"] for part in (bought, stretches.train, stretches.test)
)
print(f"{data.name}: {every:,} baskets, the earlier {earlier:,}, the last {last:,}")

# %%
accidents = graphs.chance_pairs(
    stretches.train, stretches.test, top=50, min_count=MIN_COUNT, max_q=MAX_Q
)
accidents

# %%
unsure, sure = accidents.iloc[0], accidents.iloc[-1]
has_sure = bool(unsure["pairs"] and sure["pairs"])
in_words = f"{unsure['count']:.0f} basket{'s' if unsure['count'] >= 1.5 else ''}"
say(
    f"**What we see.** Without a filter the {unsure['pairs']} pairs of highest lift were in "
    f"{in_words} each, in the median; {unsure['met_again']:.0%} meet "
    f"again. With both filters {sure['met_again']:.0%} of {sure['pairs']} do; their lift was "
    f"{sure['lift']:.3g} and is {sure['lift_later']:.3g} later, in the median."
) if has_sure else left_out("the recount of pairs", "no pair of the earlier baskets is certain")

# %% [markdown]
# Even a sound lift shrinks as a rule: whoever picks the highest values picks luck with them. The third row asks for **significance** as well: Fisher's exact test for each pair, and a limit on the expected share of false
# links among all that are kept [Benjamini & Hochberg 1995]. That is the graph from here on; its weights are PMI where
# it is positive (PPMI), since a lift of 200 is not a hundred times the friendship of a lift of 2.

# %%
graph = graphs.co_occurrence_graph(bought, "ppmi", min_count=MIN_COUNT, max_q=MAX_Q)
has_links = graph.n_links > 0
if not has_links:
    why = "no pair passes the filter of MIN_COUNT and MAX_Q"
    left_out("the drawing, the rings, the groups and the middles", why)
linked = (graph.degree > 0).sum()
print(f"{graph.n_links:,} links, {linked:,} of {n_items:,} products have any; the most linked:")
most = pd.DataFrame({"product": names, "links": graph.degree, "baskets": sales})
most.sort_values(["links", "baskets"], ascending=False).head(5)

# %%
if has_links:
    has_departments = "category" in data.items
    if has_departments:
        groups = data.items["category"].fillna("none").str.partition("|")[0].to_numpy()
    else:
        groups = np.full(n_items, "products")
        print(f"{data.name} knows no departments, so all products have one colour.")
    top_sellers = np.zeros(n_items, dtype=bool)
    top_sellers[np.argsort(-sales, kind="stable")[:210]] = True  # more would hide each other
    keep = sparse.diags(top_sellers.astype(float))
    shown = graphs.ItemGraph(keep @ graph.weights @ keep, meaning="bits of PMI")
    shown = graphs.strongest(shown, 4) if shown.n_links > 400 else shown
    title = f"{data.name}: what is in one basket"
    display(graphs_figures.product_graph(shown, names, sales, groups, title=title))

# %% [markdown]
# **What we see.** In the shop one large part, and pairs and chains beside it. The widest lines, such as that from penne to basil
# pesto, lead to small products at the edge. The large part is held together by weaker links, and its regions have a theme rather
# than a colour: around butter there is breakfast, around cucumber a barbecue, and both take from several departments.
#
# Links in one basket have no direction. What comes at the customer's **next visit** has one:

# %%
after = graphs.transition_graph(data, "lift", min_count=MIN_COUNT, max_q=MAX_Q)
has_after = after.n_links > 0
if not has_after:
    left_out("what comes at the next visit", "no pair passes the filter in this order")

# %%
if has_after:
    back = np.asarray(after.weights.T[after.pairs()["i"], after.pairs()["j"]]).ravel()
    table = after.pairs().assign(back=back).head(8)
    display(
        pd.DataFrame(
            {
                "product": names[table["i"]],
                "at the next visit": names[table["j"]],
                "lift": table["weight"],
                "lift of the way back": table["back"].replace(0, np.nan),
                "in one basket": graph.weights.toarray()[table["i"], table["j"]] > 0,
            }
        )
    )

# %% [markdown]
# (No number: that way round there is no link.)

# %%
if has_after:
    one_way = int((table["back"] == 0).sum())
    apart = int((graph.weights.toarray()[table["i"], table["j"]] == 0).sum())
    say(
        f"**What we see.** Of these {len(table)} links {one_way} run one way only, "
        f"and {apart} are not to be found in baskets."
    )

# %% [markdown]
# A graph without directions would have lost those: in the shop, that filters follow coffee, and batteries the lamp.
#
# ## 2. Over several links
# The promise of a graph is the second step: what is linked to what is linked. A path is as strong as the product of its links,
# and only the best path counts. By hand, with chances as weights:

# %% tags=["nbval-check-output"]
small = np.zeros((4, 4))
for a, b, weight in (("A", "B", 0.5), ("B", "C", 0.4), ("A", "D", 0.2), ("D", "C", 0.9)):
    small["ABCD".index(a), "ABCD".index(b)] = weight
reached = graphs.hops(graphs.ItemGraph(sparse.csr_matrix(small), directed=True), 0, k=2)
for item, steps, strength, path in reached.itertuples(index=False):
    way = " → ".join("ABCD"[node] for node in path)
    print("ABCD"[item], f"over {steps} link(s), strength {strength:.2f}, by", way)

# %% [markdown]
# From one product of the data, over up to two links:

# %%
if has_links:
    centre = int(np.lexsort((sales, np.where(graph.degree <= 14, graph.degree, 0)))[-1])
    around = graphs.hops(graph, centre, k=2)
    display(graphs_figures.rings(around, names, centre))

# %% [markdown]
# The rings look meaningful; so do horoscopes. A test: take all pairs that are *no* link in the earlier baskets, and look at the
# later ones. Pairs with a common neighbour should meet more often later, *also among pairs whose own counts were alike so far*. To
# compare, the table pools pairs: baskets with both, divided by those expected if they were strangers.

# %%
definition = graphs.LinkDefinition(min_count=NEW_COUNT, max_q=NEW_Q)
part, shares = "the second step and the links to come", {"validation": VALIDATION, "test": TEST}
tasks = material(part, graphs.make_link_tasks, bought, definition, **shares)
has_tasks = bool(tasks) and min(task.graph.n_links for task in tasks) > 1
if tasks and not has_tasks:
    left_out(part, "the past has fewer than two links to learn from")

# %%
if has_tasks:
    test_task = tasks.test
    later = stretches.test.basket_matrix().astype(float)
    met = (later.T @ later).toarray()
    expected = np.outer(met.diagonal(), met.diagonal()) / later.shape[0]
    i, j = test_task.i, test_task.j
    own = graphs.own_counts(test_task, "lift")[i, j]  # five expected baskets draw it towards 1
    common = graphs.neighbours(test_task, "common")[i, j] > 0
    pairs = pd.DataFrame({"met": met[i, j], "expected": expected[i, j]})
    pairs["becomes a link"] = test_task.appears
    bands = ["below 0.8", "0.8 to 1.2", "1.2 to 1.6", "above 1.6"]
    pairs["own lift so far"] = pd.cut(own, [-1, 0.8, 1.2, 1.6, np.inf], labels=bands)
    pairs["neighbour"] = np.where(common, "a common neighbour", "none")

# %%
if has_tasks:
    pooled = pairs.groupby(["own lift so far", "neighbour"], observed=True).agg(
        pairs=("met", "size"),
        met=("met", "sum"),
        expected=("expected", "sum"),
        share=("becomes a link", "mean"),
    )
    pooled["lift later"] = pooled["met"] / pooled["expected"]
    second_hop = pooled[["pairs", "lift later", "share"]].unstack()
    display(second_hop.rename(columns={"share": "share that become links"}))

# %% [markdown]
# One number for the table: at like own lift, how many times as often do pairs with a common neighbour meet later? For its interval
# *products* are drawn anew, since pairs that share one are not independent.

# %%
if has_tasks:
    stratum = 2 * pairs["own lift so far"].cat.codes.to_numpy() + common
    n_strata = 2 * len(pairs["own lift so far"].cat.categories)


def times_as_often(weight: np.ndarray) -> float:
    """Later lift with a common neighbour over that without, at like own lift.

    weight: shape (pairs,), how often each pair counts.
    """
    seen, due = (
        np.bincount(stratum, weight * pairs[column], n_strata).reshape(-1, 2)
        for column in ("met", "expected")
    )
    usable = (seen > 0).all(axis=1)
    if not usable.any():
        return np.nan
    rate = np.log(seen[usable] / due[usable])
    return float(np.exp(np.average(rate[:, 1] - rate[:, 0], weights=due[usable, 1])))


# %%
two_hops = times_as_often(np.ones(len(pairs))) if has_tasks else np.nan
low, high = two_hops_between = (np.nan, np.nan)
if np.isfinite(two_hops):
    low, high = two_hops_between = evaluation.bootstrap(
        lambda times: times_as_often(times[i] * times[j]), n_items, resamples=200, seed=SEED
    )
second_step = {
    evaluation.WINS: "A second step says something that the pair's counts do not say yet.",
    evaluation.LEVEL: "Whether a second step says more than the pair's counts is open.",
    evaluation.LOSES: "A second step misleads here: such pairs meet less often.",
}
say(
    "**What we see.** Pairs with a common neighbour meet later "
    f"**{two_hops:.3f} times** as often as others of like own lift ({low:.3f} to {high:.3f}). "
    + second_step[evaluation.verdict(low - 1, high - 1)]
    if np.isfinite(two_hops)
    else "No two groups of like own lift can be compared here."
)

# %% [markdown]
# The share that *become links* overstates it: products with neighbours are sold more, and what is sold more passes the filter more
# easily; the lift does not know that advantage. As to the rings, in the shop the inner one of butter is sound: what one bakes and
# what one has for breakfast. The outer one is mixed; shampoo by way of bread rolls says little.
#
# ## 3. Groups and middles
# **Communities** are groups with more links inside than chance would put there. Do they repeat the departments? Agreement is
# measured by the **normalised mutual information**, $\text{NMI} = 2 I(X; Y) / (H(X) + H(Y))$: 0 for strangers, 1 for the same groups. But many
# small groups agree with anything. So the labels are dealt out at random many times, and the **adjusted** measure (AMI) takes
# what chance gets off [Vinh and others 2010].

# %%
if has_links:
    community = graphs.communities(graph, seed=SEED)
    known = {"departments": groups} if has_departments else {}
    if DATASET == "shop":
        missions = shop.truth()["background"]["missions"]
        of_item = {}
        for mission, facts in reversed(missions.items()):
            of_item |= dict.fromkeys(facts["item"], mission)
        known["planted missions"] = data.items["item_id"].map(of_item).to_numpy()
    agreements = {
        name: graphs.agreement(community, other, permutations=200, seed=SEED)
        for name, other in known.items()
    }
    if not known:
        print(f"{data.name} knows no groups of products to compare with.")
    display(pd.DataFrame({name: found._asdict() for name, found in agreements.items()}).T)

# %%
if has_links:
    if DATASET == "shop":  # of the products that belong to a mission
        planted = known["planted missions"]
        of_mission = np.where(pd.notna(planted), community, graphs.NO_COMMUNITY)
        title = "Products of a planted mission in each community"
        display(graphs_figures.groups_against_groups(of_mission, planted, title=title, least=1))
    if has_departments:
        display(graphs_figures.groups_against_groups(community, groups))

# %%
if has_links:
    seen = []
    for name, found in agreements.items():
        chance = found.by_chance / found.nmi if found.nmi else 1.0
        seen.append(
            f"- **With the {name}** the communities have an NMI of {found.nmi:.2f}, of which "
            f"{chance:.0%} is what chance gets as well; what is left, the AMI, is "
            f"{found.ami:.2f}, "
            + ("no accident" if found.p_value < 0.05 else "which may be an accident")
            + f" (p = {found.p_value:.2g})."
        )
    say(
        "**What we see.**" if seen else "There is nothing to compare the communities with.",
        *seen,
    )

# %% [markdown]
# A low agreement with departments is no failure: a graph of what is bought *together* shows purposes, and shelves are
# sorted by kind. In the shop the purposes are known, the planted missions. A product that belongs to two of them, as butter does to
# breakfast and to baking, can hold both together in one community.
#
# **Centrality** says how much a product is in the middle: the number of its links (degree), the sum of their weights
# (strength), how often a random walker comes by (PageRank), on how many shortest paths it lies (betweenness). Before any of these is called
# an *anchor product*, hold it against sales: what is sold much meets much.

# %%
if has_links:
    pivots = None if n_items < 500 else 200
    middle = graphs.centrality(graph, pivots=pivots, seed=SEED)
    with_sales = graphs.against_sales(middle, sales)
    unfiltered = graphs.co_occurrence_graph(bought, "count", max_q=None)
    strength = np.asarray(unfiltered.weights.sum(axis=1)).ravel()
    naive = pd.DataFrame({"strength, all counts": strength})
    with_naive = graphs.against_sales(naive, sales)
    measures = middle[["degree", "pagerank", "betweenness"]].join(naive)
    correlations = pd.concat([with_sales, with_naive])
    display(graphs_figures.centrality_against_sales(measures, sales, names, correlations))

# %%
if has_links:
    ranks = correlations.set_index("measure")["spearman"]
    known_ranks = ranks[with_sales["measure"]].dropna()
    filtered = ", ".join(f"{rank:.2f} for {name}" for name, rank in known_ranks.items())
    say(
        "**What we see.** With all counts as links (on the right) strength and sales have a "
        f"rank correlation of **{ranks[naive.columns[0]]:.3f}**; after the filter it is "
        f"{filtered}."
    )

# %% [markdown]
# Near 1 the middle of the graph is a list of bestsellers, no more: nothing needs a graph to know these. Even after the filter
# some of the agreement is statistical power: what is sold much has enough baskets to be linked at all. What stands out *for its
# sales* may be worth a look; in the shop, charcoal, which is bought for one purpose.
#
# ## 4. Links to come
# Which pairs that are no link yet will be one? The task, stated in full, since results depend on it more than on the method:
#
# - The past is all baskets before a day; a **link** is a pair that passes the filter in its stretch of time. The filter is looser
#   than that of the figures, because few links are new.
# - **Candidates** are all pairs that are no link in the past, of products sold in at least 20 baskets. Those that pass the
#   filter in the stretch that follows, counted there alone, are the **positives**; all others are the negatives.
# - Settings are chosen on one stretch; the next one judges, once. The measure is **average precision**: go down the list, at each
#   positive note the share of positives so far, and take the mean. Intervals are drawn over *products*, since links that share a
#   product are not independent.
#
# Three kinds of rivals. The pair's **own counts**: it was together before, only too seldom to be a link. The **neighbours**, among
# them the score of Adamic & Adar [2003], for which a neighbour in common tells more the fewer links it has:
#
# $$\text{AA}(a, b) = \sum_{c\, \in\, N(a)\, \cap\, N(b)} \frac{1}{\ln |N(c)|}.$$
#
# And **networks**. GraphSAGE gives each product a vector, made of its own features and the mean of its neighbours' vectors, twice in a row:
#
# $$\mathbf h_a' = \text{ReLU}\Bigl(W_1 \mathbf h_a + W_2 \sum_{b} \tfrac{w_{ab}}{\sum_c w_{ac}}\, \mathbf h_b\Bigr);$$
#
# two products are linked where their vectors agree. LightGCN leaves out the matrices and the ReLU. Beside them a network without
# a graph (**MLP**) reads the same features, an id and the product's text: what it finds does not come from the graph.

# %%
if has_tasks:
    facts = {
        name: (task.graph.n_links, len(task.i), int(task.appears.sum()))
        for name, task in tasks._asdict().items()
    }
    display(pd.DataFrame(facts, index=["links of the past", "candidates", "new links"]).T)

# %%
if has_tasks:
    COUNTED = {
        "own counts": ["own count", "own lift", "own likelihood"],
        "counted on the graph": [
            "common neighbours", "Jaccard", "Adamic-Adar", "resource allocation", "Katz",
            "PageRank",
        ],
        "short vectors": ["PPMI vectors", "EASE"],
        "sales": ["popularity", "attachment"],
    }  # fmt: skip
    kind_of = {method: kind for kind, methods in COUNTED.items() for method in methods}
    chosen = {method: graphs.choose_link_scores(method, tasks.validation) for method in kind_of}
    scored = {method: [choice.system(tasks.test)] for method, choice in chosen.items()}
    valued = {method: choice.value for method, choice in chosen.items()}
    plain = max(COUNTED["own counts"], key=valued.get)
    on_graph = max(COUNTED["counted on the graph"], key=valued.get)
    print(
        f"best on validation: of a pair's own counts {plain}, of those on the graph {on_graph}"
    )

# %% [markdown]
# Networks learn by hiding: in each step one half of the links passes no messages and has to be predicted from the other half, each
# link against pairs that are none. The number of passes is chosen on validation.

# %%
written = models.item_texts(data.items)
meant = material("what the texts say", models.TfidfText().vectors, written)
has_texts = meant is not None and min(meant.shape) > 1
features = np.zeros((n_items, 1))  # without words a network has its ids alone
if has_texts:
    width = min(64, *(n - 1 for n in meant.shape))
    features = TruncatedSVD(width, random_state=0).fit_transform(meant)
# %%
HOW = {
    "learning_rate": 1e-2,
    "decay": "constant",
    "precision": "no",
}  # of all networks on links


def score_links(encoder: str, seed: int) -> tuple[np.ndarray, float, int]:
    """Scores of a network for the test, its value on validation, and its passes."""
    plan = models.Settings(epochs=LINK_EPOCHS, validate_every=5, patience=3, seed=seed, **HOW)
    past = graphs.strongest(tasks.validation.graph, 20).weights
    fitted = graphs.fit_links(
        past, features, plan, encoder=encoder, folds=2, others=8,
        validate=lambda scores: graphs.evaluate_links(tasks.validation, scores).mean(),
    )  # fmt: skip
    passes, value = fitted.training.best_epoch, fitted.training.best_score
    plan = models.Settings(epochs=passes, validate_every=5, patience=3, seed=seed, **HOW)
    past = graphs.strongest(tasks.test.graph, 20).weights
    fitted = graphs.fit_links(past, features, plan, encoder=encoder, folds=2, others=8)
    return fitted.scores(), value, passes


# %%
if has_tasks:
    NETWORKS = ("GraphSAGE", "LightGCN")
    begin, passes_of = time.process_time(), {}
    for encoder in ("MLP", *NETWORKS):
        runs = [score_links(encoder, SEED + number) for number in range(LINK_SEEDS)]
        scored[encoder] = [scores for scores, _, _ in runs]
        valued[encoder] = float(np.mean([value for _, value, _ in runs]))
        passes_of[encoder] = [passes for _, _, passes in runs]
        kind_of[encoder] = "network, graph" if encoder in NETWORKS else "network, no graph"
    print(f"passes: {passes_of}; {time.process_time() - begin:.0f} s")

# %%
if has_tasks:
    judged = {
        method: evaluation.MeanOfRuns(
            method, [graphs.evaluate_links(test_task, scores, method) for scores in runs]
        )
        for method, runs in scored.items()
    }
    precision = {method: one.mean("average_precision") for method, one in judged.items()}
    rows = []
    for method, one in judged.items():
        low, high = evaluation.bootstrap_interval(
            one.values("average_precision"), one.clusters, seed=SEED
        )
        values = [run.mean() for run in one.runs]
        rows.append({
            "method": method, "kind": kind_of[method], "validation": valued[method],
            "average_precision": precision[method], "low": low, "high": high,
            "sd over seeds": np.std(values, ddof=1) if len(values) > 1 else np.nan,
            "hit_10": one.mean("hit_10"), "AUROC": one.mean("auroc"),
        })  # fmt: skip
    results_of_links = pd.DataFrame(rows).sort_values(
        "average_precision", ascending=False, ignore_index=True
    )

# %%
if has_tasks:
    by_chance = float(test_task.appears.mean())
    title = f"{data.name}: {test_task.appears.sum()} new links among {len(test_task.i):,} pairs"
    display(graphs_figures.link_prediction(results_of_links, by_chance, kind_of, title=title))

# %%
if has_tasks:
    display(results_of_links)

# %% [markdown]
# Whether one is ahead of another is seen link by link, not by whether two intervals overlap. What was chosen on validation, against the
# rivals that it should beat. The last rows join two scores by a logistic regression that is fitted on validation: does the second one
# *add* to the first?

# %%
if has_tasks:
    differences = {}

    def differ(one: evaluation.MeanOfRuns, other: evaluation.MeanOfRuns) -> None:
        """Keep a difference of average precisions, with an interval over products."""
        found = evaluation.compare(one, other, "average_precision", seed=SEED)
        differences[one.system, other.system] = found

    differ(judged[on_graph], judged[plain])
    for network in NETWORKS:
        for rival in (plain, on_graph, "MLP"):
            differ(judged[network], judged[rival])

# %%
if has_tasks:
    at_first = {method: chosen[method].system(tasks.validation) for method in (plain, on_graph)}
    at_last = {method: scored[method][0] for method in at_first}
    joined, weights = graphs.joined_scores(tasks.validation, at_first, test_task, at_last)
    both = f"{plain} and {on_graph} joined"
    found = graphs.evaluate_links(test_task, joined, both)
    differ(evaluation.MeanOfRuns(both, [found]), judged[plain])
    print(
        "weights in the join:", {method: round(weight, 2) for method, weight in weights.items()}
    )
    display(evaluation.comparison_table(differences.values()))

# %%
if has_tasks:
    shown_scores = at_last | {"joined": joined} | {name: scored[name][0] for name in NETWORKS}
    support = graphs.by_support(test_task, shown_scores, plain, seed=SEED)
    display(graphs_figures.gain_by_support(support, plain))

# %% [markdown]
# What is predicted first, by the best counting on the graph:

# %%
if has_tasks:
    order = np.argsort(-test_task.candidate_scores(scored[on_graph][0]), kind="stable")[:8]
    one, other = test_task.i[order], test_task.j[order]
    display(
        pd.DataFrame(
            {
                "product": names[one],
                "and": names[other],
                "baskets with both so far": test_task.counts[one, other].astype(int),
                "lift so far": test_task.counts[one, other] / test_task.expected[one, other],
                "neighbours in common": graphs.neighbours(test_task, "common")[
                    one, other
                ].astype(int),
                "becomes a link": test_task.appears[order],
            }
        )
    )

# %%
if has_tasks:
    best_of_all = results_of_links.iloc[0]
    networks_say = "; ".join(
        f"{network} is {against(differences[network, plain])}, "
        f"{against(differences[network, on_graph])} and {against(differences[network, 'MLP'])}"
        for network in NETWORKS
    )
    say(
        f"**What we see.** New links are rare: chance has an average precision of "
        f"{by_chance:.4f}, "
        f"the best method of this test, {best_of_all['method']}, "
        f"{best_of_all['average_precision']:.3f}. Counted on the graph, {on_graph} is "
        f"{against(differences[on_graph, plain])}; the two joined are "
        f"{against(differences[both, plain])}.",
        f"The networks: {networks_say}.",
    )

# %% [markdown]
# In the shop the intervals are wide, since there are few links to find. What is predicted first are pairs of one purpose or one
# season that had not met often enough: over several links there *can* be something to be found, by counting on the graph too. Of a
# network ask three things before you believe in it: is it ahead of the pair's own counts, of counting on the same graph, and of the
# network without a graph? And how much does it differ from seed to seed (`sd over seeds`)? Other threads or another machine move it by
# as much again, so that a single run could support any story. `benchmarks/graphs.py` asks the
# same of a wholesaler's data.
#
# **What flatters.** Two habits of the literature on links. *Sampled negatives*: a method has to tell each positive from a few pairs drawn
# at random, not from all. *Random hiding*: links of the past are hidden and found again; the baskets they came from stay, and a
# pair's own counts give the answer away.

# %%
if has_tasks:
    hidden = graphs.hide_links(test_task.past, definition, seed=SEED)
    found_again = {
        method: graphs.evaluate_links(hidden, chosen[method].system(hidden)).mean()
        for method in (plain, on_graph)
    }
    remaining = graphs.strongest(hidden.graph, 20).weights
    for network in NETWORKS:
        plan = models.Settings(epochs=passes_of[network][0], seed=SEED, **HOW)
        fitted = graphs.fit_links(remaining, features, plan, encoder=network, folds=2, others=8)
        found_again[network] = graphs.evaluate_links(hidden, fitted.scores()).mean()

# %%
if has_tasks:
    among_all = {method: precision[method] for method in found_again}
    flattery = {"all candidates": among_all | {"chance": by_chance}}
    flattery["hidden at random"] = found_again | {"chance": float(hidden.appears.mean())}
    for negatives in (10, 1):
        easy = test_task.sampled(negatives, seed=SEED)
        flattery[f"{negatives} negative(s) each"] = {
            method: float(
                np.mean(
                    [graphs.evaluate_links(easy, scores).mean() for scores in scored[method]]
                )
            )
            for method in found_again
        } | {"chance": float(easy.appears.mean())}
    display(pd.DataFrame(flattery).rename_axis("average precision"))

# %%
if has_tasks:
    drawn = flattery["1 negative(s) each"]
    places = {
        name: sorted(found_again, key=lambda method: -flattery[name][method])
        for name in ("all candidates", "1 negative(s) each")
    }
    same = len({tuple(order) for order in places.values()}) == 1
    say(
        f"**What we see.** With one sampled negative for each positive {on_graph} has an "
        f"average precision of {drawn[on_graph]:.2f} instead of {among_all[on_graph]:.3f}, "
        f"chance has "
        f"{drawn['chance']:.2f}, and the order of the methods "
        f"{'stays' if same else 'changes as well'}. On links hidden at random {plain} has "
        f"{found_again[plain]:.2f} instead of {among_all[plain]:.3f} on links to come; "
        f"{on_graph}, "
        f"which sees the graph alone, {found_again[on_graph]:.2f} instead of "
        f"{among_all[on_graph]:.3f}."
    )

# %% [markdown]
# The same scores, the same links: only the question became easier. Hidden at random, a link stays in the counts: whoever compares
# a network with a pair's own lift there has compared it with the answer sheet. A method that sees the graph alone can be
# flattered, too, where an old link is easier to find than a new one. Before believing a table of link prediction, look for the candidates and for the clock.
#
# ## 5. Customers and products in one graph
# LightGCN was made for another graph: customers on one side, products on the other, a link where one has bought the other [He and
# others 2020]. All that happens is averaging over neighbours. With $d_u$ the number of products of a customer and $d_i$ the number of
# customers of a product,
#
# $$\mathbf e_u^{(k+1)} = \sum_{i \in N(u)} \frac{\mathbf e_i^{(k)}}{\sqrt{d_u d_i}}, \qquad
# \mathbf e_i^{(k+1)} = \sum_{u \in N(i)} \frac{\mathbf e_u^{(k)}}{\sqrt{d_u d_i}}, \qquad
# \mathbf e = \frac{1}{K + 1} \sum_{k=0}^{K} \mathbf e^{(k)}.$$
#
# By hand, three customers and three products, and vectors of one number: customer Ann holds 1, all others 0. Where does her 1 go?

# %% tags=["nbval-check-output"]
people, products = ["Ann", "Ben", "Cem"], ["tea", "milk", "rice"]
has = np.array([[1, 1, 0], [0, 1, 1], [0, 1, 0]])
of_user, of_item = has.sum(axis=1), has.sum(axis=0)
scaled = has / np.sqrt(np.outer(of_user, of_item))
start = np.array([1.0, 0, 0, 0, 0, 0])  # customers first
first = np.concatenate([scaled @ start[3:], scaled.T @ start[:3]])
second = np.concatenate([scaled @ first[3:], scaled.T @ first[:3]])
layers = pd.DataFrame({"links": [*of_user, *of_item]}, index=people + products)
layers = layers.assign(**{"layer 0": start, "layer 1": first, "layer 2": second})
layers["mean"] = layers[["layer 0", "layer 1", "layer 2"]].mean(axis=1)
layers.round(3)

# %% [markdown]
# Her 1 reaches tea as $1/\sqrt{2 \cdot 1}$ and milk as $1/\sqrt{2 \cdot 3}$: what everybody has, counts less. In the second layer it comes
# back to her and reaches Ben and Cem over milk; rice would hear of her in the third.
#
# In code this is one product of a sparse matrix with the table of vectors per layer. Usual graph software sends a message along
# each link instead; it comes to the same, and costs more.

# %%
net = graphs.LightGCN(held, GRAPH_WIDTH, layers=1, seed=SEED)
links_of = graphs.normalised_adjacency(held).tocoo()
ends = torch.from_numpy(np.stack([links_of.row, links_of.col]).astype(np.int64))
weight = torch.from_numpy(links_of.data)


def link_by_link(vectors: torch.Tensor) -> torch.Tensor:
    """The mean of the layers 0 to 2, with a message per link."""
    total, state = vectors, vectors
    for _ in range(2):
        messages = state[ends[1]] * weight[:, None]
        state = torch.zeros_like(state).index_add(0, ends[0], messages)
        total = total + state
    return total / 3


def in_rows(vectors: torch.Tensor) -> torch.Tensor:
    """The same as products of a sparse matrix in rows."""
    return graphs.propagate(vectors, net.adjacency, 2)


# %%
def milliseconds(function) -> float:
    """Time of one core, forward and backward, the fastest of five."""
    took = []
    for _ in range(5):
        begin = time.process_time()
        function(net.nodes).square().sum().backward()
        took.append(time.process_time() - begin)
        net.nodes.grad = None
    return 1e3 * min(took)


assert torch.allclose(in_rows(net.nodes), link_by_link(net.nodes), atol=1e-6)
ways = {"message per link": link_by_link, "sparse matrix": in_rows}
spent = {way: milliseconds(function) for way, function in ways.items()}
print(f"{len(past.user_ids):,} customers, {n_items:,} products, {held.nnz:,} links;", end=" ")
print("two layers, forward and backward:")
print({way: f"{took:.1f} ms" for way, took in spent.items()}, "· the same numbers")

# %% [markdown]
# ## 6. Does the graph recommend?
# As in lesson 06: each customer's last basket is the test, the one before serves for choosing. Two questions. What is in the
# **next basket**? And what in it is **new to the customer**: there a graph has its chance, for what somebody buys again, counting knows without it.

# %%
to_choose, to_judge = (
    evaluation.next_item_task(split, part, max_cases=MAX_CASES, seed=SEED)
    for part in ("validation", "test")
)

had_before = to_choose.histories.matrix().multiply(to_choose.targets).astype(bool)
again = had_before.sum() / to_choose.targets.nnz
NEW = "new to the customer"
questions = {} if again < 0.05 else {"next basket": (to_choose, to_judge, False)}
part = "what is new to the customer"
chosen_new = material(part, to_choose.only_new)
judged_new = chosen_new and material(part, to_judge.only_new)
if judged_new and len(chosen_new) >= 4:  # a hybrid is chosen on two halves of them
    questions |= {NEW: (chosen_new, judged_new, True)}
if (np.diff(held.indptr) == n_items).all():
    questions = {}
    left_out(
        "the recommendations", "everybody has bought everything, and nothing is left to rank"
    )
for question, (_, judging, _) in questions.items():
    print(f"{question}: {len(judging):,} customers asked")

# %% [markdown]
# The rivals: counting, tuned on validation; **walks** over links, a graph without any training; the item model of lesson 03, which
# starts from popularity and from copying; LightGCN, and the same without its graph, that is with 0 layers, which is matrix factorisation.


# %%
def lightgcn(layers: int) -> graphs.GraphRecommender:
    """LightGCN on customers and products; loss: the right product among others, by cosine."""
    network = graphs.LightGCN(held, GRAPH_WIDTH, layers, seed=SEED)
    batches = graphs.GraphBatches(held, "softmax", 4096, negatives=128, seed=SEED)
    plan = graphs.published_settings(epochs=GRAPH_EPOCHS, learning_rate=1e-2, seed=SEED)
    loss = graphs.GraphLoss("softmax", temperature=0.1)
    training = models.train(network, batches, plan, loss=loss, progress=False)
    print(f"{layers} layer(s): {training.seconds:.0f} s")
    return graphs.GraphRecommender(network)


if questions:
    lightgcns = {"LightGCN": lightgcn(1), "LightGCN without graph": lightgcn(0)}

# %%
has_visits = "baskets" in data.aspects
recipe = models.Recipe(
    objective="masked" if has_visits else "causal",
    positions=not has_visits,
    hidden=64,
    max_length=MAX_LENGTH,
    epochs=EPOCHS,
    learning_rate=5e-3,
)
fitted = recipe.fit(past, seed=SEED)
model = fitted.recommender
print(f"the item model: {fitted.training.seconds:.0f} s")

# %%
if questions:
    METHODS = ("personal", "sr", "ar", "itemknn", "popularity")
    WALKS = ((2, 0.0), (2, 0.5), (3, 0.5))  # steps, and the discount of what many have
    systems, rivals = {}, {}
    for question, (choosing, _, leave_out) in questions.items():
        tuned = {}
        for name in METHODS:
            if not (name == "personal" and leave_out):
                tuned[name] = recommend.tune_baseline(
                    name, past, choosing, budget=4, filter_seen=leave_out, seed=SEED
                )
        rivals[question] = sorted(tuned, key=lambda name: -tuned[name].value)
        walks = [
            graphs.with_recency(
                graphs.Walks(steps, discount=discount).fit(past),
                choosing,
                filter_seen=leave_out,
            )
            for steps, discount in WALKS
        ]
        systems[question] = {name: tuned[name].system for name in rivals[question]}
        systems[question]["walks"], _ = max(walks, key=lambda choice: choice[1])
        systems[question] |= {"model": model} | lightgcns

# %%
if questions:
    results, means = {}, {}
    for question, (_, judging, leave_out) in questions.items():
        results[question] = {
            name: evaluation.evaluate(
                system, judging, ks=(10,), filter_seen=leave_out, name=name
            )
            for name, system in systems[question].items()
        }
        summaries = {
            name: result.summary(["NDCG@10"], seed=SEED).iloc[0]
            for name, result in results[question].items()
        }
        table = pd.concat(summaries, axis=1).T.sort_values("mean", ascending=False)
        means[f"{data.name}: {question}"] = table
    display(sequences_figures.scores(means, "NDCG@10"))

# %%
if questions:
    judgements = {}
    for question, found in results.items():
        best = rivals[question][0]
        judgements[question] = [
            evaluation.compare(found[one], found[other], seed=SEED)
            for one, other in (
                ("LightGCN", best),
                ("walks", best),
                ("LightGCN", "LightGCN without graph"),
                ("LightGCN", "model"),
            )
        ]
    tables = {name: evaluation.comparison_table(those) for name, those in judgements.items()}
    display(pd.concat(tables).drop(columns=["metric", "cases"]))

# %%
if questions:
    seen = []
    for question, (of_graph, of_walks, with_links, of_model) in judgements.items():
        seen.append(
            f"- *{question}*: the counting that is best on validation is {of_graph.second}. "
            f"LightGCN is {against(of_graph)}, {against(with_links)} and "
            f"{against(of_model)}. Walks are {against(of_walks)}."
        )
    say("**What we see.**", *seen)

# %% [markdown]
# What people buy again, counting copies and LightGCN cannot. What they try next is hard to know; where all are close to popularity, no
# graph changes much. An item model that has learned best to copy gains nothing by that there. What LightGCN gains by its graph over the
# same vectors without, in as many passes, is worth something *to this model*: without it, it would have to learn from single purchases
# what is liked by the same people. Counting knew that from the start, so compare with counting.
#
# **Joined?** A weak expert may still know what the others do not. Two hybrids are chosen by the same rule from the same customers, one
# from counting and model, one from these and LightGCN: what they differ by is due to the graph. `cautious` takes a combination only if it is
# clearly ahead of the best single expert; `learned` is the best regression on what the experts say, cautious or not.

# %%
if questions:
    joins = {}
    graph_expert = recommend.Expert("LightGCN", lightgcns["LightGCN"], "logits")
    for question, (choosing, _, leave_out) in questions.items():
        few = choosing.take(np.arange(min(len(choosing), 800)))
        panel = [recommend.Expert("model", model, "logits")]
        panel += [
            recommend.Expert(name, systems[question][name]) for name in rivals[question][:2]
        ]
        joins[question] = graphs.gain_of_graph(
            panel, [graph_expert], few, filter_seen=leave_out, seed=SEED, steps=3, top=50
        )
        without, with_graph = (choice.name for choice in joins[question])
        print(f"{question}: the cautious choice without graph is “{without}”,", end=" ")
        print(f"with graph “{with_graph}”")

# %%
if questions:
    changes = {}
    for question, (_, judging, leave_out) in questions.items():
        hybrids = {
            "cautious": [choice.system for choice in joins[question]],
            "learned": [part.finalists[part.best("learned")] for part in joins[question]],
        }
        for way, pair in hybrids.items():
            without, with_graph = (
                evaluation.evaluate(
                    system, judging, ks=(10,), filter_seen=leave_out, name=f"{way}, {name}"
                )
                for system, name in zip(pair, ("without graph", "with graph"), strict=True)
            )
            results[question] |= {without.system: without, with_graph.system: with_graph}
            changes[question, way] = evaluation.compare(with_graph, without, seed=SEED)
    table = evaluation.comparison_table(changes.values()).set_axis(list(changes))
    display(table.drop(columns=["metric", "cases"]))

# %% [markdown]
# A mean over all may hide a gain where counts are thin. The same differences by how popular the product was that was bought; a third
# of all sales each.

# %%
if questions:
    tails = []
    for question, found in results.items():
        for one, other in (
            ("LightGCN", rivals[question][0]),
            ("learned, with graph", "learned, without graph"),
        ):
            gains = evaluation.gain_by_popularity(found[one], found[other], seed=SEED)
            tails.append(gains.assign(question=question, what=f"{one} against {other}"))
    display(pd.concat(tails).set_index(["question", "what", "bucket"]))

# %%
if questions:
    seen = [
        f"- *{question}*, {way}: {against(change)}."
        for (question, way), change in changes.items()
    ]
    say("**What we see.** The hybrid with LightGCN among its experts is:", *seen)

# %% [markdown]
# A gain of exactly nothing says that the cautious choice was the same system twice. By popularity (`verdict`) one sees where LightGCN moves
# the list: averaging over neighbours draws vectors towards bestsellers, and the long tail may pay for it. The long tail is where a graph should
# help most, since counts are thin there: look whether the learned combination gains there. Where it does not, the graph is one more
# way to say what counting has said. More seeds and larger data are in `benchmarks/graphs.py`.
#
# ## 7. New products
# A product that nobody has bought has no links. GraphSAGE claims to be **inductive**: it learns how to make a vector from features and
# neighbours, so it can make one for a product that it never saw, from its text alone. To learn just that, training hides all links of some
# products and predicts them. Its rival needs no training: the nearest products by text (lesson 06).

# %%
cold, part = None, "the section on new products"
if has_texts:
    cold = material(part, recommend.new_or_hidden, data, NEW_WEEKS, seed=SEED)
else:
    left_out(part, "nothing but a text could tell what is like them")
has_new = cold is not None
if has_new:
    if cold.hidden:
        print(f"{data.name} has no product that is new in these weeks:", end=" ")
        print("a tenth, drawn at random, is hidden and counts as new.")
    before = in_baskets(cold.train)
    old_graph = graphs.co_occurrence_graph(before, "ppmi", min_count=2, max_q=None)
    old_links = graphs.strongest(old_graph, 20).weights
    example = written[int(np.flatnonzero(cold.new)[0])][:90]
    print(f"{cold.new.sum()} new products, such as “{example}”;", end=" ")
    print(f"{old_links.nnz // 2:,} links of the others")
    has_new = old_links.nnz > 2
    if not has_new:
        left_out(part, "the others have fewer than two links to learn from")


# %%
if has_new:

    def from_text(encoder: str, seed: int):
        """Links of all products, new ones by their text."""
        plan = models.Settings(epochs=LINK_EPOCHS // 2, seed=seed, **HOW)
        fitted = graphs.fit_links(
            old_links,
            features,
            plan,
            encoder=encoder,
            ids=False,
            hide="items",
            folds=2,
            others=8,
        )
        return graphs.by_links(fitted.scores(), name=encoder)

    known_past = cold.train.histories()
    fresh = {
        "chance": [recommend.make_baseline("popularity").fit(known_past)],
        "neighbours by text": [recommend.ContentNeighbours(meant).fit(known_past)],
    }
    INDUCTIVE = ("MLP", "GraphSAGE")  # both read the text
    for encoder in INDUCTIVE:
        fresh[encoder] = [from_text(encoder, SEED + n) for n in range(LINK_SEEDS)]

# %%
if has_new:
    asked_for = {"new": "which new product does a customer buy"}
    if has_visits:
        asked_for["basket"] = "which new product goes into a basket"
    on_new = {}
    for part in asked_for:
        task = cold.task(part).sample(MAX_CASES, SEED)
        on_new[part] = {}
        for name, runs in fresh.items():
            only_new = [recommend.RestrictedRecommender(run, cold.new) for run in runs]
            judged_runs = [evaluation.evaluate(run, task, ks=(1,)) for run in only_new]
            on_new[part][name] = evaluation.MeanOfRuns(name, judged_runs)

# %%
if has_new:
    rows, fresh_gains = [], {}
    for part, found in on_new.items():
        for name, one in found.items():
            values = one.values("MRR")
            low, high = evaluation.bootstrap_interval(values, seed=SEED)
            row = {"question": asked_for[part], "system": name, "cases": len(values)}
            rows.append(row | {"MRR": values.mean(), "low": low, "high": high})
        for one, other in (
            ("neighbours by text", "chance"),
            ("MLP", "neighbours by text"),
            ("GraphSAGE", "neighbours by text"),
            ("GraphSAGE", "MLP"),
        ):
            gain = evaluation.compare(found[one], found[other], "MRR", seed=SEED)
            fresh_gains[part, one, other] = gain
    new_products = pd.DataFrame(rows)
    display(new_products.set_index(["question", "system"]))

# %%
if has_new:
    seen = [
        f"- *{question}*: "
        + "; ".join(
            f"{one} is {against(gain)}"
            for (of, one, _), gain in fresh_gains.items()
            if of == part
        )
        + "."
        for part, question in asked_for.items()
    ]
    say("**What we see.**", *seen)

# %% [markdown]
# Cosines of texts need no training. A new product has no neighbours yet, so a network that hears neighbours has none to hear. (The
# intervals are over customers or baskets. The new products themselves are few, a handful in the shop, and other new products
# could tell another story.) The inductive step is possible, as claimed; whether it is worth it, the lines above say.
#
# ## 8. Where the published number stands
# Is the LightGCN of this lesson the published one? The shop cannot tell: nobody has published a number for it. `benchmarks/lightgcn.py` trains
# it with the settings of its authors on the splits that they released (`lastfm`, `gowalla`), and judges it as they do; the table in
# `results/reproduction.md` puts the value found beside the published one, where there is one, and `results/graphs.md` beside tuned counting on the same split. `benchmarks/graphs.py`
# repeats sections 4, 6 and 7 over seeds on the shop, on a year of a wholesaler (`online-retail`) and on films (`movielens-1m`). Read them
# before concluding from a corner shop on a graph of millions.

# %% [markdown]
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("10.1")` in a new cell; ask again and you get another one.
#
# **Exercise 10.1.** By hand: of 10 baskets 4 hold rice, 5 hold soy sauce, and 4 hold both. What is the lift of the pair, and what its PMI in
# bits?

# %%
# two numbers: lift, PMI
### BEGIN SOLUTION
answer = 4 * 10 / (4 * 5), np.log2(4 * 10 / (4 * 5))
### END SOLUTION
_ = check.exercise("10.1", answer)

# %% [markdown]
# **Exercise 10.2.** By hand: Dan has two products, tea and milk. Tea has 2 customers and holds the number 3; milk has 8 customers and holds 4;
# Dan holds 0.5. What does Dan hold in layer 1 of LightGCN, and what is the mean of his layers 0 and 1?

# %%
# two numbers: layer 1, mean
### BEGIN SOLUTION
layer_1 = 3 / np.sqrt(2 * 2) + 4 / np.sqrt(2 * 8)
answer = layer_1, (0.5 + layer_1) / 2
### END SOLUTION
_ = check.exercise("10.2", answer)

# %% [markdown]
# **Exercise 10.3.** Write a function that gives for each pair the chance that a walker who takes exactly two steps gets from the first to the
# second, links being chosen in proportion to their weights. Pairs that are linked directly, and a product with itself, get 0.


# %%
# weights: shape (n, n), symmetric, 0 where there is no link; return numbers of the same shape
### BEGIN SOLUTION
def two_steps(weights: np.ndarray) -> np.ndarray:
    """Chances of the second step's end, rows for the start."""
    step = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    found = step @ step
    found[weights > 0] = 0
    np.fill_diagonal(found, 0)
    return found


### END SOLUTION
_ = check.exercise("10.3", two_steps)

# %% [markdown]
# **Exercise 10.4.** Write a function that judges link prediction fairly: of the pairs that are no link in the past, take the `k` with the highest
# scores. Which share of all *new* links is among them? Each pair counts once.


# %%
# scores: shape (n, n), symmetric; past, later: booleans of the same shape, symmetric;
# return a number
### BEGIN SOLUTION
def recall_of_new_links(
    scores: np.ndarray, past: np.ndarray, later: np.ndarray, k: int
) -> float:
    """Share of the new links among the first k candidates."""
    i, j = np.nonzero(np.triu(~past, 1))
    first = np.argsort(-scores[i, j], kind="stable")[:k]
    return later[i, j][first].sum() / later[i, j].sum()


### END SOLUTION
_ = check.exercise("10.4", recall_of_new_links)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded below |
# |---|---|---|
# | A graph neural network finds associations over several links, and makes the analysis more precise. | T2 | new links, networks against counting (`links/…`); what a second link says (`graph/two_hops…`) |
# | Large models recommend more accurately than rules. | T1, T2, T4 | LightGCN against tuned counting (`next/…`, `first_time/…`), and what it adds to a hybrid (`fusion/…`) |
# | Models with text solve the cold start. | T5 | new products by GraphSAGE from text against nearest texts (`cold_graph/…`) |


# %%
_ = ledger.record("data/fingerprint", data.fingerprint())

# %%
if has_sure:
    ledger.record(
        "graph/met_again_without_filter", float(unsure["met_again"]),
        baseline=float(sure["met_again"]), tolerance=1e-6, claim="1",
        note="share of the 50 pairs of highest lift; the baseline is with filter",
    )  # fmt: skip
if np.isfinite(two_hops):
    note = "later lift of pairs with a common neighbour by that of others of like own lift, "
    ledger.record(
        "graph/two_hops_times_as_often", two_hops, interval=two_hops_between,
        baseline=1.0, tolerance=1e-6, claim="9", note=note + "no network",
    )  # fmt: skip

# %%
for name, found in agreements.items() if has_links else ():
    note = f"NMI {found.nmi:.2f}, of which chance gets {found.by_chance:.2f}"
    name = f"graph/ami_communities_{ledger.slug(name)}"
    ledger.record(name, found.ami, baseline=0.0, tolerance=1e-6, note=note)
for row in correlations.dropna().itertuples() if has_links else ():
    ledger.record(
        f"graph/sales_and_{ledger.slug(row.measure)}", row.spearman,
        interval=(row.low, row.high), baseline=0.0,
        tolerance=0.05 if "between" in row.measure else 1e-6,
        note="rank correlation over products",
    )  # fmt: skip

# %%
if has_tasks:
    for row in results_of_links.itertuples():
        trained = row.kind.startswith("network")
        ledger.record(
            f"links/average_precision_{ledger.slug(row.method)}", row.average_precision,
            interval=(row.low, row.high), claim="9", baseline=None if trained else by_chance,
            tolerance=0.02 if trained else 1e-6,
            note=f"{row.kind}, mean of {LINK_SEEDS} seeds" if trained
            else f"{row.kind}; the baseline is chance",
        )  # fmt: skip

# %%
if has_tasks:
    for (one, other), found in differences.items():
        ledger.record_gain(
            f"links/{ledger.slug(one)}_against_{ledger.slug(other)}", found,
            claim="9" if one in NETWORKS else None, baseline=precision[other],
            tolerance=None if one in NETWORKS else 1e-6,
            note="average precision, interval over products",
        )  # fmt: skip
    ledger.record(
        "links/flattered_by_one_negative", flattery["1 negative(s) each"][on_graph],
        baseline=among_all[on_graph], tolerance=1e-6, claim="9",
        note=f"{on_graph}; the baseline is among all candidates",
    )  # fmt: skip
    _ = ledger.record(
        "links/flattered_by_hiding", flattery["hidden at random"][plain],
        baseline=among_all[plain], tolerance=1e-6, claim="9",
        note=f"{plain}; the baseline is links to come",
    )  # fmt: skip

# %%
parts = {"next basket": "next", NEW: "first_time"}
for question, found in results.items():
    best = rivals[question][0]
    for name, result in found.items():
        if name.startswith("cautious"):
            continue
        values = result.summary(["NDCG@10"], seed=SEED).iloc[0]
        counted = name in METHODS or name == "walks"
        ledger.record(
            f"{parts[question]}/ndcg10_{ledger.slug(name)}", values["mean"],
            interval=(values["low"], values["high"]), claim="1",
            baseline=found[best].mean("NDCG@10") if counted and name != best else None,
            tolerance=1e-6 if counted else 0.02,
            note="counting, tuned on validation" if counted else "one seed",
        )  # fmt: skip

# %%
for question, those in judgements.items():
    found, best = results[question], rivals[question][0]
    for gain in those:
        one, other = ledger.slug(gain.first), ledger.slug(gain.second)
        ledger.record_gain(
            f"{parts[question]}/{one}_against_{other}", gain,
            claim=None if gain.first == "walks" else "9",
            baseline=found[gain.second].mean("NDCG@10"),
            tolerance=1e-6 if gain.first == "walks" else None, note="NDCG@10, one seed",
        )  # fmt: skip
    learned = [f"learned, {kind} graph" for kind in ("without", "with")]
    for name in ("model", "LightGCN without graph", *learned):
        ledger.record_gain(
            f"{parts[question]}/gain_{ledger.slug(name)}",
            evaluation.compare(found[name], found[best], seed=SEED),
            claim="1" if name == "model" else None, baseline=found[best].mean("NDCG@10"),
            note="NDCG@10 over the best of tuned counting, one seed",
        )  # fmt: skip

# %%
for (question, way), change in changes.items():
    ledger.record_gain(
        f"fusion/{parts[question]}_gain_of_graph_{way}", change, claim="9",
        baseline=results[question][change.second].mean("NDCG@10"),
        note="NDCG@10, hybrid with LightGCN against hybrid without, one seed",
    )  # fmt: skip

# %%
if has_new:
    asked = {"new": "customers", "basket": "baskets"}
    for row, (part, name) in zip(rows, [(p, n) for p in on_new for n in fresh], strict=True):
        ledger.record(
            f"cold_graph/{asked[part]}_mrr_{ledger.slug(name)}", row["MRR"],
            interval=(row["low"], row["high"]), claim="13",
            tolerance=0.05 if name in INDUCTIVE else 0.005,
            note=f"{cold.new.sum()} new products, {row['cases']:,} cases",
        )  # fmt: skip
    for (part, one, other), gain in fresh_gains.items():
        trained = one in INDUCTIVE
        name = "gain" if other == "neighbours by text" else "difference"
        ledger.record_gain(
            f"cold_graph/{name}_{asked[part]}_{ledger.slug(one)}_over_{ledger.slug(other)}",
            gain,
            baseline=on_new[part][other].mean("MRR"),
            tolerance=None if trained else 0.005, note="MRR of new products",
        )  # fmt: skip
    for way, took in spent.items():
        ledger.record(
            f"cost/propagation_ms_{ledger.slug(way)}", round(took, 2), unit="ms",
            tolerance=None, claim="9", note="two layers, forward and backward, one core",
        )  # fmt: skip

# %% [markdown]
# ## References
# - L. Adamic, E. Adar (2003). Friends and neighbors on the web. Social Networks 25.
# - Y. Benjamini, Y. Hochberg (1995). Controlling the false discovery rate. JRSS B 57.
# - V. Blondel and others (2008). Fast unfolding of communities in large networks. Journal of Statistical Mechanics.
# - K. Church, P. Hanks (1990). Word association norms, mutual information, and lexicography. Computational Linguistics 16.
# - L. Freeman (1977). A set of measures of centrality based on betweenness. Sociometry 40.
# - W. Hamilton, R. Ying, J. Leskovec (2017). Inductive representation learning on large graphs. NeurIPS.
# - X. He and others (2020). LightGCN: simplifying and powering graph convolution network for recommendation. SIGIR.
# - L. Katz (1953). A new status index derived from sociometric analysis. Psychometrika 18.
# - T. Kipf, M. Welling (2017). Semi-supervised classification with graph convolutional networks. ICLR.
# - D. Liben-Nowell, J. Kleinberg (2007). The link-prediction problem for social networks. JASIST 58.
# - A. Owen (2007). The pigeonhole bootstrap. Annals of Applied Statistics 1.
# - L. Page and others (1999). The PageRank citation ranking: bringing order to the web. Stanford InfoLab.
# - N. Vinh, J. Epps, J. Bailey (2010). Information theoretic measures for clusterings comparison. JMLR 11.
# - J. Wu and others (2024). On the effectiveness of sampled softmax loss for item recommendation. ACM TOIS 42.
#
# Texts under test: T1 to T5, see lesson [01](01_count_what_goes_together.ipynb).
