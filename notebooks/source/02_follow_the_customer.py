# %% [markdown]
# # 02 · Follow the customer
#
# *Question: What does the order of visits add?*
#
# Lesson 01 looked into baskets and forgot everything in between. But who bought a coffee machine comes back for
# coffee, and never the other way round. This lesson follows customers from visit to visit: it builds PrefixSpan from
# five tiny sequences, a miner that is fast enough for real shops, and rules with an arrow that means *later*. Then it
# uses them to predict the next visit, and shows two ways in which such a prediction is commonly measured wrongly. The
# counting baselines of this lesson are the ones that the sequence models of later lessons have to beat.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | mine sequential patterns by hand, with PrefixSpan and vectorised | what a basket view loses, and what gaps and time windows do | [01 Count what goes together](01_count_what_goes_together.ipynb) |
# | turn them into rules, test them, and find the planted ones with their direction | when "A then B" is more than a taste for both | 45 minutes, under 2 GB of memory, no GPU |
# | predict the next visit by counting, and evaluate it in three ways | why a random split and sampled negatives mislead | {run_time} |

# %%
import math
import time

import numpy as np
import pandas as pd
from IPython.display import display
from scipy import sparse

from llmarm_tutorial import evaluation, mining, recommend
from llmarm_tutorial.data import Histories, load, shop, thin
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
    require_enough,
    say,
    show_code,
)

# %%
house_style.use_style()
pd.options.display.float_format = "{:.4g}".format

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
SEED: int = 7  # of the random draws and the bootstrap
WITHIN: int = 3  # visits: how soon after A must B come to count as following
MIN_COUNT: int = 5  # visits in which a rule must hold to be looked at
FREQUENT_ITEMS: int = 24  # so many single items are frequent; raise it if no patterns come out
PATIENCE: float = 1.5  # seconds: a miner that took longer once skips lower supports
MAX_CASES: int = 1500  # customers asked when predictions are evaluated

# %% [markdown]
# ## 1. A set forgets what came first
# A **sequence** is what one customer bought, visit after visit. A visit is a basket; where the data has no baskets,
# every event is a visit of its own.

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
for number, row in enumerate(np.flatnonzero(user == typical)[:8]):
    bought = [str(name) for name in name_of[held[row].indices]]
    print(f"visit {number + 1}:", ", ".join(bought[:8]), "…" if len(bought) > 8 else "")

# %% [markdown]
# One pair of items will show what the order is worth. It is the one that section 6 will put at the top; for now take
# it as given. Each line below is one customer, drawn at random from those who bought both, with a tick for every
# visit.

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
# **What we see.** The bold lines lead from the first item to the second one soon after. What does a view without
# order make of this pair? The lift of lesson 01 sees both items in one basket, or not. (Without baskets, we take all
# that a customer ever bought as one set.)

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
# such that visit $t_i$ holds the item $p_i$. Anything may lie between. A customer counts once, however often the
# pattern is found, and the support is the share of the customers:
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
# As sets, coffee and filters are together for all five customers. As patterns, filters follow coffee for all but one
# of them, and coffee follows filters for that one only.
#
# A **sliding window** is the simplest way to ask *how soon*: move a frame of $w$ visits along the sequence, just
# behind each visit, and see what it holds. For a rule $A \Rightarrow B$ the **confidence within $w$ visits** is
#
# $$\operatorname{conf}_w(A \Rightarrow B) = \frac{\text{visits with } A \text{ that have } B \text{ in one of the next } w \text{ visits}}
# {\text{visits with } A \text{ that have a next visit}}.$$
#
# Here *visits* are counted, not customers. Of a customer's last visit nobody knows what follows, so it is left out.
# The honest comparison is with the same share over *all* visits that have a next one, the **base rate**; their ratio
# is the lift.


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
# A wider window can only raise the confidence: sooner or later everything is bought. It raises the base rate as well. A confidence without its window and its base rate says nothing.
# From here on the window is `WITHIN` visits.

# %% [markdown]
# ## 3. PrefixSpan from nothing
# There are $m^k$ possible patterns of $k$ items. PrefixSpan (Pei et al. 2001) meets only those that occur. It grows a
# pattern at its end: take a **prefix**, cut every sequence right behind the first place where the prefix is complete,
# and what is left, the **projected database**, holds everything that can come next. In the five sequences, for the
# prefix $\langle m \rangle$:

# %% tags=["nbval-check-output"]
for sequence in five:
    _, found, rest = sequence.partition("m")
    print(f"{sequence:5} → {rest or '(nothing)' if found else 'no m: drops out'}")

# %% [markdown]
# Now count items in the rests, each once per rest: *f* is in three, *c* in three, *m* in two. With a minimum of three
# customers, $\langle m, f\rangle$ and $\langle m, c\rangle$ are frequent. Then the same for each of them, with rests
# that get shorter and shorter, until nothing is frequent. The rests are never copied; two numbers, row and place, are
# enough. As it stands in the package:

# %%
show_code(mining.prefixspan)

