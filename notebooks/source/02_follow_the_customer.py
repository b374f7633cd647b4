# %% [markdown]
# # 02 · Follow the customer
#
# *Question: What does the order of visits add?*
#
# Lesson 01 looked into baskets and forgot everything in between. But customers who bought a coffee
# machine come back for coffee, and never the other way round. This lesson follows customers from visit
# to visit: with patterns, with rules whose arrow means *later*, and with predictions of the next visit,
# which the sequence models of later lessons have to beat.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | mine sequential patterns by hand and with PrefixSpan | what a basket view loses, and what gaps and windows do | [01 Count what goes together](01_count_what_goes_together.ipynb) |
# | test rules, and find the planted ones with their direction | when "A then B" is more than a taste for both | 50 minutes, under 2 GB of memory, no GPU |
# | predict the next visit by counting | why a random split and sampled negatives mislead | {run_time} |

# %% tags=["hide"]
import math

import numpy as np
import pandas as pd
from IPython.display import display
from scipy import sparse

from llmarm_tutorial import evaluation, mining, recommend
from llmarm_tutorial.data import load, shop, thin
from llmarm_tutorial.errors import DataError
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import mining as mining_figures
from llmarm_tutorial.figures import sequences as sequences_figures
from llmarm_tutorial.lesson import (
    against,
    check,
    ledger,
    left_out,
    library_answers,
    number,
    require_enough,
    say,
    show_code,
)

# %% tags=["hide"]
house_style.use_style()
pd.options.display.float_format = number

# %% [markdown]
# The next cell holds what you can change: change a value, run all cells, look at what moved.
#
# {parameters}

# %% tags=["parameters"]
DATASET: str = "shop"  # a name from `llmarm data list`, or the path of your own file
BASKET_COL: str = ""  # of your own file: the column that says which basket
ITEM_COL: str = ""  # of your own file: which item
USER_COL: str = ""  # of your own file: who bought
TIME_COL: str = ""  # of your own file: when
ORDER_COL: str = ""  # of your own file: number of the visit, where no time is known
QUANTITY_COL: str = ""  # of your own file: how many; rows not above 0 are left out
FORMAT: str = ""  # of your own file: rows, baskets, lists or wide; empty: found out
MAX_ITEMS: int = 2000  # of more, those bought most are taken; 0: all of them
MAX_ROWS: int = 300000  # of more purchases, those of customers drawn at random; 0: all
SEED: int = 7  # of the random draws and the bootstrap
WITHIN: int = 3  # visits: how soon after A must B come to count as following
MIN_COUNT: int = 5  # visits in which a rule must hold to be looked at
FREQUENT_ITEMS: int = 24  # so many single items are frequent; raise it if no patterns come out
MAX_CASES: int = 1500  # customers asked when predictions are evaluated

# %% [markdown]
# ## 1. A set forgets what came first
# A **sequence** is what one customer bought, visit after visit. A visit is a basket; where the data has
# no baskets, every event is a visit of its own.

# %%
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="following customers")
require_enough(data, "following customers", customers=50, visits=3, items=2)
follows = mining.follow_rules(data, WITHIN, MIN_COUNT)  # what comes soon after what
if not len(follows):
    raise DataError(
        f"No item of {data.name} follows another {MIN_COUNT} times (MIN_COUNT) within {WITHIN} "
        "visits, so there is nothing to follow: lower it or take a file with more visits."
    )
_ = ledger.record("data/fingerprint", data.fingerprint())

# %%
runs = data.histories()
held, user = runs.visit_matrix()  # visits × items, and whose visit it is
n_visits = np.bincount(user)
name_of = np.array(data.labels("name"), dtype=object)
print(f"{len(n_visits):,} customers, {len(user):,} visits,", end=" ")
print(f"{held.nnz:,} purchases of {len(name_of):,} items")
print(f"half of the customers came {np.median(n_visits):.0f} times or more,", end=" ")
print(f"the most faithful {n_visits.max():,} times")

# %%
typical = int(np.argmin(np.abs(n_visits - np.median(n_visits))))
for visit, row in enumerate(np.flatnonzero(user == typical)[:8], start=1):
    bought = [str(name) for name in name_of[held[row].indices]]
    print(f"visit {visit}:", ", ".join(bought[:8]), "…" if len(bought) > 8 else "")

# %% [markdown]
# One pair of items will show what the order is worth: the one that section 5 will put at the top. Each
# line below is one customer, drawn at random from those who bought both, with a tick for every visit.

# %%
best = mining.rank_rules(follows, "p_value", 1).iloc[0]
sides = ["antecedent", "consequent"]
a, b = (int(np.flatnonzero(data.items["item_id"] == min(best[side]))[0]) for side in sides)

# %%
both = [np.unique(user[held[:, [column]].toarray().ravel()]) for column in (a, b)]
candidates = np.intersect1d(*both)
candidates = candidates[n_visits[candidates] <= max(40, n_visits[candidates].min() * 2)]
drawn = np.sort(np.random.default_rng(SEED).permutation(candidates)[:14])
lines = [tuple(held[user == customer][:, [a, b]].toarray().T) for customer in drawn]
sequences_figures.timelines(lines, (str(name_of[a]), str(name_of[b])), WITHIN)

