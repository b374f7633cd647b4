# %% [markdown]
# # 10 · See the products as a graph
#
# *Question: What does a graph of products add?*
#
# Counted pairs are links, and links make a graph. A graph answers what no single pair answers: what
# is near without ever having met, what belongs together, what stands in the middle. A text under
# test [T2] promises that a **graph neural network** on such a graph finds associations over several
# links and makes the analysis more precise. This lesson builds the graph, looks at it, and predicts
# the links of the future: by counting, and by networks. Lesson 11 recommends over a graph.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | turn baskets into a graph, draw it, walk on it, find groups and middles in it | when a link is an accident, and how to tell a finding from what chance or sales alone would give | lessons [01](01_count_what_goes_together.ipynb) and [03](03_pretrain_on_items.ipynb), under 2 GB of memory, no GPU |
# | predict links of the future by counting and by networks | which tests flatter; what a graph adds to a pair's own counts | 50 minutes, {run_time} |

# %% tags=["hide"]
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from llmarm_tutorial import evaluation, graphs, models
from llmarm_tutorial.data import in_baskets, load, shop, thin
from llmarm_tutorial.figures import graphs as graphs_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.lesson import (
    against,
    check,
    ledger,
    left_out,
    material,
    plain,
    require_enough,
    say,
)

# %% tags=["hide"]
house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # models this small are not faster on more cores
pd.options.display.float_format = "{:.4g}".format
pd.options.display.max_colwidth = None

# %% [markdown]
# The next cell holds what you can change: change a value, run all cells, look at what moved.
#
# {parameters}

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
MAX_ROWS: int = 300000  # of more purchases, those of customers drawn at random; 0: all
SEED: int = 1  # of weights, draws and bootstraps
MIN_COUNT: int = 10  # a link of the graph that is drawn: fewest baskets with both
MAX_Q: float = 0.05  # … and most expected share of false links
NEW_COUNT: int = 3  # a link to predict: fewest baskets with both in its stretch of time
NEW_Q: float = 0.2  # … and most expected share of false links
VALIDATION: float = 0.3  # share of baskets in the stretch of time that settings are chosen on
TEST: float = 0.4  # … and in the last one, which judges
LINK_SEEDS: int = 3  # trainings of each network that predicts links
LINK_EPOCHS: int = 30  # passes over the links, at most

# %% [markdown]
# ## 1. From counts to links
# By hand, five baskets. Two products are linked where a basket holds both. What a link weighs can be
# the **count**, or the **lift** of lesson 01: how many times more often the two meet than if they
# were independent. The PMI is its logarithm; one **bit** of PMI is a doubling.
#
# $$\text{lift}(a, b) = \frac{n_{ab}\, n}{n_a\, n_b}, \qquad \text{PMI}(a, b) = \log_2 \text{lift}(a, b).$$

# %% tags=["nbval-check-output"]
lines = "bread butter", "bread butter jam", "bread jam", "bread", "tea honey"
baskets = [set(line.split()) for line in lines]
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
# The strongest link by lift is tea and honey, which met *once*. Two rare products that met at all
# have a huge lift, so a graph drawn from lift alone is a picture of accidents. How bad is it? Take
# the pairs of highest lift in the earlier baskets, and count them again in the later ones.
#
# Data without baskets or a clock get a stand-in here: ten items in a row for a basket, the place in
# a customer's history for the time.

# %%
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="a lesson on what is linked, and what will be")
data = data.filter_items(1)  # of the item table, those that were sold
require_enough(data, "what is linked, and what will be,", customers=4, visits=3, items=4)
bought = in_baskets(data)
stretches = bought.split_by_time(VALIDATION, TEST)
for lacking in sorted({"baskets", "clock"} - data.aspects):
    print(f"{data.name} has no {lacking}: the stand-in serves.")

# %%
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
sales = np.bincount(bought.item_codes, minlength=n_items)
every, earlier, last = (
    part.describe()["baskets"] for part in (bought, stretches.train, stretches.test)
)
print(f"{data.name}: {n_items:,} products, {every:,} baskets,", end=" ")
print(f"the earlier {earlier:,}, the last {last:,}")

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
# Even a sound lift shrinks as a rule: whoever picks the highest values picks luck with them. The
# third row asks for **significance** as well: Fisher's exact test for each pair, and a limit on the
# expected share of false links among all that are kept [Benjamini & Hochberg 1995]. That is the
# graph from here on. Its weights are PMI where that is positive (PPMI), since a lift of 200 is not a
# hundred times as strong as a lift of 2.