# %% tags=["nbval-check-output"]
patterns = mining.prefixspan(five, min_count=3)
for pattern, count in sorted(patterns.items(), key=lambda found: (len(found[0]), found[0])):
    print("⟨" + ", ".join(pattern) + "⟩", count)

# %% [markdown]
# Why is the *first* place enough? Whatever comes after a later place comes after the first one as well, so the rest
# behind the first place misses nothing. Remember this argument: in section 5 it breaks.

# %% [markdown]
# ## 4. The same, fast
# PrefixSpan as written above goes through every rest, item by item, in Python. A *vertical* miner keeps, for every
# item, the visits that hold it. Then $\langle a, b\rangle$ is in a sequence exactly if the *first* $a$ comes before
# the *last* $b$: one comparison of two numbers. For longer patterns, store the visit at which each pattern is first
# complete, a table with one row per pattern and one column per customer, and compare whole rows:

# %% tags=["nbval-check-output"]
first = {item: [sequence.find(item) for sequence in five] for item in "cm"}
last = {item: [sequence.rfind(item) for sequence in five] for item in "f"}
for item in "cm":
    before = [0 <= one < other for one, other in zip(first[item], last["f"], strict=True)]
    print(f"first {item}: {first[item]}   last f: {last['f']}", end="   ")
    print(f"⟨{item}, f⟩ in {sum(before)} sequences")

# %% [markdown]
# (A place of −1 means that the item does not occur.) Which rows to compare is narrowed down first: $\langle p, b,
# c\rangle$ can only be frequent if $\langle p, b\rangle$, $\langle p, c\rangle$ and $\langle b, c\rangle$ are. On the
# data, both miners with patterns of up to three items, from high minimum support to low. As in lesson 01, a miner
# that took longer than `PATIENCE` once stops there.

# %%
by_customer = np.sort(np.bincount(per_customer.tocoo().col, minlength=len(name_of)))[::-1]
ranks = [min(rank, len(by_customer)) for rank in (2, 4, 8, 16, FREQUENT_ITEMS)]
ladder = [int(by_customer[rank - 1]) for rank in ranks]
ladder = [least for least in dict.fromkeys(ladder) if least > 1] or [2]
as_lists = [[] for _ in n_visits]
for customer, visit in zip(user, np.split(held.indices, held.indptr[1:-1]), strict=True):
    as_lists[customer].append(visit.tolist())
miners = {
    "as taught": lambda least: mining.prefixspan(as_lists, least, max_length=3),
    "vectorised": lambda least: mining.mine_sequences(data, least, max_length=3),
}

# %%
runs_of = []
for miner, mine in miners.items():
    for least in ladder:
        start = time.perf_counter()
        found = mine(least)
        runs_of.append((least / len(n_visits), len(found), miner, time.perf_counter() - start))
        if runs_of[-1][-1] > PATIENCE:
            break
race = pd.DataFrame(runs_of, columns=["minimum support", "patterns", "miner", "seconds"])
race = race.pivot(index=["minimum support", "patterns"], columns="miner", values="seconds")
race = race.sort_index(ascending=False)
display(race.assign(times=race["as taught"] / race["vectorised"]).reset_index())
finished = race.dropna()  # where both miners got to
if len(finished):
    note = "PrefixSpan in plain Python by the vectorised miner"
    ledger.record(
        "patterns/taught_seconds_by_vectorised_seconds",
        round(finished["as taught"].iloc[-1] / finished["vectorised"].iloc[-1]),
        tolerance=None,
        claim="2",
        note=f"{note}, {finished.index[-1][1]:,} patterns, one run each",
    )

# %% [markdown]
# **What we see.** One row per minimum support, with the seconds of each miner; a support at which the two had found
# different numbers of patterns would stand in two rows. Where the first miner has given up (NaN), the second goes on.
# The repository's benchmark compares them on larger data, together with the package `prefixspan`.
#
# **Which of these would you publish with?** The same few sequences, put to several programs. *on .07*: ⟨a, b⟩ holds for 7 of
# 100 customers, and the minimum support is .07. *between*: it is .3 of five customers, so a pattern needs two. *in a
# row*: an item comes twice in a row. *whole*: a pattern is as long as the longest sequence.

# %%
library_answers("patterns")

# %% [markdown]
# **What we see.** "exact" is the answer of a pencil. Whatever else stands there, the program gives without a warning, so
# try yours on five sequences before you trust it with a shop.
#
# Which patterns of our customers are frequent?

# %%
frequent = mining.mine_sequences(data, ladder[-1], max_length=3)
print(frequent)
note = f"up to 3 items, {ladder[-1]:,} customers or more"
_ = ledger.record("patterns/frequent", len(frequent), note=note)
table = frequent.table(label="name")
table[table["length"] == 3].nlargest(6, "count").reset_index(drop=True)

# %% [markdown]
# In the shop these are the bestsellers, one after the other, in every order. It is lesson 01's trap of popularity again,
# and worse: over a long sequence nearly everybody buys everything popular at some time, so *before* means little when
# there is no limit to how long before.