# %% [markdown]
# The bold lines lead from the first item to the second one soon after. What does a view without order
# make of this pair? The lift of lesson 01 sees both items in one basket, or not. (Without baskets, we
# take all that a customer ever bought as one set.)

# %%
one_set = "basket" if "baskets" in data.aspects else "customer"
per_customer = sparse.csr_matrix((np.ones(len(user)), (user, np.arange(len(user))))) @ held
units = held if one_set == "basket" else per_customer.astype(bool)
x, y = (units[:, [column]].toarray().ravel() for column in (a, b))
reverse = follows["antecedent"] == best["consequent"]
reverse &= follows["consequent"] == best["antecedent"]  # one rule or none
pair_lifts = {
    f"in one {one_set}": float((x & y).mean() / (x.mean() * y.mean())),
    f"second within {WITHIN} visits after the first": float(best["lift"]),
    f"first within {WITHIN} visits after the second": float(follows["lift"][reverse].sum()),
}
pd.Series(pair_lifts, name=f"lift of {name_of[a]} and {name_of[b]}").to_frame()

# %%
in_set, in_order, turned_round = pair_lifts.values()
kinds = ("as if the two avoided each other", "as if the two had little to do with each other")
say(
    f"**What we see.** In one {one_set} the lift is {in_set:.2f}, "
    + (kinds[0] if in_set < 0.8 else kinds[1] if in_set < 1.25 else "which shows a link")
    + f". In this order it is {in_order:.1f}, in the other {turned_round:.1f}."
)

# %% [markdown]
# (A lift of 0 stands for fewer cases than `MIN_COUNT`.)

# %% [markdown]
# ## 2. By hand: patterns and windows
# A **pattern** $\langle p_1, \dots, p_k \rangle$ is found in a sequence if there are visits $t_1 < t_2 < \dots < t_k$
# such that visit $t_i$ holds the item $p_i$. Anything may lie between. A customer counts once, and the
# support is the share of the customers:
#
# $$\operatorname{supp}(\langle p_1, \dots, p_k \rangle) = \frac{\text{number of customers whose sequence holds the pattern}}
# {\text{number of customers}}.$$
#
# Five customers of a café corner, one item a visit: **c**offee, **f**ilters, **m**ilk. Count $\langle c, f\rangle$
# and $\langle f, c\rangle$ with a pencil first.

# %% tags=["nbval-check-output"]
five = ["cmf", "mcfm", "fmc", "cf", "mcmf"]
tiny = mining.transactions_from_lists(five)
counted = mining.mine_sequences(tiny, 1, max_length=2).table()
counted["pattern"] = ["⟨" + ", ".join(p) + "⟩" for p in counted["pattern"]]
with_both = sum({"c", "f"} <= set(sequence) for sequence in five)
print("baskets of all time that hold c and f:", with_both, "of 5")
counted[counted["length"] == 2].drop(columns="length").reset_index(drop=True)

# %% [markdown]
# As sets, coffee and filters are together for all five customers. As patterns, filters follow coffee
# for all but one, and coffee follows filters for that one only.
#
# A **sliding window** is the simplest way to ask *how soon*: just behind each visit, look at the next
# $w$ visits and see what they hold. For a rule $A \Rightarrow B$ the **confidence within $w$ visits** is
#
# $$\operatorname{conf}_w(A \Rightarrow B) = \frac{\text{visits with } A \text{ that have } B \text{ in one of the next } w \text{ visits}}
# {\text{visits with } A \text{ that have a next visit}}.$$
#
# Here *visits* are counted, not customers. Of a customer's last visit nobody knows what follows, so it
# is left out. The honest comparison is with the same share over *all* visits that have a next one, the
# **base rate**; their ratio is the lift.


# %%
def within(width: int) -> dict[str, float]:
    """Confidence, base rate and lift of a ⇒ b in a window of that many visits."""
    has_next = np.append(user[1:] == user[:-1], False)
    # does the window behind a visit hold b?
    frame = mining.followed_by(held[:, [b]], user, width)[has_next].toarray().ravel()
    with_a = held[:, [a]][has_next].toarray().ravel()
    confidence, base = frame[with_a].mean(), frame.mean()
    return {"within": width, "confidence": confidence, "base": base, "lift": confidence / base}


widths = pd.DataFrame([within(width) for width in range(1, 9)])
sequences_figures.by_window(widths, f"{name_of[a]} ⇒ {name_of[b]}")

# %%
ends = widths.iloc[[0, -1]].to_dict("list")
say(
    "**What we see.** From a window of one visit to one of eight the confidence goes from "
    "{confidence[0]:.1%} to {confidence[1]:.1%}, the base rate from {base[0]:.1%} to "
    "{base[1]:.1%}, the lift from {lift[0]:.1f} to {lift[1]:.1f}.".format(**ends)
)