# %%
graph = graphs.co_occurrence_graph(bought, "ppmi", min_count=MIN_COUNT, max_q=MAX_Q)
has_links = graph.n_links > 0
if not has_links:
    why = "no pair passes the filter of MIN_COUNT and MAX_Q"
    left_out("the drawing, the rings, the groups and the middles", why)
linked = int((graph.degree > 0).sum())
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
    place = np.argsort(np.argsort(-sales, kind="stable"))
    keep = sparse.diags((place < 210).astype(float))  # more would hide each other
    shown = graphs.ItemGraph(keep @ graph.weights @ keep, meaning="bits of PMI")
    shown = graphs.strongest(shown, 2) if shown.n_links > 400 else shown
    title = f"{data.name}: what is in one basket"
    display(graphs_figures.product_graph(shown, names, sales, groups, title=title))

# %%
if has_links:
    _, part_of = sparse.csgraph.connected_components(graph.weights, directed=False)
    in_largest = np.bincount(part_of[graph.degree > 0]).max()
    top = graph.pairs().iloc[0]
    first, second = (names[int(top[end])] for end in ("i", "j"))
    say(
        f"**What we see.** One connected part holds {in_largest:,} of the {linked:,} linked "
        f"products. The strongest link of all, {plain(first)} – {plain(second)}, is a lift of "
        f"{2 ** top['weight']:.3g}; the two are in {sales[int(top['i'])]:,} and "
        f"{sales[int(top['j'])]:,} baskets."
    )

# %% [markdown]
# Links in one basket have no direction. What comes at the customer's **next visit** has one:

# %%
after = graphs.transition_graph(data, "lift", min_count=MIN_COUNT, max_q=MAX_Q)
has_after = after.n_links > 0
if has_after:
    table = after.pairs().head(6)
    i, j = table["i"].to_numpy(), table["j"].to_numpy()
    back = np.asarray(after.weights.T[i, j]).ravel()
    together = np.asarray(graph.weights[i, j]).ravel() > 0
    shown = {"product": names[i], "at the next visit": names[j], "lift": table["weight"]}
    shown |= {"lift of the way back": np.where(back, back, np.nan), "in one basket": together}
    display(pd.DataFrame(shown))
    say(
        f"**What we see.** Of these {len(table)} links {int((back == 0).sum())} run one way "
        f"only (no number: that way round there is no link), and {int((~together).sum())} "
        "are not to be found in baskets."
    )
else:
    left_out("what comes at the next visit", "no pair passes the filter in this order")

# %% [markdown]
# ## 2. Over several links
# The promise of a graph is the second step: what is linked to what is linked. A path is as strong as
# the product of its links, and only the best path counts. By hand, with chances as weights:

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
# Rings such as these always look meaningful. A test: take all pairs that are *no* link in the
# earlier baskets, and look at the later ones. Pairs with a common neighbour should meet more often
# later, *also among pairs whose own lift was alike so far*. To compare, the table pools pairs:
# baskets with both, divided by those expected if the two were independent.

# %%
definition = graphs.LinkDefinition(min_count=NEW_COUNT, max_q=NEW_Q)
part, shares = "the second step and the links to come", {"validation": VALIDATION, "test": TEST}
tasks = material(part, graphs.make_link_tasks, bought, definition, **shares)
has_tasks = bool(tasks) and min(task.graph.n_links for task in tasks) > 1
if tasks and not has_tasks:
    left_out(part, "the past has fewer than two links to learn from")
if has_tasks:
    test_task = tasks.test
    step = graphs.second_step(test_task, stretches.test)
    display(step.table)

# %% [markdown]
# One number for the table: at like own lift, how many times as often do pairs with a common
# neighbour meet later? For its interval *products* are drawn anew, since pairs that share one are
# not independent.

# %%
two_hops, two_hops_between = np.nan, (np.nan, np.nan)
if has_tasks:
    two_hops, two_hops_between = step.times_as_often, step.interval(seed=SEED)