# %% [markdown]
# ## 5. Gaps and time windows
# Three limits make a pattern mean something. A **maximum gap** says how many visits later the next element may come,
# a **minimum gap** how many it must at least, and a **window** bounds the time from the first element to the last one
# (Srikant & Agrawal 1996). With a maximum gap the argument of section 3 breaks:

# %% tags=["nbval-check-output"]
broken = mining.transactions_from_lists(["abbacd"])
found = mining.mine_sequences(broken, 1, max_gap=1).table()["pattern"].to_list()
print("⟨a, c, d⟩ without gaps is in abbacd:", ("a", "c", "d") in found)

# %% [markdown]
# The first *a* is followed by *b*; only the second *a* is followed by *c* at once. Whoever keeps the first place
# only, misses the pattern. Under limits the miner therefore keeps *every* place where a pattern can end. The second
# trap: leaving out an element in the middle widens a gap, so $\langle a, d\rangle$ is not in this sequence although
# $\langle a, c, d\rangle$ is. "Every part of a frequent pattern is frequent" holds for its beginning and its end
# only.

# %%
limits = {
    "no limit": {},
    f"next {WITHIN} visits": {"max_gap": WITHIN},
    "next visit": {"max_gap": 1},
}
if "clock" in data.aspects:
    limits |= {"within 28 days": {"window": "28D"}, "within 7 days": {"window": "7D"}}
else:
    print(f"{data.name} has no clock times, so there are no windows in time,", end=" ")
    print("only gaps in visits.")

# %%
rows = []
for text, limit in limits.items():
    start = time.perf_counter()
    mined = mining.mine_sequences(data, ladder[-1], max_length=3, **limit)
    rows.append((text, *[*mined.by_length(), 0, 0, 0][:3], time.perf_counter() - start))
columns = ["limit", "1 item", "2 items", "3 items", "seconds"]
left = pd.DataFrame(rows, columns=columns).set_index("limit")
left

# %%
several = left[["2 items", "3 items"]].sum(axis=1)
say(
    f"**What we see.** Of {several['no limit']:,} patterns of several items without limit, "
    f"{several[f'next {WITHIN} visits']:,} are left within the next {WITHIN} visits each and "
    f"{several['next visit']:,} in the next visit each, at the same minimum support."
)

# %% [markdown]
# What a limit takes away was a customer's long life, not a habit. One can also say what a pattern must hold, and then afford a
# much lower minimum support. All patterns around the item that section 1 ended with:

# %%
target = data.items["item_id"][b]
limit = {"max_length": 2, "max_gap": WITHIN, "containing": [target]}
around = mining.mine_sequences(data, MIN_COUNT, **limit).table(label="name")
around[around["length"] == 2].nlargest(6, "count").reset_index(drop=True)

# %% [markdown]
# **Closed patterns** shorten such lists without loss, as closed itemsets did: a pattern is closed if no longer
# pattern around it has the same count. In the five sequences:

# %% tags=["nbval-check-output"]
every = mining.mine_sequences(tiny, 2)
kept = set(every.closed().table()["pattern"])
for row in every.table().itertuples():
    if row.pattern not in kept:
        print("not closed: ⟨" + ", ".join(row.pattern) + f"⟩, in {row.count} sequences")
print(f"{len(kept)} of {len(every)} patterns are closed")

# %% [markdown]
# Each of these has a longer pattern around it that is in just as many sequences. Shops are not so regular:

# %%
limit = {"window": "28D"} if "clock" in data.aspects else {}
least = ladder[-1] if "clock" in data.aspects else ladder[:2][-1]
whole = mining.mine_sequences(data, least, **limit)
print(f"{data.name}: {len(whole.closed()):,} of {len(whole):,} patterns are closed", end=" ")
print(f"({limit or 'no limit'})")

# %% [markdown]
# ## 6. Rules with an arrow that means later
# Cut a pattern in two and it is a rule $X \Rightarrow Y$: who went through $X$ goes on through $Y$. The confidence is
# the count of the whole pattern divided by the count of its beginning. Rules of the five sequences, with the middle
# allowed to be anything:

# %% tags=["nbval-check-output"]
mining.readable_sequences(
    mining.rules_from_patterns(every, 0.75), ["confidence", "lift", "count"]
)

# %% [markdown]
# The lift compares with the customers who bought $Y$ at any time, before or after, which is hard to beat: it is below
# 1 here although filters do follow coffee. A window makes the comparison fair. For rules with one item on each side
# and a window, there are two honest ways to count the confidence, and they answer different questions.
#
# - **Per customer:** of the customers who bought $A$ (before their last visit), the share to whom it happened *at
#   least once* that $B$ followed in time.
# - **Per visit:** of the visits with $A$ (that have a next one), the share that $B$ followed in time.