# %% [markdown]
# A wider window can only raise the confidence: sooner or later everything is bought. It raises the base
# rate as well. A confidence without its window and its base rate says nothing. From here on the window
# is `WITHIN` visits.

# %% [markdown]
# ## 3. PrefixSpan from nothing
# There are $m^k$ possible patterns of $k$ items. PrefixSpan (Pei et al. 2001) meets only those that
# occur. It grows a pattern at its end: cut every sequence right behind the first place where the
# **prefix** is complete, and what is left, the **projected database**, holds everything that can come
# next. In the five sequences, for the prefix $\langle m \rangle$:

# %% tags=["nbval-check-output"]
for sequence in five:
    _, found, rest = sequence.partition("m")
    print(f"{sequence:5} → {rest or '(nothing)' if found else 'no m: drops out'}")

# %% [markdown]
# Count items in the rests, each once per rest: *f* is in three, *c* in three, *m* in two. With a minimum
# of three customers, $\langle m, f\rangle$ and $\langle m, c\rangle$ are frequent. Then the same for each of
# them, with shorter and shorter rests. As it stands in the package:

# %%
show_code(mining.prefixspan)

# %% tags=["nbval-check-output"]
patterns = mining.prefixspan(five, min_count=3)
for pattern, count in sorted(patterns.items(), key=lambda found: (len(found[0]), found[0])):
    print("⟨" + ", ".join(pattern) + "⟩", count)

# %% [markdown]
# Why is the *first* place enough? Whatever comes after a later place comes after the first one as well.
# Remember this argument: in section 4 it breaks.

# %% [markdown]
# (`mining.mine_sequences`, used from here on, is faster: it keeps, for every item, the visits that hold
# it, and compares whole columns at once.)
#
# **Which program would you publish with?** The same few sequences, put to several. *on .07*: ⟨a, b⟩
# holds for 7 of 100 customers, and the minimum support is .07. *between*: it is .3 of five. *in a row*:
# an item comes twice in a row. *whole*: a pattern is as long as the longest sequence.

# %%
library_answers("patterns")

# %% [markdown]
# ## 4. Gaps and time windows
# Which patterns of our customers are frequent, if anything may lie between?

# %%
per_item = np.sort(np.diff(per_customer.tocsc().indptr))[::-1]  # customers who bought each item
least = max(2, int(per_item[min(FREQUENT_ITEMS, len(per_item)) - 1]))
frequent = mining.mine_sequences(data, least, max_length=3)
print(frequent)
table = frequent.table(label="name")
table[table["length"] == 3].nlargest(6, "count").reset_index(drop=True)

# %% tags=["hide"]
note = f"up to 3 items, {least:,} customers or more"
_ = ledger.record("patterns/frequent", len(frequent), note=note)

# %% [markdown]
# Such lists hold bestsellers, one after the other, in every order. It is lesson 01's trap of popularity,
# and worse: over a long sequence nearly everybody buys everything popular at some time.
#
# Three limits make a pattern mean something (Srikant & Agrawal 1996). A **maximum gap** says how many
# visits later the next element may come, a **minimum gap** how many it must at least, and a **window**
# bounds the time from first to last. With a maximum gap the argument of section 3 breaks:

# %% tags=["nbval-check-output"]
broken = mining.transactions_from_lists(["abbacd"])
found = mining.mine_sequences(broken, 1, max_gap=1).table()["pattern"].to_list()
print("⟨a, c, d⟩ without gaps is in abbacd:", ("a", "c", "d") in found)

# %% [markdown]
# The first *a* is followed by *b*; only the second *a* is followed by *c* at once. So a miner under
# limits keeps *every* place where a pattern can end.

# %%
limits = {"no limit": {}, f"next {WITHIN} visits": {"max_gap": WITHIN}}
limits |= {"next visit": {"max_gap": 1}}
if "clock" in data.aspects:
    limits |= {"within 28 days": {"window": "28D"}, "within 7 days": {"window": "7D"}}
rows = {}
for text, limit in limits.items():
    mined = mining.mine_sequences(data, least, max_length=3, **limit)
    rows[text] = [*mined.by_length(), 0, 0, 0][:3]
left = pd.DataFrame(rows, index=["1 item", "2 items", "3 items"]).T
left

# %%
several = left[["2 items", "3 items"]].sum(axis=1)
say(
    f"**What we see.** Of {several['no limit']:,} patterns of several items without limit, "
    f"{several[f'next {WITHIN} visits']:,} are left within the next {WITHIN} visits each and "
    f"{several['next visit']:,} in the next visit each, at the same minimum support."
)

# %% [markdown]
# What a limit takes away was a customer's long life, not a habit. One can also say what a pattern must
# hold, and then afford a much lower minimum support. Patterns around the item that section 1 ended with:

# %%
target = data.items["item_id"][b]
limit = {"max_length": 2, "max_gap": WITHIN, "containing": [target]}
around = mining.mine_sequences(data, MIN_COUNT, **limit).table(label="name")
around[around["length"] == 2].nlargest(6, "count").reset_index(drop=True)