low, high = two_hops_between
second_link = {
    evaluation.WINS: "A second link says something that the pair's counts do not say yet.",
    evaluation.LEVEL: "Whether a second link says more than the pair's counts is open.",
    evaluation.LOSES: "A second link misleads here: such pairs meet less often.",
}[evaluation.verdict(low - 1, high - 1) if np.isfinite(two_hops) else evaluation.LEVEL]
say(
    "**What we see.** Pairs with a common neighbour meet later "
    f"**{two_hops:.3f} times** as often as others of like own lift ({low:.3f} to {high:.3f}). "
    + second_link
    if np.isfinite(two_hops)
    else "No two groups of like own lift can be compared here."
)

# %% [markdown]
# The share that *become links* overstates it: products with neighbours are sold more, and what is
# sold more passes the filter more easily. The lift does not know that advantage.
#
# ## 3. Groups and middles
# **Communities** are groups with more links inside than chance would put there [Blondel and others
# 2008]. How large such groups are is a choice, the *resolution*: a higher one gives more and smaller
# groups. Do they repeat what is known of the products? Agreement is measured by the **normalised
# mutual information**, $\text{NMI} = 2 I(X; Y) / (H(X) + H(Y))$: 0 where one grouping says nothing
# about the other, 1 where both are the same. But many small groups agree with anything. So the
# labels are dealt out at random many times, and the **adjusted** measure (AMI) subtracts what chance
# gets [Vinh and others 2010].

# %%
if has_links:
    known = {"departments": groups} if has_departments else {}
    if DATASET == "shop":
        truth, ids = shop.truth(), data.items["item_id"]
        ranges = truth["structure"]["roles"].values()  # of each role: style → its products
        of_style = {item: name for styles in ranges for name in styles for item in styles[name]}
        of_mission = {}
        for mission, facts in reversed(truth["background"]["missions"].items()):
            of_mission |= dict.fromkeys(facts["item"], mission)
        known["planted styles"] = ids.map(of_style).to_numpy()
        known["planted missions"] = ids.map(of_mission).to_numpy()
    found = {name: graphs.communities(graph, seed=SEED, resolution=scale)
             for name, scale in (("large", 1.0), ("small", 4.0))}  # fmt: skip
    for name, labels in found.items():
        sizes = np.bincount(labels[labels >= 0])
        print(f"{name} communities: {len(sizes)}, the first with {sizes[:6]} products")

# %%
if has_links:
    agreements = {
        (size, name): graphs.agreement(labels, other, permutations=200, seed=SEED)
        for size, labels in found.items()
        for name, other in known.items()
    }
    if known:
        shown = pd.DataFrame({name: one._asdict() for name, one in agreements.items()}).T
        display(shown.drop(columns=["by_chance_high", "ari"]))
    else:
        print(f"{data.name} knows no groups of products to compare with.")

# %%
if has_links and known:
    best = {name: max(found, key=lambda size: agreements[size, name].ami) for name in known}
    for name in list(known)[-2:]:
        inside = np.where(pd.notna(known[name]), found[best[name]], graphs.NO_COMMUNITY)
        title = f"Products that {best[name]} communities share with {name}"
        display(graphs_figures.groups_against_groups(inside, known[name], title=title))
    seen = []
    for name, size in best.items():
        one = agreements[size, name]
        accident = "no accident" if one.p_value < 0.05 else "perhaps an accident"
        seen.append(
            f"- The {name} agree best with the {size} communities: an AMI of {one.ami:.2f}, "
            f"{accident} (p = {one.p_value:.2g})."
        )
    say("**What we see.**", *seen)

# %% [markdown]
# A low agreement with departments is no failure: a graph of what is bought *together* shows
# purposes, and shelves are sorted by kind. In the shop purposes are known, since we planted them: a
# *mission*, such as a breakfast, and in its wide range the *style* of a customer, such as organic.
#
# **Centrality** says how much a product is in the middle: the number of its links (degree), how
# often a random walker comes by (PageRank), on how many shortest paths it lies (betweenness). Before
# any of these is called an *anchor product*, compare it with sales: what is sold much meets much.

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
    all_counts = ranks[naive.columns[0]]
    known_ranks = ranks[with_sales["measure"]].dropna()
    filtered = ", ".join(f"{rank:.2f} for {name}" for name, rank in known_ranks.items())
    say(
        "**What we see.** With all counts as links (on the right) strength and sales have a "
        f"rank correlation of **{all_counts:.3f}**; after the filter it is {filtered}."
    )