# %%
by_customers = mining.follow_rules(data, WITHIN, 0.02, per="customer", label="name")
by_visits = mining.follow_rules(data, WITHIN, MIN_COUNT, label="name")
joined = by_visits.merge(by_customers, on=sides, suffixes=(" per visit", " per customer"))
columns = ["confidence per visit", "confidence per customer"]
columns += ["lift per visit", "lift per customer"]
shown = joined.nlargest(6, "count per visit")
shown.assign(rule=mining.readable(shown, [])["rule"].to_numpy()).set_index("rule")[columns]

# %% [markdown]
# The confidence per customer gives every customer many chances, so it is the higher one as a rule; it suits a
# question such as "whom will we see again for this?". Someone who must decide after *this* visit needs the one per
# visit, and so does the rest of this lesson. Ranked by confidence, the rules per visit say what we have heard before:

# %%
mining.readable(mining.rank_rules(by_visits, "confidence", 5))

# %%
mining.readable(mining.rank_rules(by_visits, "lift", 5))

# %% [markdown]
# In the shop confidence points to bestsellers. Lift finds rare pairs, some of them strong, some lucky. And even
# a real lift may have a dull reason: vegetarians buy tofu *and* lentils, so each follows the other, and nobody's
# lentils cause anybody's tofu.
#
# Two questions tell a rule from a taste. **Is it more than chance within each customer?** Suppose each customer's
# visits with $A$ lay at random among the customer's own visits. Then among customer $u$'s $n_u$ visits, of which
# $a_u$ hold $A$ and $c_u$ are followed by $B$ in time, we expect $a_u c_u / n_u$ to be both, and over all customers
#
# $$E = \sum_u \frac{a_u\, c_u}{n_u}.$$
#
# A taste for both raises $a_u$ and $c_u$ and thereby $E$, so it no longer counts as evidence. (It is the idea of
# Cochran, Mantel and Haenszel: compare within strata; here each customer is one.) The column `lift_within` is the
# count divided by $E$; `p_value` the probability that chance alone reaches the count. **Is it more in this direction
# than in the other?** If both orders were equally likely, the number of times that $B$ follows $A$ would be like
# heads among coin flips: `direction_p`.

# %%
columns = ["count", "lift", "expected", "lift_within", "p_value"]
columns += ["reverse_count", "direction_p"]
passed = int((follows["q_value"] < 0.05).sum())
_ = ledger.record("rules/pass_the_test_within_customers", passed, note="q below 0.05")
note = f"ordered pairs that hold in {MIN_COUNT} visits or more"
_ = ledger.record("rules/looked_at", len(follows), note=note)
mining.readable(mining.rank_rules(by_visits, "p_value", 12), columns)

# %% [markdown]
# The two tests of one pair can be seen at a glance. For every gap from six visits before to six visits after: how
# much more often than by chance within the customer is $B$ there, seen from a visit with $A$?

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
# **What we see.** In the shop, the first row stands on one side of zero: the second item comes *after* the first one,
# within a few visits, and before it no more often than by chance. The second row is a hill on both sides: two
# products with the same season. Both pass a test for "B follows A". Only one of them is a rule with a direction.

# %% [markdown]
# ## 7. Do we find the rules that were planted?
# The shop has sequential rules that we know to be true. Rank all ordered pairs of items and see how far down the list
# they stand; the direction must be right. Beside the rankings by what follows stand the two that baskets give: lesson
# 01's lift and its test. (Basket rules are blind to the direction, so that list holds every pair in both.)