# %% [markdown]
# ## 5. Rules with an arrow that means later
# For rules with one item on each side we count the confidence per visit, as in section 2. (Counted per
# customer it is higher: every customer gets many chances.) Ranked by confidence, then by lift:

# %%
by_visits = mining.follow_rules(data, WITHIN, MIN_COUNT, label="name")
mining.readable(mining.rank_rules(by_visits, "confidence", 5))

# %%
mining.readable(mining.rank_rules(by_visits, "lift", 5))

# %% [markdown]
# Confidence points to bestsellers. Lift finds rare pairs, some of them strong, some lucky. And even a
# real lift may have a dull reason: vegetarians buy tofu *and* lentils, so each follows the other, and
# nobody's lentils cause anybody's tofu. Two questions tell a rule from a taste.
#
# **Is it more than chance within each customer?** Suppose each customer's visits with $A$ lay at random
# among the customer's own visits. Then among customer $u$'s $n_u$ visits, of which $a_u$ hold $A$ and
# $c_u$ are followed by $B$ in time, we expect $a_u c_u / n_u$ to be both, and over all customers
#
# $$E = \sum_u \frac{a_u\, c_u}{n_u}.$$
#
# A taste for both raises $E$ too, so it no longer counts as evidence. (Cochran, Mantel and Haenszel
# compare within strata; here each customer is one.) The column `lift_within` is the count divided by
# $E$; `p_value` the probability that chance alone reaches the count. **Is it more in this direction
# than in the other?** If both orders were equally likely, the number of times that $B$ follows $A$
# would be like heads among coin flips: `direction_p`.

# %%
columns = ["count", "lift", "expected", "lift_within", "p_value"]
columns += ["reverse_count", "direction_p"]
mining.readable(mining.rank_rules(by_visits, "p_value", 12), columns)

# %% tags=["hide"]
passed = int((follows["q_value"] < 0.05).sum())
_ = ledger.record("rules/pass_the_test_within_customers", passed, note="q below 0.05")
note = f"ordered pairs that hold in {MIN_COUNT} visits or more"
_ = ledger.record("rules/looked_at", len(follows), note=note)

# %% [markdown]
# For every gap from six visits before to six visits after: how much more often than by chance within the
# customer is $B$ there, seen from a visit with $A$? The first row shows pairs with a direction, the
# second pairs without:

# %%
leading = mining.rank_rules(follows, "p_value", 40)
pairs = leading.apply(lambda rule: rule["antecedent"] | rule["consequent"], axis=1)
leading = leading[~pairs.duplicated()]
apart = leading[leading["direction_p"] < 0.001].head(3)
alike = leading[leading["direction_p"] > 0.05].head(3)
chosen = pd.concat([apart, alike])[sides].itertuples(index=False)
chosen = [(min(x), min(y)) for x, y in chosen]

# %%
if chosen:
    profiles = mining.lift_by_gap(data, chosen)
    names = dict(zip(data.items["item_id"], name_of, strict=True))
    pairs = profiles[sides].itertuples(index=False)
    profiles["pair"] = [f"{names[x]} → {names[y]}" for x, y in pairs]
    order = [f"{names[x]} → {names[y]}" for x, y in chosen]
    place = profiles["pair"].map(order.index)
    display(sequences_figures.before_and_after(profiles.iloc[place.argsort(kind="stable")]))

# %% [markdown]
# A rule with a direction stands on one side of zero: the second item comes *after* the first one,
# within a few visits, and before it no more often than by chance. A hill on both sides is a common
# reason, such as a season or a project in which both are bought. Both pass a test for "B follows A".

# %% [markdown]
# ## 6. Do we find the rules that were planted?
# Rank all ordered pairs of items and see how far down the list the planted sequential rules of the shop
# stand; the direction must be right. Beside the rankings by what follows stand the two that baskets
# give: lesson 01's lift and its p-value, in both directions.

# %%
planted, rankings = None, {}
if DATASET == "shop":
    planted = shop.planted_rules("sequential")
    truth = list(zip(planted["antecedent"], planted["consequent"], strict=True))
    together = mining.rule_significance(mining.pair_rules(data, MIN_COUNT))
    larger = follows.assign(p_value=np.maximum(follows["p_value"], follows["direction_p"]))
    rankings = {
        "same-basket lift": mining.rank_rules(together, "lift"),
        "same-basket p-value": mining.rank_rules(together, "p_value"),
        "confidence": mining.rank_rules(follows, "confidence"),
        "lift": mining.rank_rules(follows, "lift"),
        "test within customers": mining.rank_rules(follows, "p_value"),
        "both tests": mining.rank_rules(larger, "p_value"),
    }
else:
    print("Only the shop has a planted truth; this section is shown with DATASET = 'shop'.")