# %% [markdown]
# Near 1 the middle of the graph is a list of bestsellers, which needs no graph. Even after the
# filter some of the agreement is statistical power: what is sold much has enough baskets to be
# linked at all. The named products stand out *for their sales*; these may be worth a look.
#
# ## 4. Links to come
# Which pairs that are no link yet will be one? The task, stated in full, since results depend on it
# more than on the method:
#
# - The past is all baskets before a day; a **link** is a pair that passes the filter in its stretch
#   of time. The filter is looser than that of the figures, because few links are new.
# - **Candidates** are all pairs that are no link in the past, of products sold in at least 20
#   baskets. Those that pass the filter in the stretch that follows, counted there alone, are the
#   **positives**; all others are the negatives.
# - Settings are chosen on one stretch; the next one judges, once. The measure is **average
#   precision**: go down the list, at each positive note the share of positives so far, and take the
#   mean. Intervals are drawn over *products*.
#
# Three kinds of rivals. The pair's **own counts**: it was together before, only too seldom to be a
# link. The **neighbours**, among them the score of Adamic & Adar [2003], for which a neighbour in
# common says more the fewer links it has ($N(a)$: what $a$ is linked to):
#
# $$\text{AA}(a, b) = \sum_{c\, \in\, N(a)\, \cap\, N(b)} \frac{1}{\ln |N(c)|}.$$
#
# And **networks**. GraphSAGE [Hamilton and others 2017] gives each product a vector, made of its own
# and of the mean of its neighbours' vectors, twice in a row. $W_1$ and $W_2$ are learned tables, and
# ReLU sets negative numbers to 0:
#
# $$\mathbf h_a' = \text{ReLU}\Bigl(W_1 \mathbf h_a + W_2 \sum_{b} \tfrac{w_{ab}}{\sum_c w_{ac}}\, \mathbf h_b\Bigr);$$
#
# two products are linked where the dot product of their vectors is large. LightGCN leaves out the
# tables and the ReLU. Beside them a network without a graph (**MLP**) reads the same features, a
# vector of the product's own and its text: what it finds does not come from the graph.

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
    scored = {method: [choice.system(test_task)] for method, choice in chosen.items()}
    valued = {method: choice.value for method, choice in chosen.items()}
    own_best = max(COUNTED["own counts"], key=valued.get)
    on_graph = max(COUNTED["counted on the graph"], key=valued.get)
    print(f"best on validation: of a pair's own counts {own_best},", end=" ")
    print(f"of those on the graph {on_graph}")

# %% [markdown]
# Networks learn by hiding: in each step one half of the links passes no messages and has to be
# predicted from the other half, each link against pairs that are none. The number of passes is
# chosen on validation.

# %%
written = models.item_texts(data.items)
meant = material("what the texts say", models.TfidfText().vectors, written)
features = np.zeros((n_items, 1))  # without words a network has its own vectors alone
if meant is not None and min(meant.shape) > 1:
    width = min(64, *(n - 1 for n in meant.shape))
    features = TruncatedSVD(width, random_state=0).fit_transform(meant)
print("text of each product, as numbers:", features.shape)

# %%
PLAN = models.Settings(
    epochs=LINK_EPOCHS, validate_every=5, patience=3,
    learning_rate=1e-2, decay="constant", precision="no",
)  # fmt: skip
MESSAGES = {"nearest": 20, "folds": 2, "others": 8}  # strongest links of each product; halves
NETWORKS = ("GraphSAGE", "LightGCN")
passes_of = {}
for encoder in ("MLP", *NETWORKS) if has_tasks else ():
    runs = [
        graphs.predict_links(
            tasks, features, replace(PLAN, seed=SEED + n), encoder=encoder, **MESSAGES
        )
        for n in range(LINK_SEEDS)
    ]
    scored[encoder] = [run.test for run in runs]
    valued[encoder] = float(np.mean([run.value for run in runs]))
    passes_of[encoder] = [run.epochs for run in runs]
    kind_of[encoder] = "network, graph" if encoder in NETWORKS else "network, no graph"