# %%
planted, rankings = None, {}
if DATASET == "shop":
    planted = shop.planted_rules("sequential")
    truth = list(zip(planted["antecedent"], planted["consequent"], strict=True))
    together = mining.rule_significance(mining.pair_rules(data, MIN_COUNT))
    both_tests = follows.assign(p_value=np.maximum(follows["p_value"], follows["direction_p"]))
    rankings = {
        "same-basket lift": mining.rank_rules(together, "lift"),
        "same-basket test": mining.rank_rules(together, "p_value"),
        "confidence": mining.rank_rules(follows, "confidence"),
        "lift": mining.rank_rules(follows, "lift"),
        "test within customers": mining.rank_rules(follows, "p_value"),
        "the larger p of both tests": mining.rank_rules(both_tests, "p_value"),
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
    display(pd.Series(average, name="average precision").to_frame())
    ranked = rankings["test within customers"][sides].itertuples(index=False, name=None)
    places = {pair: place for place, pair in enumerate(ranked, start=1)}
    planted["place in the list"] = [places.get(pair) for pair in truth]
    columns = ["antecedent_names", "consequent_names", "difficulty"]
    columns += ["count", "confidence", "lift", "place in the list"]
    display(planted[columns].sort_values("place in the list", ignore_index=True))

# %%
if planted is not None:
    orders = sorted(average, key=lambda name: -average[name])
    says = ", ".join(f"{name} {average[name]:.3f}" for name in orders)
    first_places = int((planted["place in the list"] <= len(truth)).sum())
    say(
        f"**What we see.** Average precision: {says}. The test within customers has "
        f"{first_places} of the {len(truth)} planted rules among its first {len(truth)}."
    )

# %%
slugs = {
    "same-basket lift": "same_basket_lift",
    "same-basket test": "same_basket_p_value",
    "confidence": "confidence",
    "lift": "lift",
    "test within customers": "test_within_customers",
    "the larger p of both tests": "both_tests",
}
for name, value in average.items():
    measured = f"truth/average_precision_by_{slugs[name]}"
    note = f"{len(truth)} planted sequential rules, direction counted"
    ledger.record(measured, value, tolerance=1e-9, claim="3", note=note)

# %% [markdown]
# What baskets do not show, no ranking of baskets can bring up: planted sequential pairs need not be in one basket more often than
# by chance. That is what a basket view loses. Confidence suffers for the reason known from lesson 01. The lift does well
# only where `MIN_COUNT` guards it against lucky pairs. The misses of the test are seasons; asking for a direction as well sorts
# many of them out, at the price of more evidence asked of rare rules.
#
# The rule that comes last in the table rests on a handful of visits: there is just too little of it. A model that is said to
# find "hidden" sequential patterns has to find this one, and not a hundred that are not there.

# %% [markdown]
# ## 8. Predict the next visit
# Now use it. Each customer's last visit is hidden, the one before it serves to choose settings, and everything
# earlier is counted. For every customer all items are ranked, and **NDCG@10** says how well the items of the hidden
# visit stand among the first ten: 1 if they fill the head of the list, less the lower they stand, 0 if none is there.
# Two questions are asked:
#
# - **the next visit**: what will be in it, no matter whether the customer has bought it before?
# - **something new**: of the hidden items, only those count that the customer never bought before, and what was
#   bought before is no candidate. This is what most published comparisons ask.
#
# Before any of it, **which of these would you publish with?** One list of ten items, of which the third was bought and
# nothing else. A pencil gives NDCG@10 = $1 / \log_2 4$ = .5, average precision (MAP) and reciprocal rank (MRR) 1/3,
# precision .1, recall and hit rate 1. Metrics of one name can differ in their definition, and a library in its default:

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
# The competitors count in the training part only. **Popularity** tells everybody the same. **Basket rules** recommend
# what shares baskets (without baskets: customers) with the last items, **Markov chain** what came in the visit right
# after them, **all transitions** what came within ten visits, near ones weighing more (the "sequential rules" of
# Ludewig & Jannach 2018). **EASE** is a linear model that knows all purchases of a customer and no order (Steck
# 2019). **Tested rules** uses only rules that pass the test within customers at a false discovery rate of 5 %, each
# adding its *gain*, confidence less base rate. **Own habits** repeats what the customer buys anyway.

# %%
train, n_items = split.train.histories(), len(data.items)
past = mining.follow_rules(split.train, WITHIN, MIN_COUNT)
past["gain"] = past["confidence"] - past["consequent_count"] / past["n_baskets"]
tested = past[(past["q_value"] < 0.05) & (past["gain"] > 0)]
print(f"{len(tested):,} of {len(past):,} rules are left after the test")

# %%
unit = "basket" if "baskets" in data.aspects else "user"
systems = {
    "popularity": recommend.Popularity().fit(train),
    "basket rules": recommend.AssociationRules(unit=unit, last=WITHIN).fit(train),
    "Markov chain": recommend.MarkovChain().fit(train),
    "all transitions": recommend.SequentialRules().fit(train),
    "tested rules": recommend.recommend_by_rules(tested, data.items, by="gain", last=WITHIN),
}
if n_items <= recommend.Ease().max_items:
    systems["EASE"] = recommend.Ease().fit(train)

# %% [markdown]
# The last two can be combined with others, since all speak the same language: how likely is the item at the next
# visit? How much each part should count is chosen on the validation visits, not on the test.


# %%
class Mix:
    """A weighted sum of systems."""

    def __init__(self, *parts: tuple[float, evaluation.Recommender]) -> None:
        self.parts, self.n_items = parts, n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items for each case."""
        weighted = (np.float32(weight) * part.scores(histories) for weight, part in self.parts)
        return sum(weighted)


# %%
class Habits:
    """The share of a customer's own visits that held the item."""

    n_items = n_items

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items for each case."""
        visits = histories.visits[histories.offsets[1:] - 1] + 1
        return histories.matrix(n_items).toarray() / visits[:, None].astype(np.float32)


# %%
def choose(make, task: evaluation.Task, filter_seen: bool) -> Mix:
    """The mix of the best weight on a validation task."""
    mixes = [make(weight) for weight in (0.0, 0.1, 0.3, 1.0, 3.0)]
    score = recommend.validation_score(task, filter_seen=filter_seen)
    return recommend.choose_setting(mixes, score).best


# %%
n_train_visits = train.visits[train.offsets[1:] - 1].sum() + len(n_visits)
# the share of all visits that hold the item
popular = Mix((1 / n_train_visits, systems["popularity"]))
rules = systems["tested rules"]
if new_tasks:
    systems["popularity + tested rules"] = choose(
        lambda weight: Mix((1, popular), (weight, rules)), new_tasks["validation"], True
    )
if repeated > 0.01:
    habits = choose(
        lambda weight: Mix((1, Habits()), (weight, popular)), tasks["validation"], False
    )
    systems["own habits"] = habits
    systems["own habits + tested rules"] = choose(
        lambda weight: Mix((1, habits), (weight, rules)), tasks["validation"], False
    )
for name in ("popularity + tested rules", "own habits + tested rules"):
    if name in systems:
        print(f"{name}: weight {systems[name].parts[1][0]:g} for the rules")


# %%
def judged(task: evaluation.Task, filter_seen: bool, names: list[str]) -> dict:
    """Evaluations of systems, by name."""
    return {
        name: evaluation.evaluate(systems[name], task, filter_seen=filter_seen, name=name)
        for name in names
    }


def means_of(evaluations: dict, metric: str) -> pd.DataFrame:
    """Means of a metric with 95 % intervals, one row per system."""
    rows = [
        found.summary([metric], seed=SEED).assign(system=name)
        for name, found in evaluations.items()
    ]
    return pd.concat(rows).set_index("system")


# %%
without_habits = [name for name in systems if "habits" not in name]
shown, of_new, of_all = {}, {}, {}
if new_tasks:
    of_new = judged(new_tasks["test"], True, without_habits)
    new_means = means_of(of_new, "NDCG@10")
    shown["something new"] = new_means
if repeated > 0.01:
    of_all = judged(tasks["test"], False, list(systems))
    all_means = means_of(of_all, "NDCG@10")
    shown = {"the next visit": all_means, **shown}
sequences_figures.scores(shown, "NDCG@10")

# %% [markdown]
# Are the differences more than the luck of these customers? Paired tests on the same cases, of all systems against popularity
# for something new, and against own habits for the next visit:

# %%
gains = {}
for task, found, rival in (("next", of_all, "own habits"), ("new", of_new, "popularity")):
    for name in found:
        if name != rival:
            gains[task, name] = evaluation.compare(found[name], found[rival], seed=SEED)
rated = [*gains.values()]
if of_new:
    selection = evaluation.compare(
        of_new["popularity + tested rules"], of_new["all transitions"], seed=SEED
    )
    rated.append(selection)
evaluation.comparison_table(rated).drop(columns=["metric", "cases"])

# %%
seen = []
if of_all:
    others = {name: gains["next", name] for name in without_habits}
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
        f"{against(gains['new', 'popularity + tested rules'])} and {against(selection)}."
    )
say("**What we see.**", *seen)


# %%
def record_means(task: str, means: pd.DataFrame, baseline: str) -> None:
    """Record the NDCG@10 of all systems with intervals."""
    for name, row in means.iterrows():
        slug = ledger.slug(name)
        ledger.record(
            f"{task}/ndcg_at_10_{slug}",
            row["mean"],
            interval=(row["low"], row["high"]),
            baseline=None if name == baseline else means["mean"][baseline],
            tolerance=1e-6,
            claim="19" if "rules" in slug and "_and_" in slug else "1",
            note=f"{row['cases']:.0f} customers, bootstrap; baseline: {baseline}",
        )


# %%
same_customers = {"tolerance": 1e-6, "note": "NDCG@10, the same customers"}
if of_new:
    record_means("new", new_means, "popularity")
    name = "new/gain_popularity_and_tested_rules_over_all_transitions"
    ledger.record_gain(name, selection, **same_customers)
if of_all:
    record_means("next", all_means, "own habits")
for (task, name), gain in gains.items():
    measured = f"{task}/gain_{ledger.slug(name)}_over_{ledger.slug(gain.second)}"
    ledger.record_gain(measured, gain, **same_customers)

# %% [markdown]
# Where people repeat themselves, a customer's own past is hard to beat. Among all transitions the true rules are there, and they
# can drown in thousands of lucky ones; a handful of tested rules holds fewer, and fewer lucky ones. Where nothing is watched twice
# and one film leads to the next, as in `movielens-1m`, it may be the other way round: try it.

# %% [markdown]
# ## 9. Two ways to fool yourself
# **A random split.** Many texts hold out *random* events instead of the last ones. Then the training part holds what
# each customer did *after* the moment to be predicted: information that nobody has at that moment. To see what it
# does we hide exactly one visit per customer, once the last one and once a random one, and score the same systems in
# the same way.


# %%
def hide_one(place: np.ndarray, cases: np.ndarray) -> tuple[Histories, evaluation.Task]:
    """Hide one visit of each customer; what is left, before and after, is trained on and known.

    Args:
        place: Number of the visit to hide, per customer.
        cases: The customers that are asked.
    """
    hidden = runs.visits == place[runs.rows]
    rest = runs.keep(~hidden)
    held_out = (np.ones(hidden.sum(), bool), (runs.rows[hidden], runs.items[hidden]))
    targets = sparse.csr_matrix(held_out, per_customer.shape)[cases]
    counts = np.bincount(rest.items, minlength=n_items)
    task = evaluation.Task(rest.take(cases), targets, runs.user_ids[cases], n_items, counts)
    return rest, task


# %%
random = np.random.default_rng(SEED)
cases = np.sort(random.permutation(np.flatnonzero(n_visits >= 3))[:MAX_CASES])
several = n_visits >= 3  # of the others nothing is hidden
hidden = {
    "last": np.where(several, n_visits - 1, -1),
    "random": np.where(several, random.integers(0, n_visits), -1),
}

# %%
settings = {
    "popularity": recommend.Popularity(),
    "same-customer rules": recommend.AssociationRules(),
    "Markov chain": recommend.MarkovChain(),
    "all transitions": recommend.SequentialRules(),
}
if n_items <= recommend.Ease().max_items:
    settings["EASE"] = recommend.Ease()

# %%
hiding = {protocol: hide_one(place, cases) for protocol, place in hidden.items()}
leak, change = {}, pd.Series(dtype=float)
if all(task.n_new for _, task in hiding.values()):
    for protocol, (rest, task) in hiding.items():
        leak[protocol] = {
            name: evaluation.evaluate(baseline.fit(rest), task.only_new(), name=name)
            for name, baseline in settings.items()
        }
    leak_means = {protocol: means_of(found, "NDCG@10") for protocol, found in leak.items()}
    shown = {
        "the last visit hidden": leak_means["last"],
        "a random visit hidden": leak_means["random"],
    }
    display(sequences_figures.scores(shown, "NDCG@10, something new"))
else:
    left_out("the comparison of the two splits", "no hidden visit holds anything new")

# %%
if leak:
    turned = evaluation.changed_places(leak["last"], leak["random"], "NDCG@10", seed=SEED)
    for x, y in turned:
        print(f"{x} beats {y} on the last visit, and loses to it on a random one")
    if not turned:
        print("On this data no two of these systems change places by more than luck.")
    note = f"of {math.comb(len(settings), 2)}, beyond luck in both"
    ledger.record("leak/pairs_that_change_places", len(turned), note=note)
    change = leak_means["random"]["mean"] / leak_means["last"]["mean"] - 1
    change = change[np.isfinite(change)]  # of the others nothing was right on the last visit
if len(change):
    most = change.abs().idxmax()
    print(f"the largest change of a system's NDCG@10: {change[most]:+.0%} ({most})")
note = "NDCG@10 with a random visit hidden by the one with the last visit hidden, less 1"
for name, value in change.items():
    ledger.record(f"leak/{ledger.slug(name)}", value, tolerance=1e-6, note=note)

# %% [markdown]
# Whether a random split matters depends on the customers. Those of the shop are simulated, and do not change from their first
# visit to their last, so knowing the future is no better there than knowing the past. Real people change. Set
# `DATASET = "movielens-1m"` and compare: what ignores order then sees the films from both sides of the gap.
#
# **Sampled negatives.** Ranking all items for everybody was once thought too slow, so the true item was ranked among
# a hundred random ones. Krichene and Rendle (2020) showed that this is not a rougher version of the same measure but
# a different one: among few random items, hardly any is a serious rival, and a system that places the target
# *somewhere in the upper half* looks as good as one that puts it *first*. Here are both, for the same systems and the
# same customers; the hit rate HR@10 is the share of customers with a hidden item among the first ten.

# %%
few, gap, free = {}, {}, 0
if new_tasks:  # products that everybody could be asked about
    known, wanted = new_tasks["test"].histories.matrix() > 0, new_tasks["test"].targets
    free = n_items - int(np.diff(known.indptr).max()) - int(np.diff(wanted.indptr).max())
n_negatives = min(100, max(1, free // 2))
if free > 0:
    sample = {"n_negatives": n_negatives, "seed": SEED}
    few = {
        name: evaluation.evaluate_sampled(systems[name], new_tasks["test"], name=name, **sample)
        for name in of_new
    }
else:
    too_few = "customers have bought nearly every product, so that too few are left to draw"
    why = too_few if new_tasks else "no customer bought anything new at the end"
    left_out("the comparison with sampled negatives", why)

# %%
protocols = {"among all items": of_new, f"among {n_negatives} random ones": few} if few else {}
shown = {protocol: means_of(found, "HR@10") for protocol, found in protocols.items()}
sequences_figures.scores(shown, "HR@10, something new") if few else None

# %%
if few:
    swapped = evaluation.changed_places(of_new, few, "HR@10", seed=SEED)
    for x, y in swapped:
        print(f"{x} beats {y} among all items, and loses to it among {n_negatives} random ones")
    if not swapped:
        print("On this data no two of these systems change places by more than luck.")
    note = f"of {math.comb(len(of_new), 2)}, beyond luck in both; HR@10 among {n_negatives} "
    note += "negatives against all items"
    ledger.record("sampled/pairs_that_change_places", len(swapped), note=note)
for protocol, found in protocols.items():
    best_mean = max(one.mean("HR@10") for one in found.values())
    if popular_mean := found["popularity"].mean("HR@10"):
        gap[protocol] = best_mean / popular_mean
ratios = ", ".join(f"{ratio:.2f} {protocol}" for protocol, ratio in gap.items())
if gap:
    print("the best system by popularity:", ratios)

# %%
if len(gap) == 2:
    lifted = sum(few[name].mean("HR@10") > of_new[name].mean("HR@10") for name in few)
    all_items, negatives = gap.values()
    say(
        f"**What we see.** Sampling lifts the hit rate of {lifted} of {len(few)} systems. The "
        f"lead of the best one over popularity is {all_items - 1:.1%} among all items and "
        f"{negatives - 1:.1%} among {n_negatives} random ones."
    )
    note = "HR@10 of the best system by it"
    for protocol, ratio in zip(("all_items", "negatives"), gap.values(), strict=True):
        name = f"sampled/best_by_popularity_{protocol}"
        ledger.record(name, ratio, tolerance=1e-6, note=note)

# %% [markdown]
# Where sampling presses the good systems together, whoever looks at the second panel would not know that the winner is worth
# having. (A small catalogue has few negatives to draw; where a hundred are drawn, systems can change places outright.) Numbers
# from sampled metrics can be compared neither with those from full rankings nor with each other. All later lessons rank all
# items and hide what came last.

# %% [markdown]
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("02.1")` in a new cell; ask again and you get another
# one.
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
# **Exercise 02.2.** What does PrefixSpan look at after the prefix $\langle c\rangle$? Give a list of five texts: what
# is left of each sequence.

# %%
# for instance ["mf", "", "c", "f", "m"]
### BEGIN SOLUTION
answer = ["mf", "fm", "", "f", "mf"]
### END SOLUTION
_ = check.exercise("02.2", answer)


# %% [markdown]
# **Exercise 02.3.** Write a function that says whether a sequence of visits (lists of items) holds a pattern (a tuple
# of items) such that each element comes at least one and at most `max_gap` visits after the one before. Mind section
# 5: the first place is not enough.


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
# **Exercise 02.4.** Write a function that computes the confidence of "`b` follows `a` within `within` visits", per
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
_ = check.exercise("02.4", confidence)

# %% [markdown]
# ## What the literature claims, what we measured
# What the articles under test say about order, and what counting alone can say to it here. The model's side follows
# from lesson 03 on.
#
# | Claim | Source | Recorded above |
# |---|---|---|
# | Large models mine associations more accurately than rule-based mining. | T1, T2, T4 | how well counting predicts the next visit (`next/…`, `new/…`): the bar for every model |
# | Large models catch order-dependent associations that frequent itemsets miss. | T1, T2, T5 | in the shop itemsets do miss them; sequential rules do not (`truth/…`) |
# | Sequential patterns together with a large model beat either alone. | T5 | what rules add to a recommender without any (`…_and_tested_rules`) |

# %% [markdown]
# ## References
# - R. Agrawal, R. Srikant (1995). Mining sequential patterns. ICDE.
# - R. Srikant, R. Agrawal (1996). Mining sequential patterns: generalizations and performance improvements. EDBT.
# - J. Pei, J. Han, B. Mortazavi-Asl, H. Pinto, Q. Chen, U. Dayal, M.-C. Hsu (2001). PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth. ICDE.
# - M. Zaki (2001). SPADE: an efficient algorithm for mining frequent sequences. Machine Learning 42.
# - J. Ayres, J. Gehrke, T. Yiu, J. Flannick (2002). Sequential pattern mining using a bitmap representation. KDD.
# - X. Yan, J. Han, R. Afshar (2003). CloSpan: mining closed sequential patterns in large datasets. SDM.
# - P. Fournier-Viger, A. Gomariz, M. Campos, R. Thomas (2014). Fast vertical mining of sequential patterns using co-occurrence information. PAKDD.
# - W. Cochran (1954). Some methods for strengthening the common χ² tests. Biometrics 10.
# - N. Mantel, W. Haenszel (1959). Statistical aspects of the analysis of data from retrospective studies of disease. JNCI 22.
# - M. Ludewig, D. Jannach (2018). Evaluation of session-based recommendation algorithms. UMUAI 28.
# - H. Steck (2019). Embarrassingly shallow autoencoders for sparse data. WWW.
# - W. Krichene, S. Rendle (2020). On sampled metrics for item recommendation. KDD.
#
# Texts under test (technical articles in Chinese, without date):
# - T1 大模型在商品关联规则挖掘效率提升中的应用 (large models to make association rule mining more efficient).
# - T2 大模型驱动的商品关联分析技术 (association analysis driven by large models).
# - T4 大模型驱动的商品关联分析技术 (a second article of the same title as T2).
# - T5 推荐系统中的序列模式挖掘：大模型技术 (sequential pattern mining in recommender systems with large models).