# %%
average = {}
if planted is not None:
    curves = {
        name: mining.against_truth(ranked, truth, directed=True)
        for name, ranked in rankings.items()
    }
    average = {name: mining.average_precision(curve) for name, curve in curves.items()}
    display(mining_figures.found_down_the_ranking(curves, len(truth), longest=40))

# %%
if planted is not None:
    ranked = rankings["test within customers"][sides].itertuples(index=False, name=None)
    places = {pair: place for place, pair in enumerate(ranked, start=1)}
    planted["place in the list"] = [places.get(pair) for pair in truth]
    columns = ["antecedent_names", "consequent_names", "difficulty"]
    columns += ["count", "confidence", "lift", "place in the list"]
    display(planted[columns].sort_values("place in the list", ignore_index=True))

# %%
if planted is not None:
    orders = sorted(average, key=lambda name: -average[name])
    first_places = int((planted["place in the list"] <= len(truth)).sum())
    say(
        "**What we see.** Average precision: "
        + ", ".join(f"{name} {number(average[name])}" for name in orders)
        + f". The test within customers has {first_places} of the {len(truth)} planted rules "
        f"among its first {len(truth)}."
    )

# %% tags=["hide"]
if planted is not None:
    note = f"{len(truth)} planted sequential rules, direction counted"
    ledger.record_table(
        "truth/average_precision_by_{}", average, tolerance=1e-9, claim="3", note=note
    )

# %% [markdown]
# What baskets do not show, no ranking of baskets can bring up: that is what a basket view loses.
# Confidence suffers from bestsellers, as in lesson 01; the lift needs `MIN_COUNT` as a guard against
# lucky pairs. The rule that comes last in the table rests on few visits: a model that is said to find
# "hidden" sequential patterns has to find this one, and not a hundred that are not there.

# %% [markdown]
# ## 7. Predict the next visit
# Each customer's last visit is hidden, the one before it serves to choose settings, and everything
# earlier is counted. For every customer all items are ranked, and **NDCG@10** says how well the items
# of the hidden visit stand among the first ten: 1 if they fill the head of the list, less the lower they
# stand, 0 if none is there. Two questions are asked:
#
# - **the next visit**: what will be in it?
# - **something new**: what will be in it that the customer never bought before? What was bought before
#   is no candidate. This is what most published comparisons ask.
#
# **Which program would you publish with?** One list of ten items, of which the third was bought. A
# pencil gives NDCG@10 = $1 / \log_2 4$ = .5, average precision (MAP) and reciprocal rank (MRR) 1/3,
# precision .1, recall and hit rate 1. Metrics of one name can differ in their definition:

# %%
library_answers("rankings")

# %%
split = data.leave_one_out()
tasks = {
    part: evaluation.next_item_task(split, part, max_cases=MAX_CASES, seed=SEED)
    for part in ("validation", "test")
}
n_cases, n_hidden = len(tasks["test"]), tasks["test"].targets.nnz
repeated = 1 - tasks["test"].n_new / n_hidden
print(f"{n_cases:,} customers, {n_hidden / n_cases:.1f} items in the hidden visit")
print(f"{repeated:.0%} of the hidden items were bought before")
new_tasks = {}
if all(task.n_new for task in tasks.values()):
    new_tasks = {part: task.only_new() for part, task in tasks.items()}
    print(f"{len(new_tasks['test']):,} customers bought something new")
else:
    left_out("the question for something new", "no customer bought anything new at the end")

# %% [markdown]
# The competitors count in the training part only. **Popularity** tells everybody the same. **Basket
# rules** recommend what shares baskets (without baskets: customers) with the last items, **Markov
# chain** what came in the visit right after them, **all transitions** what came within ten visits, near
# ones weighing more (Ludewig & Jannach 2018). **EASE** is a linear model that knows all purchases of a
# customer and no order (Steck 2019). **Tested rules** uses only rules that pass the test within
# customers at a false discovery rate of 5 %, each adding its *gain*, confidence less base rate.

# %%
train, n_items = split.train.histories(), len(data.items)
past = mining.follow_rules(split.train, WITHIN, MIN_COUNT)
past["gain"] = past["confidence"] - past["consequent_count"] / past["n_baskets"]
tested = past[(past["q_value"] < 0.05) & (past["gain"] > 0)]
print(f"{len(tested):,} of {len(past):,} rules are left after the test")
rules = recommend.recommend_by_rules(tested, data.items, by="gain", last=WITHIN)

# %%
unit = "basket" if "baskets" in data.aspects else "user"
systems = {
    "popularity": recommend.Popularity().fit(train),
    "basket rules": recommend.AssociationRules(unit=unit, last=WITHIN).fit(train),
    "Markov chain": recommend.MarkovChain().fit(train),
    "all transitions": recommend.SequentialRules().fit(train),
    "tested rules": rules,
}
if n_items <= recommend.Ease().max_items:
    systems["EASE"] = recommend.Ease().fit(train)

# %% [markdown]
# **Own habits** repeats what the customer buys anyway, and popularity a little. Tested rules are added
# to others as chances: scores divided by their sum. Settings and the weight of the rules are chosen on
# the validation visits, not on the test.