print("passes over the links:", passes_of)

# %%
if has_tasks:
    judged = {
        method: evaluation.MeanOfRuns(
            method, [graphs.evaluate_links(test_task, scores, method) for scores in runs]
        )
        for method, runs in scored.items()
    }
    spread = {
        method: np.std([run.mean() for run in one.runs], ddof=1) if len(one.runs) > 1 else None
        for method, one in judged.items()
    }
    found = evaluation.means_table(judged, "average_precision", seed=SEED)
    precision = found["mean"].to_dict()
    about = {"kind": kind_of, "validation": valued, "sd over seeds": spread}
    found = found.drop(columns="cases").join(pd.DataFrame(about)).rename_axis("method")
    results_of_links = found.sort_values("mean", ascending=False)
    display(results_of_links)

# %%
if has_tasks:
    by_chance = float(test_task.appears.mean())
    title = f"{data.name}: {test_task.appears.sum()} new links among {len(test_task.i):,} pairs"
    shown = results_of_links.reset_index().rename(columns={"mean": "average_precision"})
    display(graphs_figures.link_prediction(shown, by_chance, kind_of, title=title))

# %% [markdown]
# Whether one is ahead of another is seen link by link, not by whether two intervals overlap. What
# was chosen on validation, against the rivals that it should beat. The last row joins two scores in
# a weighted sum, its weights fitted on validation: does the second one *add* to the first?

# %%
if has_tasks:
    pairs = [(on_graph, own_best)]
    pairs += [(net, rival) for net in NETWORKS for rival in (own_best, on_graph, "MLP")]
    differences = {
        (one, other): evaluation.compare(
            judged[one], judged[other], "average_precision", seed=SEED
        )
        for one, other in pairs
    }

# %%
if has_tasks:
    at_first, at_last = (
        {method: chosen[method].system(task) for method in (own_best, on_graph)}
        for task in tasks
    )
    joined, weights = graphs.joined_scores(tasks.validation, at_first, test_task, at_last)
    both = f"{own_best} and {on_graph} joined"
    found = evaluation.MeanOfRuns(both, [graphs.evaluate_links(test_task, joined, both)])
    differences[both, own_best] = evaluation.compare(
        found, judged[own_best], "average_precision", seed=SEED
    )
    display(evaluation.comparison_table(differences.values()))

# %%
if has_tasks:
    shown_scores = at_last | {"joined": joined} | {name: scored[name][0] for name in NETWORKS}
    support = graphs.by_support(test_task, shown_scores, own_best, seed=SEED)
    display(graphs_figures.gain_by_support(support, own_best))

# %% [markdown]
# What is predicted first, by the best counting on the graph:

# %%
if has_tasks:
    order = np.argsort(-test_task.candidate_scores(scored[on_graph][0]), kind="stable")[:6]
    one, other = test_task.i[order], test_task.j[order]
    shown = {"product": names[one], "and": names[other]}
    shown["baskets with both so far"] = test_task.counts[one, other].astype(int)
    shown["lift so far"] = test_task.counts[one, other] / test_task.expected[one, other]
    shown["becomes a link"] = test_task.appears[order]
    display(pd.DataFrame(shown))

# %%
if has_tasks:
    best_of_all = results_of_links.iloc[0]
    networks_say = "; ".join(
        f"{network} is {against(differences[network, own_best])}, "
        f"{against(differences[network, on_graph])} and {against(differences[network, 'MLP'])}"
        for network in NETWORKS
    )
    say(
        f"**What we see.** New links are rare: chance has an average precision of "
        f"{by_chance:.4f}, the highest value of this test, of {best_of_all.name}, is "
        f"{best_of_all['mean']:.3f}. Counted on the graph, {on_graph} is "
        f"{against(differences[on_graph, own_best])}; the two joined are "
        f"{against(differences[both, own_best])}.",
        f"The networks: {networks_say}.",
    )