# %%
def with_rules(base: evaluation.Recommender, task: evaluation.Task, filter_seen: bool):
    """A system with the tested rules added, at the weight that is best on a validation task."""
    experts = recommend.Expert("base", base), recommend.Expert("tested rules", rules)
    mixtures = [
        recommend.Fusion(experts, {"share": (1.0, weight)}, filter_seen)
        for weight in (0.0, 0.03, 0.1, 0.3, 1.0)
    ]
    judge = recommend.validation_score(task, filter_seen=filter_seen)
    best = recommend.choose_setting(mixtures, judge).best
    print(f"weight {best.weights['share'][1]:g} for the rules")
    return best


# %%
if new_tasks:
    systems["popularity + tested rules"] = with_rules(
        systems["popularity"], new_tasks["validation"], True
    )
if repeated > 0.01:
    about = {"budget": 6, "seed": SEED, "filter_seen": False}
    habits = recommend.tune_baseline("personal", train, tasks["validation"], **about).system
    systems["own habits"] = habits
    systems["own habits + tested rules"] = with_rules(habits, tasks["validation"], False)


# %%
def judged(task: evaluation.Task, filter_seen: bool, names: list[str]) -> dict:
    """Evaluations of systems, by name."""
    return {
        name: evaluation.evaluate(systems[name], task, filter_seen=filter_seen, name=name)
        for name in names
    }


for_new = [name for name in systems if "habits" not in name]
for_all = [name for name in systems if name != "popularity + tested rules"]  # made for new ones
of_new = judged(new_tasks["test"], True, for_new) if new_tasks else {}
of_all = judged(tasks["test"], False, for_all) if repeated > 0.01 else {}
found = {"the next visit": of_all, "something new": of_new}
found = {question: of for question, of in found.items() if of}

# %%
means = {question: evaluation.means_table(of, seed=SEED) for question, of in found.items()}
winners = {question: evaluation.clear_winner(of, seed=SEED) for question, of in found.items()}
sequences_figures.scores(means, "NDCG@10", winners)

# %% [markdown]
# A system is coloured if it is better than each other beyond luck. Paired tests on the same customers,
# against own habits for the next visit, and against popularity for something new:

# %%
gains = {}
for task, of, rival in (("next", of_all, "own habits"), ("new", of_new, "popularity")):
    for name in of:
        if name != rival:
            gains[task, name] = evaluation.compare(of[name], of[rival], seed=SEED)
if of_new:
    selected, all_rules = of_new["popularity + tested rules"], of_new["all transitions"]
    gains["new", "selection"] = evaluation.compare(selected, all_rules, seed=SEED)
evaluation.comparison_table(gains.values()).drop(columns=["metric", "cases"])

# %%
seen = []
if of_all:
    others = {name: gains["next", name] for name in for_all if "habits" not in name}
    nearest = max(others.values(), key=lambda gain: gain.difference)
    ahead = sum(gain.verdict == evaluation.WINS for gain in others.values())
    added = gains["next", "own habits + tested rules"]
    seen = [
        f"- *The next visit*: of {len(others)} systems without own habits {ahead} are better "
        f"than own habits; the best of them, {nearest.first}, is {against(nearest)}. Tested "
        f"rules added to own habits are {against(added)}."
    ]
if of_new:
    seen.append(
        f"- *Something new*: “all transitions” is {against(gains['new', 'all transitions'])}. "
        "Tested rules added to popularity are "
        f"{against(gains['new', 'popularity + tested rules'])} and "
        f"{against(gains['new', 'selection'])}."
    )
say("**What we see.**", *seen)

# %% tags=["hide"]
for question, task, rival in (
    ("something new", "new", "popularity"),
    ("the next visit", "next", "own habits"),
):
    if question in means:
        of_rival = means[question]["mean"][rival]
        ledger.record_table(
            f"{task}/ndcg_at_10_{{}}",
            means[question],
            baseline=lambda name, of=of_rival, rival=rival: None if name == rival else of,
            tolerance=1e-6,
            claim=lambda name: "19" if "+ tested rules" in name else "1",
            note=f"{n_cases:,} customers, bootstrap; baseline: {rival}",
        )
same_customers = {"tolerance": 1e-6, "note": "NDCG@10, the same customers"}
by_pair = {
    (task, gain.first): gain for (task, name), gain in gains.items() if name != "selection"
}
_ = ledger.record_table("{}/gain_{}_over_{second}", by_pair, **same_customers)
if of_new:
    of_selection = [gains["new", "selection"]]
    ledger.record_table("new/gain_{first}_over_{second}", of_selection, **same_customers)

# %% [markdown]
# Where people repeat themselves, a customer's own past is hard to beat. Among all transitions the true
# rules can drown in thousands of lucky ones. Where one film leads to the next and nothing is bought
# twice, it may be the other way round: try `movielens-1m`.

# %% [markdown]
# ## 8. Two ways to fool yourself
# **A random split.** Many texts hold out *random* events instead of the last ones. Then the training
# part holds what each customer did *after* the moment to be predicted, which nobody knows at that
# moment. We hide exactly one visit per customer, once the last one and once a random one, and score the
# same systems in the same way.

# %%
random = np.random.default_rng(SEED)
asked = np.sort(random.permutation(np.flatnonzero(n_visits >= 3))[:MAX_CASES])
places = {"the last visit hidden": n_visits - 1}
places["a random visit hidden"] = random.integers(0, n_visits)
hiding = {
    protocol: evaluation.hide_one_visit(runs, np.where(n_visits >= 3, place, -1), asked)
    for protocol, place in places.items()
}
settings = {
    "popularity": recommend.Popularity(),
    "same-customer rules": recommend.AssociationRules(),
    "Markov chain": recommend.MarkovChain(),
    "all transitions": recommend.SequentialRules(),
}
if n_items <= recommend.Ease().max_items:
    settings["EASE"] = recommend.Ease()

# %%
leak = {}
if all(task.n_new for _, task in hiding.values()):
    for protocol, (rest, task) in hiding.items():
        leak[protocol] = {
            name: evaluation.evaluate(baseline.fit(rest), task.only_new(), name=name)
            for name, baseline in settings.items()
        }
    shown = {protocol: evaluation.means_table(of, seed=SEED) for protocol, of in leak.items()}
    of_winners = {name: evaluation.clear_winner(of, seed=SEED) for name, of in leak.items()}
    display(sequences_figures.scores(shown, "NDCG@10, something new", of_winners))
else:
    left_out("the comparison of the two splits", "no hidden visit holds anything new")

# %%
if leak:
    turned = evaluation.changed_places(*leak.values(), "NDCG@10", seed=SEED)
    last, at_random = (one["mean"] for one in shown.values())
    change = (at_random / last - 1).replace(
        np.inf, np.nan
    )  # nothing was right on the last visit
    most = change.abs().idxmax() if change.notna().any() else None
    say(
        f"**What we see.** {len(turned)} of {math.comb(len(settings), 2)} pairs of systems "
        "change places beyond luck. "
        + (
            f"The largest change of a system: {number(100 * change[most])} % ({most})."
            * bool(most)
        )
    )

# %% tags=["hide"]
if leak:
    note = f"of {math.comb(len(settings), 2)}, beyond luck in both"
    ledger.record("leak/pairs_that_change_places", len(turned), note=note)
    note = "NDCG@10 with a random visit hidden by the one with the last visit hidden, less 1"
    ledger.record_table("leak/{}", change, tolerance=1e-6, note=note)

# %% [markdown]
# Whether a random split matters depends on the customers: it helps most where people change, or where
# one purchase leads to the next, since what ignores order then sees both sides of the gap.
#
# **Sampled negatives.** Ranking all items was once thought too slow, so the true item was ranked among a
# hundred random ones. Krichene and Rendle (2020) showed that this is a different measure: among few
# random items, hardly any is a serious rival, and a system that places the target *somewhere in the
# upper half* looks as good as one that puts it *first*. The hit rate HR@10 is the share of customers
# with a hidden item among the first ten:

# %%
few, free = {}, 0
if new_tasks:  # products that everybody could be asked about
    known, wanted = new_tasks["test"].histories.matrix() > 0, new_tasks["test"].targets
    free = n_items - int(np.diff(known.indptr).max()) - int(np.diff(wanted.indptr).max())