# %% [markdown]
# Of a network ask three things before you believe in it: is it ahead of the pair's own counts, of
# counting on the same graph, and of the network without a graph? And how much does it differ from
# seed to seed (`sd over seeds`)? A single run could support any story. In the shop's wide range most
# pairs of one style met seldom, but each product has neighbours of that style: what is averaged over
# neighbours says more than the pair. Names tell the style as well, so the MLP has its own way to it.
# `benchmarks/graphs.py` asks the same of a wholesaler's data.
#
# **What flatters.** Two habits of the literature on links. *Sampled negatives*: a method has to find
# each positive among a few pairs drawn at random, not among all. *Random hiding*: links of the past
# are hidden and found again; the baskets they came from stay, and a pair's own counts give the
# answer away.

# %%
if has_tasks:
    among_all = {name: precision[name] for name in (own_best, on_graph, *NETWORKS)}
    hidden = graphs.hide_links(test_task.past, definition, seed=SEED)
    found_again = {name: chosen[name].system(hidden) for name in (own_best, on_graph)}
    for network in NETWORKS:
        plan = replace(PLAN, epochs=passes_of[network][0], seed=SEED)
        fitted = graphs.fit_past(hidden, features, plan, encoder=network, **MESSAGES)
        found_again[network] = fitted.scores()
    found_again = {
        name: graphs.evaluate_links(hidden, scores).mean()
        for name, scores in found_again.items()
    }
    flattery = {"all candidates": among_all | {"chance": by_chance}}
    flattery["hidden at random"] = found_again | {"chance": float(hidden.appears.mean())}

# %%
if has_tasks:
    easy = test_task.sampled(1, seed=SEED)
    drawn = {
        name: float(np.mean([graphs.evaluate_links(easy, run).mean() for run in scored[name]]))
        for name in among_all
    }
    half = float(easy.appears.mean())
    flattery["1 negative each"] = drawn | {"chance": half}
    display(pd.DataFrame(flattery).rename_axis("average precision"))

# %%
if has_tasks:
    orders = {tuple(sorted(way, key=way.get)) for way in (among_all, drawn)}
    say(
        f"**What we see.** With one sampled negative for each positive {on_graph} has an "
        f"average precision of {drawn[on_graph]:.2f} instead of {among_all[on_graph]:.3f}, "
        f"chance has {half:.2f}, and the order of the methods "
        f"{'stays' if len(orders) == 1 else 'changes as well'}. On links hidden at random "
        f"{own_best} has {found_again[own_best]:.2f} instead of "
        f"{among_all[own_best]:.3f} on links to come; {on_graph}, which sees the graph "
        f"alone, {found_again[on_graph]:.2f} instead of {among_all[on_graph]:.3f}."
    )

# %% [markdown]
# The same scores, the same links: only the question became easier. Hidden at random, a link stays in
# the counts: whoever compares a network with a pair's own lift there has compared it with the
# answers. Before believing a table of link prediction, look for the candidates and for the clock.

# %% [markdown]
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("10.1")` in a new cell; ask again and
# you get another one.
#
# **Exercise 10.1.** By hand: of 10 baskets 4 hold rice, 5 hold soy sauce, and 4 hold both. What is
# the lift of the pair, and what its PMI in bits?

# %%
# two numbers: lift, PMI
### BEGIN SOLUTION
answer = 4 * 10 / (4 * 5), np.log2(4 * 10 / (4 * 5))
### END SOLUTION
_ = check.exercise("10.1", answer)

# %% [markdown]
# **Exercise 10.2.** Write a function that gives for each pair the chance that a walker who takes
# exactly two steps gets from the first to the second, links being chosen in proportion to their
# weights. Pairs that are linked directly, and a product with itself, get 0.


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
_ = check.exercise("10.2", two_steps)

# %% [markdown]
# **Exercise 10.3.** Write a function that judges link prediction fairly: of the pairs that are no
# link in the past, take the `k` with the highest scores. Which share of all *new* links is among
# them? Each pair counts once.


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
_ = check.exercise("10.3", recall_of_new_links)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded below |
# |---|---|---|
# | A graph neural network finds associations over several links, and makes the analysis more precise. | T2 | new links, networks against counting (`links/…`); what a second link says (`graph/two_hops…`) |

# %% tags=["hide"]
_ = ledger.record("data/fingerprint", data.fingerprint())
if has_sure:
    ledger.record(
        "graph/met_again_without_filter", float(unsure["met_again"]),
        baseline=float(sure["met_again"]), tolerance=1e-6,
        note="share of the 50 pairs of highest lift; the baseline is with filter",
    )  # fmt: skip
if np.isfinite(two_hops):
    note = "later lift of pairs with a common neighbour by that of others of like own lift, "
    ledger.record(
        "graph/two_hops_times_as_often", two_hops, interval=two_hops_between,
        baseline=1.0, tolerance=1e-6, claim="9", note=note + "no network",
    )  # fmt: skip

# %% tags=["hide"]
if has_links:
    ledger.record_table(
        "graph/ami_{}_communities_{}", {name: one.ami for name, one in agreements.items()},
        baseline=0.0, tolerance=1e-6,
        note=lambda name: f"NMI {agreements[name].nmi:.2f}, "
        f"of which chance gets {agreements[name].by_chance:.2f}",
    )  # fmt: skip
    _ = ledger.record_table(
        "graph/sales_and_{}",
        correlations.dropna().set_index("measure").rename(columns={"spearman": "value"}),
        baseline=0.0, tolerance=lambda name: 0.05 if "between" in name else 1e-6,
        note="rank correlation over products",
    )  # fmt: skip

# %% tags=["hide"]
if has_tasks:
    of_network = [method for method, kind in kind_of.items() if kind.startswith("network")]
    ledger.record_table(
        "links/average_precision_{}",
        results_of_links, claim="9",
        tolerance=lambda name: 0.02 if name in of_network else 1e-6,
        baseline={name: by_chance for name in kind_of if name not in of_network},
        note=lambda name: f"{kind_of[name]}, mean of {LINK_SEEDS} seeds"
        if name in of_network else f"{kind_of[name]}; the baseline is chance",
    )  # fmt: skip
    _ = ledger.record_table(
        "links/{first}_against_{second}", differences.values(), baseline=precision,
        claim=lambda name: "9" if name in NETWORKS else None,
        tolerance=lambda name: None if name in NETWORKS else 1e-6,
        note="average precision, interval over products",
    )  # fmt: skip

# %% tags=["hide"]
if has_tasks:
    ledger.record(
        "links/flattered_by_one_negative", drawn[on_graph],
        baseline=among_all[on_graph], tolerance=1e-6, claim="9",
        note=f"{on_graph}; the baseline is among all candidates",
    )  # fmt: skip
    _ = ledger.record(
        "links/flattered_by_hiding", found_again[own_best],
        baseline=among_all[own_best], tolerance=1e-6, claim="9",
        note=f"{own_best}; the baseline is links to come",
    )  # fmt: skip

# %% [markdown]
# ## Summary

# %%
bullets = ["- A graph is as good as its links: ask for a count and for a test."]
if has_sure:
    bullets[0] += (
        f" Of the pairs of highest lift {unsure['met_again']:.0%} meet again without a "
        f"filter, and {sure['met_again']:.0%} with one."
    )
bullets.append(f"- {second_link}")
if has_links:
    bullets.append(
        f"- What stands in the middle of all counts are bestsellers (rank correlation with "
        f"sales {all_counts:.2f}). Compare a centrality with sales first."
    )

# %%
if has_tasks:
    gain = differences[on_graph, own_best]
    nets = [differences[network, on_graph] for network in NETWORKS]
    ahead = sum(net.verdict == evaluation.WINS for net in nets)
    bullets += [
        f"- Links to come: counted on the graph, {on_graph} is {against(gain)}. Of the "
        f"{len(nets)} networks {ahead or 'none'} is clearly ahead of it.",
        "- Sampled negatives and random hiding make any method look good: look for all "
        "candidates, and for the clock.",
    ]
say(*bullets)

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
# - D. Liben-Nowell, J. Kleinberg (2007). The link-prediction problem for social networks. JASIST 58.
# - A. Owen (2007). The pigeonhole bootstrap. Annals of Applied Statistics 1.
# - L. Page and others (1999). The PageRank citation ranking: bringing order to the web. Stanford InfoLab.
# - N. Vinh, J. Epps, J. Bailey (2010). Information theoretic measures for clusterings comparison. JMLR 11.
#
# Texts under test: T1 to T5, see lesson [01](01_count_what_goes_together.ipynb).