sample = {"n_negatives": min(100, max(1, free // 2)), "seed": SEED}
if free > 0:
    few = {
        name: evaluation.evaluate_sampled(systems[name], new_tasks["test"], name=name, **sample)
        for name in of_new
    }
else:
    too_few = "customers have bought nearly every product, so that too few are left to draw"
    why = too_few if new_tasks else "no customer bought anything new at the end"
    left_out("the comparison with sampled negatives", why)

# %%
protocols = {"all_items": of_new, "negatives": few} if few else {}
rates = {name: evaluation.means_table(of, "HR@10", seed=SEED) for name, of in protocols.items()}
hit_rates = pd.DataFrame({name: table["mean"] for name, table in rates.items()})
hit_rates

# %%
lead = hit_rates.max() / hit_rates.loc["popularity"] if few else pd.Series(dtype=float)
if few and np.isfinite(lead).all():
    lifted = int((hit_rates["negatives"] > hit_rates["all_items"]).sum())
    say(
        f"**What we see.** Sampling lifts the hit rate of {lifted} of {len(few)} systems. The "
        f"lead of the best one over popularity is {lead['all_items'] - 1:.1%} among all items "
        f"and {lead['negatives'] - 1:.1%} among {sample['n_negatives']} random ones."
    )

# %% tags=["hide"]
if few:
    swapped = evaluation.changed_places(of_new, few, "HR@10", seed=SEED)
    note = f"of {math.comb(len(of_new), 2)}, beyond luck in both; HR@10 among "
    note += f"{sample['n_negatives']} negatives against all items"
    ledger.record("sampled/pairs_that_change_places", len(swapped), note=note)
    note = "HR@10 of the best system by it"
    lead = lead.replace(np.inf, np.nan)
    ledger.record_table("sampled/best_by_popularity_{}", lead, tolerance=1e-6, note=note)

# %% [markdown]
# Numbers from sampled metrics can be compared neither with those from full rankings nor with each
# other. All later lessons rank all items and hide what came last.

# %% [markdown]
# ## Check yourself
# Run the check under each answer. `check.hint("02.1")` in a new cell gives a hint, each time another.
#
# **Exercise 02.1.** By hand: what is the support of $\langle m, f\rangle$ in the five sequences `cmf`, `mcfm`, `fmc`,
# `cf`, `mcmf`?

# %%
# a number between 0 and 1
### BEGIN SOLUTION
answer = 3 / 5
### END SOLUTION
_ = check.exercise("02.1", answer)

# %% [markdown]
# **Exercise 02.2.** Write a function that computes the confidence of "`b` follows `a` within `within` visits", per
# visit: of all visits with `a` that have a next visit, the share with `b` in one of the next `within` ones. Sequences
# are texts of one item a visit, as above.


# %%
# sequences is a list of texts; return a number
### BEGIN SOLUTION
def confidence(sequences: list[str], a: str, b: str, within: int) -> float:
    """Share of the visits with a that b follows in time."""
    followed = [
        b in sequence[place + 1 : place + 1 + within]
        for sequence in sequences
        for place in range(len(sequence) - 1)
        if sequence[place] == a
    ]
    return sum(followed) / len(followed)


### END SOLUTION
_ = check.exercise("02.2", confidence)


# %% [markdown]
# **Exercise 02.3.** Write a function that says whether a sequence of visits (lists of items) holds a pattern (a tuple
# of items) such that each element comes at least one and at most `max_gap` visits after the one before. Mind section
# 4: the first place is not enough.


# %%
# return True or False
### BEGIN SOLUTION
def holds(sequence: list[list], pattern: tuple, max_gap: int) -> bool:
    """Whether the sequence holds the pattern under a maximum gap."""
    ends = {i for i, visit in enumerate(sequence) if pattern[0] in visit}
    for item in pattern[1:]:
        ends = {
            j
            for j, visit in enumerate(sequence)
            if item in visit and any(1 <= j - i <= max_gap for i in ends)
        }
    return bool(ends)


### END SOLUTION
_ = check.exercise("02.3", holds)

# %% [markdown]
# ## What the literature claims, what we measured
# | Claim | Source | Recorded above |
# |---|---|---|
# | Large models mine associations more accurately than rule-based mining. | T1, T2, T4 | how well counting predicts the next visit (`next/…`, `new/…`): the bar for every model |
# | Large models catch order-dependent associations that frequent itemsets miss. | T1, T2, T5 | what itemsets and what sequential rules find of the planted ones (`truth/…`) |
# | Sequential patterns together with a large model beat either alone. | T5 | what rules add to a recommender without any (`…_and_tested_rules`) |

# %% [markdown]
# ## Summary
# - A basket view cannot see what comes later. A pattern, a window and a base rate can; a confidence
#   without its window says nothing.
# - Without limits, long histories make everything follow everything. Gaps and windows leave habits.
# - A test within each customer removes the taste for both; a test of the direction tells a rule from a
#   common season.
# - For the next visit, own habits are the baseline to beat; for something new, popularity.
# - Hide what came last and rank all items. A random split knows the future, and sampled negatives
#   measure something else.

# %% [markdown]
# ## References
# - R. Agrawal, R. Srikant (1995). Mining sequential patterns. ICDE.
# - R. Srikant, R. Agrawal (1996). Mining sequential patterns: generalizations and performance improvements. EDBT.
# - J. Pei, J. Han, B. Mortazavi-Asl, H. Pinto, Q. Chen, U. Dayal, M.-C. Hsu (2001). PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth. ICDE.
# - M. Zaki (2001). SPADE: an efficient algorithm for mining frequent sequences. Machine Learning 42.
# - W. Cochran (1954). Some methods for strengthening the common χ² tests. Biometrics 10.
# - N. Mantel, W. Haenszel (1959). Statistical aspects of the analysis of data from retrospective studies of disease. JNCI 22.
# - M. Ludewig, D. Jannach (2018). Evaluation of session-based recommendation algorithms. UMUAI 28.
# - H. Steck (2019). Embarrassingly shallow autoencoders for sparse data. WWW.
# - W. Krichene, S. Rendle (2020). On sampled metrics for item recommendation. KDD.
#
# Texts under test (in Chinese, without date):
# - T1 大模型在商品关联规则挖掘效率提升中的应用 (large models to make association rule mining more efficient).
# - T2 大模型驱动的商品关联分析技术 (association analysis driven by large models).
# - T4 大模型驱动的商品关联分析技术 (a second article of the same title as T2).
# - T5 推荐系统中的序列模式挖掘：大模型技术 (sequential pattern mining in recommender systems with large models).
