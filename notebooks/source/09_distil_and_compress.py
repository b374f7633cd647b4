# %% [markdown]
# # 09 · Distil, then compress
#
# *Question: How small can the model be?*
#
# A model that took a night to train has to answer in a millisecond, perhaps on a till. This lesson makes it small: first by
# **distillation**, in which a small model learns from what a large one *says* rather than from what was bought, then by taking
# from it what it can spare: neurons, digits, vectors. At each step the question is the same: what does it cost, what is it worth,
# and would plain training of the small model have done as well?
#
# | You will do | You will learn | You need |
# |---|---|---|
# | train a student of a quarter of the weights from a teacher, from counting, and alone | what soft labels tell, what a temperature does, which way round the divergence goes | [03 Pretrain a language model of items](03_pretrain_on_items.ipynb) |
# | prune, factorise, quantise, export to ONNX | which of these makes a model smaller, which makes it faster, and that they are not the same | 60 minutes, under 2 GB of memory, no GPU |
# | draw quality against size and against waiting time | how to choose what to deploy, and to check that it still says the same | {run_time} |

# %%
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from llmarm_tutorial import errors, evaluation, models, recommend
from llmarm_tutorial.data import load, thin
from llmarm_tutorial.evaluation import compare, evaluate
from llmarm_tutorial.figures import distil as distil_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.lesson import (
    against,
    check,
    each_against,
    ledger,
    require_enough,
    require_sequences,
    say,
)
from llmarm_tutorial.models import DistillationMix, ItemModel, ItemRecommender, OnnxRecommender

# %%
house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # waiting times are those of one core
pd.options.display.float_format = lambda x: f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.4g}"
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
HIDDEN: int = 64  # width of the teacher
EPOCHS: int = 6  # passes over the customers for the teacher
STUDENT_HIDDEN: int = 26  # width of the students
STUDENT_EPOCHS: int = 3  # passes for each student
CUT: float = 0.875  # share of the teacher's neurons that students go without
METHODS: list = [
    "hard labels", "soft labels", "reverse KL", "counting teaches", "model × counting"
]  # ways to teach; more: section 4  # fmt: skip
TEMPERATURE: float = 2.0  # for the method "temperature"
MAX_LENGTH: int = 128  # tokens of a customer's history that a model reads
MAX_CASES: int = 1000  # customers asked for their next purchase
ROUNDS: int = 2  # rounds of timing, in which all systems take turns

# %% [markdown]
# ## 1. What a teacher knows that a purchase does not tell
# A purchase is a **hard label**: this item, no other. A trained model says more: this one probably, that one nearly as well,
# those hardly ever. Its scores $z$ become chances by the softmax, and a **temperature** $T$ says how boldly they are read:
#
# $$p_i = \frac{e^{z_i/T}}{\sum_j e^{z_j/T}}$$
#
# By hand, four products with scores 4, 3, 1 and 0. As $T$ grows the small chances count for more, and in the end all are alike:

# %% tags=["nbval-check-output"]
z = np.array([4.0, 3.0, 1.0, 0.0])
for heat in (0.5, 1.0, 2.0, 8.0):
    p = np.exp(z / heat) / np.exp(z / heat).sum()
    shares = "  ".join(f"{share:.3f}" for share in p)
    print(f"T = {heat:<4} {shares}   entropy {-(p * np.log(p)).sum():.2f} nats")

# %% [markdown]
# A student's chances $q$ are held against the teacher's $p$ by the **Kullback–Leibler divergence**. It is no distance: it
# matters which comes first.
#
# $$\underbrace{\mathrm{KL}(p\,\|\,q) = \sum_i p_i \ln \frac{p_i}{q_i}}_{\text{forward: teacher first}} \qquad
# \underbrace{\mathrm{KL}(q\,\|\,p) = \sum_i q_i \ln \frac{q_i}{p_i}}_{\text{reverse: student first}}$$
#
# A text under test [T2] writes the reverse one, most of the field uses the forward one. By hand: the teacher finds two products
# equally likely. One student spreads its chances over everything, another bets on one of the two:

# %% tags=["nbval-check-output"]
p = np.array([0.48, 0.48, 0.02, 0.02])
ways = {"spreads": np.array([0.3, 0.3, 0.2, 0.2]), "bets": np.array([0.94, 0.02, 0.02, 0.02])}
for label, q in ways.items():
    forward, reverse = (p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()
    print(f"{label:<8} forward {forward:.2f}   reverse {reverse:.2f}")

# %% [markdown]
# The forward divergence prefers the student that spreads: it punishes giving no chance to what the teacher thinks possible.
# The reverse one minds less if a possibility is forgotten. Which serves better in a list of ten is to be measured.
#
# ## 2. The teacher
# Each customer's last basket is the test, the one before serves for choosing, all earlier ones for learning, as in lesson 06.
# The teacher is the model of that lesson: it reads what a customer bought as a set and fills gaps in it (on data without baskets:
# a causal model that reads the order).

# %%
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="predicting what a customer buys next")
require_enough(data, "predicting what comes next", customers=2, visits=3, items=3)
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
split = data.leave_one_out()
past = split.train.histories()
require_sequences(past, "learning from the past")
to_choose, to_judge = (
    evaluation.next_item_task(split, part, max_cases=MAX_CASES, seed=SEED)
    for part in ("validation", "test")
)
bought_again = to_choose.histories.matrix().multiply(to_choose.targets).astype(bool)
# whether what was bought before is left out of the lists
FILTER = bool(bought_again.sum() / to_choose.targets.nnz < 0.05)
objective = "masked" if "baskets" in data.aspects else "causal"
counts = np.bincount(past.items, minlength=n_items)
print(f"{n_items:,} products, {len(past.user_ids):,} customers, ", end="")
print(f"{len(to_judge):,} of them asked")

# %%
recipe = models.Recipe(
    objective=objective,
    positions=objective == "causal",
    hidden=HIDDEN,
    layers=1,
    heads=1,
    max_length=MAX_LENGTH,
    epochs=EPOCHS,
    learning_rate=5e-3,
)
fitted = recipe.fit(past, seed=SEED)
teacher, training = fitted.model, fitted.training
losses = training.losses["loss"]
print(f"trained in {training.seconds:.0f} s, loss {losses.iloc[0]:.2f} → {losses.iloc[-1]:.2f}")

# %% [markdown]
# What does it say about a customer? The hard label is one bar; the soft label is the whole row of bars: what a
# student can learn from one example more than the purchase itself tells.

# %%
example = to_judge.histories.take(np.array([0]))
scores = ItemRecommender(teacher).scores(example)[0]
bought = set(np.flatnonzero(to_judge.targets[0].toarray()[0]))
display(distil_figures.soft_labels(scores, names, bought, temperatures=(1.0, 2.0, 4.0)))
highest = [1 / np.exp((scores - scores.max()) / heat).sum() for heat in (1.0, 4.0)]
say(
    f"The first product gets {highest[0]:.1%} at $T = 1$ and {highest[1]:.1%} at $T = 4$; if "
    f"all were alike, it would be {1 / n_items:.2%}."
)

# %% [markdown]
# Heat keeps the order and shifts chance from the products shown to all others, until little is left to learn from. (What was bought
# may lie outside the products shown.)
#
# ## 3. Where the weights are, and where a student begins
# A model of items is mostly two things: its table, one vector per product, and its attention. What a student may spend is a
# quarter of all that is learnt. It need not begin with random weights. If the teacher's vectors do not fill their space evenly, which the cells below measure, a student of smaller width can keep the **main directions** only,
# with every map of the teacher written in them (after SliceGPT, Ashkboos and others 2024). Of the **neurons** of the feed-forward
# layer (a map to hidden numbers behind the attention, a bend, and a map back) it keeps those with the largest weights, see section 6.


# %%
def learnt(model: ItemModel) -> dict[str, int]:
    """Weights by part of the model; what is switched off is not counted."""
    marks = {
        "table of items": "word_embeddings",
        "attention": ".attention.",
        "feed-forward": ".layer.",
    }
    spent = dict.fromkeys([*marks, "rest"], 0)
    for name, weight in model.named_parameters():
        if weight.requires_grad and (model.config.positions or "position" not in name):
            fitting = (part for part, mark in marks.items() if mark in name)
            spent[next(fitting, "rest")] += weight.numel()
    return spent


# %% [markdown]
# A student before it has learnt, in two ways: what is left of the teacher, or a model as small with random weights.


# %%
def beginner(start: str = "teacher") -> ItemModel:
    """A student before it has learnt: left of the teacher, or with random weights."""
    strong = models.prune(teacher, neurons=CUT)
    if start == "random":
        neurons = strong.config.intermediate_size
        small = replace(recipe, hidden=STUDENT_HIDDEN, feed_forward=neurons)
        return small.model(past, seed=SEED)
    model = models.narrow_student(strong, STUDENT_HIDDEN, np.sqrt(counts)).requires_grad_(True)
    positions = model.bert.embeddings.position_embeddings.weight
    positions.requires_grad_(bool(model.config.positions))
    return model


spent = pd.DataFrame({"teacher": learnt(teacher), "student": learnt(beginner())})
spent.loc["all"] = spent.sum()
share = spent.loc["all", "student"] / spent.loc["all", "teacher"]
print(f"the student has {share:.0%} of the teacher's weights")
spent

# %%
vectors = teacher.output_table.detach().numpy()
weighted = np.sqrt(np.sqrt(counts))[:, None] * vectors
variance = np.linalg.svd(weighted, compute_uv=False) ** 2
held = variance[:STUDENT_HIDDEN].sum() / variance.sum()
print(f"{STUDENT_HIDDEN} of {HIDDEN} directions hold {held:.0%} of the ", end="")
print("weighted squared length of the item vectors ", end="")
print(f"(spread evenly: {STUDENT_HIDDEN / HIDDEN:.0%})")


# %%
def validate(system: evaluation.Recommender, name: str = "") -> evaluation.Evaluation:
    """How well a system does on validation."""
    return evaluate(system, to_choose, ks=(10,), filter_seen=FILTER, name=name)


def validation_score(system: evaluation.Recommender) -> float:
    """NDCG@10 on validation."""
    return validate(system).mean("NDCG@10")


starts = {
    "teacher": teacher,
    "what is left of it": beginner(),
    "random vectors, popularity, copying": beginner("random"),
}
scored = {
    label: round(validation_score(ItemRecommender(model)), 3) for label, model in starts.items()
}
print("NDCG@10 on validation, before the student learns:", scored)

# %% [markdown]
# ## 4. Ways to teach
# All students see the same batches for the same number of passes. What differs is the loss:
#
# $$\mathcal L = (1 - \alpha)\,\bigl(-\ln q_{\text{bought}}\bigr) + \alpha\, T^2\, \mathrm{KL}(p\,\|\,q).$$
#
# | Method | teacher | $\alpha$ | loss |
# |---|---|---|---|
# | `hard labels` | none | 0 | what was bought: the honest rival |
# | `soft labels` | the model | 1 | forward |
# | `reverse KL` | the model | 1 | reverse, as [T2] writes it |
# | `counting teaches` | what this customer bought how often (without repeats: sequential rules) | 1 | forward |
# | `model × counting` | both, their chances multiplied | 1 | forward |
#
# Also at hand, but not in the quick profile: `hard and soft`, `temperature`, `hidden states`, `ranks`, `soft labels, random start`,
# `hard labels, random start`, `hard labels, twice as long`. The factor $T^2$ keeps the gradient about equally large at every
# temperature. Counting teaches like any other teacher: its scores, as shares, are the soft labels. `ranks` keeps only the order of
# the teacher's first twenty [Tang & Wang 2018]; `hidden states` asks the student also to think alike: a linear map of its last
# hidden state is drawn to the teacher's [Romero and others 2015]. As many passes are not as much time: asking a teacher takes some
# too (see the seconds below); `hard labels, twice as long` is the rival that may use it.

# %%
counting = recommend.make_baseline("personal" if not FILTER else "sr").fit(past)
by_model = models.ModelTeacher(teacher)
by_counts = models.CountingTeacher(counting, objective)
by_both = models.JointTeacher([by_model, by_counts], [1.0, 1.0])
by_order = models.TopTeacher(by_model, min(20, n_items))

# %% [markdown]
# Each method says where the student begins, who its teacher is, how the labels are mixed, and the weight of the hidden states:

# %%
ways = {
    "hard labels": ("teacher", None, DistillationMix(0.0), 0.0),
    "soft labels": ("teacher", by_model, DistillationMix(1.0), 0.0),
    "reverse KL": ("teacher", by_model, DistillationMix(1.0, direction="reverse"), 0.0),
    "counting teaches": ("teacher", by_counts, DistillationMix(1.0), 0.0),
    "model × counting": ("teacher", by_both, DistillationMix(1.0), 0.0),
    "hard and soft": ("teacher", by_model, DistillationMix(0.5), 0.0),
    "temperature": ("teacher", by_model, DistillationMix(1.0, TEMPERATURE), 0.0),
    "hidden states": ("teacher", by_model, DistillationMix(1.0), 1.0),
    "ranks": ("teacher", by_order, DistillationMix(0.5), 0.0),
    "soft labels, random start": ("random", by_model, DistillationMix(1.0), 0.0),
    "hard labels, random start": ("random", None, DistillationMix(0.0), 0.0),
    "hard labels, twice as long": ("teacher", None, DistillationMix(0.0), 0.0),
}
if "hard labels" not in METHODS:
    raise errors.BadParameter("METHODS needs 'hard labels', the rival of all others.")
for method in METHODS:
    if method not in ways:
        raise errors.BadParameter(f"METHODS names {method!r}; choose from: {', '.join(ways)}.")

# %%
students, seconds = {}, {"teacher": training.seconds}
batches = recipe.batches(past, seed=SEED)
for method in METHODS:
    start, source, mix, matching = ways[method]
    students[method] = beginner(start)
    epochs = STUDENT_EPOCHS * (2 if method.endswith("twice as long") else 1)
    pair = models.Student(students[method], source, mix, matching=matching)
    # the same rate and schedule for all
    plan = replace(recipe, epochs=epochs).settings(seed=SEED)
    seconds[method] = models.train(pair, batches, plan, progress=False).seconds
print({method: f"{spent:.0f} s" for method, spent in seconds.items()})

# %%
systems = {"teacher": ItemRecommender(teacher), "counting": counting}
# what taught the last student
systems["teacher × counting"] = recommend.product_of_experts(systems["teacher"], counting, 1.0)
systems |= {method: ItemRecommender(model) for method, model in students.items()}
judged = {
    name: evaluate(system, to_judge, ks=(10,), filter_seen=FILTER, name=name)
    for name, system in systems.items()
}
of_teacher = judged["teacher"].mean("NDCG@10") or np.nan  # of nothing there are no shares
kept = {name: result.mean("NDCG@10") / of_teacher for name, result in judged.items()}
rows = [result.summary(["NDCG@10"], seed=SEED) for result in judged.values()]
table = pd.concat(rows, ignore_index=True)
table.insert(0, "system", list(judged))
table.assign(kept=list(kept.values()))

# %% [markdown]
# `kept` is the share of the teacher's NDCG@10. The intervals of single systems overlap widely because customers differ; what
# two systems differ by *for the same customer* is known much better. Each student against hard labels:


# %%
def gain_over(one: str, other: str) -> evaluation.Comparison:
    """Paired difference of two judged systems in NDCG@10."""
    return compare(judged[one], judged[other], "NDCG@10", seed=SEED)


taught = [gain_over(method, "hard labels") for method in METHODS if method != "hard labels"]
evaluation.comparison_table(taught)

# %%
values = {name: validation_score(systems[name]) for name in students}
chosen = max(values, key=values.get)
say(
    f"**What we see.** The teacher is {against(gain_over('teacher', 'counting'))}; the student "
    f"that is best on validation, {chosen}, is {against(gain_over(chosen, 'counting'))}.",
    each_against(taught),
)

# %% [markdown]
# ## 5. To repeat the teacher, or to do as well?
# These are two things [Stanton and others 2021]. A student may do as well by other means, or repeat faithfully what is wrong.
# **Fidelity** does not ask what was bought and compares what both say: the share of the teacher's ten that the student lists too,
# how often both put the same product first, and the divergence between them.

# %%
asked, ten = to_choose.histories, min(10, n_items)
faithful = {
    name: models.fidelity(systems[name], systems["teacher"], asked, k=ten)._asdict()
    for name in students
}
faithful = pd.DataFrame(faithful).T.assign(kept=[kept[name] for name in students])
faithful

# %%
closest = {
    "lists most of the teacher's ten": faithful["overlap"].idxmax(),
    "most often puts the same product first": faithful["first"].idxmax(),
    "has the smallest divergence": faithful["divergence"].idxmin(),
    "keeps most of its NDCG@10": faithful["kept"].fillna(0).idxmax(),
}
say("**What we see.**", "\n".join(f"- Who {what}: **{who}**." for what, who in closest.items()))

# %% [markdown]
# To repeat the teacher is one thing, to recommend well another. In the quick profile the teacher has learnt for seconds only: the
# purchases may know more than it does. And this is one seed; the intervals are over customers, not over trainings. Where teachers are
# trained to the end, over three seeds, the picture differs: on the shop soft labels are ahead of hard labels, on films they are behind
# (`results/deploy.md`, the rows *soft labels* of students that begin as *teacher*).
#
# **When does distillation not help?** When the teacher knows little that the data do not tell as quickly; when the student begins
# as part of the teacher and so knows already what it would be told; when the teacher is wrong, for then its mistakes are taught
# along. The same page has fewer customers, random starts, temperatures and mixtures, on the shop and on a million film ratings.
#
# ## 6. Prune: what can go
# **Unstructured** pruning sets the smallest weights to zero and leaves the matrices as they are. **Structured** pruning cuts out
# whole neurons and heads, so that the matrices shrink. By hand, a layer of three neurons: a neuron matters little if the weights
# into it or out of it are small.

# %% tags=["nbval-check-output"]
into = np.linalg.norm([[3.0, 4.0], [0.3, 0.4], [1.0, 0.0]], axis=1)
out = np.linalg.norm([[2.0, 0.0], [5.0, 0.0], [0.6, 0.8]], axis=1)
worth = into * out
for number, value in enumerate(worth):
    print(f"neuron {number}: |in| {into[number]:.1f} × |out| {out[number]:.1f} = {value:.1f}")
print("the first to go: neuron", worth.argmin())


# %%
def gone(model: ItemModel) -> int:
    """Weights that the teacher has and a model has not, or only as zeros."""
    cut_out = sum(learnt(teacher).values()) - sum(learnt(model).values())
    return cut_out + models.measure_size(model).zeros - models.measure_size(teacher).zeros


cuts = {
    "weights set to zero": models.prune_weights,
    "neurons cut, by magnitude": lambda model, share: models.prune(model, neurons=share),
    "neurons cut, at random": lambda model, share: models.prune(
        model, neurons=share, importance=models.random_importance(model, seed=SEED)
    ),
}
rows, pruned = [], {}
for share in (0.25, 0.5, 0.75, 0.9):
    for way, cut in cuts.items():
        model = cut(teacher, share)
        e = pruned[way, share] = validate(ItemRecommender(model), f"{way}, {share:.0%}")
        row = {"way": way, "share": share, "NDCG@10": e.mean("NDCG@10")}
        rows.append(row | {"weights gone": gone(model)})
pd.DataFrame(rows).pivot(index="share", columns="way", values=["NDCG@10", "weights gone"])

# %%
whole_teacher = validate(systems["teacher"], "the whole teacher")
by_size, by_chance = (
    pruned[f"neurons cut, {how}", 0.9] for how in ("by magnitude", "at random")
)
lost = [
    compare(e, whole_teacher, seed=SEED) for (_, share), e in pruned.items() if share == 0.9
]
say(
    "**What we see.** The deepest cuts, on validation:",
    each_against(lost),
    f"To cut by magnitude is {against(compare(by_size, by_chance, seed=SEED))}.",
)

# %% [markdown]
# A teacher that can spare most of its neurons had more than its task needs. Where a cut at random does as well as one by magnitude, the
# sizes of the weights say little about what matters: compare with chance before you praise a criterion.

# %% [markdown]
# ## 7. Fewer digits, and a runtime of its own
# Weights are numbers of 32 bits. **Dynamic int8** keeps them as whole numbers from −127 to 127 with a scale for each output, and turns
# what flows between them into such numbers on the fly. By hand, one row:

# %% tags=["nbval-check-output"]
row = np.array([0.50, -1.27, 0.013, 0.20])
scale = np.abs(row).max() / 127
whole = np.round(row / scale).astype(int)
print("scale", round(scale, 4), "→ whole numbers", whole.tolist())
error = float(np.abs(whole * scale - row).max())
print("back:", (whole * scale).round(3).tolist(), " largest error", round(error, 4))

# %% [markdown]
# **ONNX** is a file format for networks, which ONNX Runtime computes without PyTorch. On export something else is gained: only the last position
# of a history is asked for the next product, so in the last layer only that one has to be computed. Length and number of
# customers stay open. An exported model has to say what the original says; that is checked, not hoped for.

# %%
folder = Path(tempfile.mkdtemp())
exact = models.to_onnx(teacher, folder / "teacher.onnx")
rough = models.quantise(exact, folder / "teacher-int8.onnx")
original = systems["teacher"].scores(asked)
rows = []
for label, path in {"ONNX, 32 bits": exact, "ONNX, 8 bits": rough}.items():
    in_runtime = OnnxRecommender(path)
    difference = float(np.abs(in_runtime.scores(asked) - original).max())
    close = models.fidelity(in_runtime, systems["teacher"], asked, k=ten)
    row = {"file": label, "bytes": path.stat().st_size}
    row |= {"largest difference of a score": difference}
    rows.append(row | {"same ten": close.overlap, "same first": close.first})
agreement = pd.DataFrame(rows)
largest_difference = float(agreement["largest difference of a score"].iloc[0])
if largest_difference >= 1e-3:
    say("**The exported model says something else than the original: do not deploy it.**")
file_32, file_8 = agreement.to_dict("records")
display(agreement)
say(
    f"**What we see.** The scores of the file of 32 bits differ from PyTorch's by at most "
    f"{largest_difference:.6f}. The one of 8 bits has "
    f"{file_8['bytes'] / file_32['bytes']:.0%} of its bytes, lists {file_8['same ten']:.1%} of "
    f"the same ten products and puts the same one first for "
    f"{file_8['same first']:.1%} of the customers."
)

# %% [markdown]
# ## 8. Smaller tables
# A table of $n$ vectors of width $d$ costs $n d$ numbers. As a product of an $n \times r$ and an $r \times d$ matrix it costs
# $r(n + d)$. In **codes** it costs one byte per item and part, and the codebooks: a vector is cut into parts, and each part is
# replaced by the nearest of at most 256 entries of a codebook [Jégou and others 2011; Petrov & Macdonald 2024]. The codebooks
# cost the same however many items there are: with thousands of products hardly anything of the table is left.

# %%
weights, width = np.sqrt(counts), teacher.config.hidden_size
tables = {"full table": teacher}
for rank in (width // 2, width // 4, width // 8):
    tables[f"product of rank {rank}"] = models.factorise_table(teacher, rank, weights=weights)
entries = max(2, min(64, n_items // 2))
for parts in (width // 2, width // 4):
    label = f"codes of {parts} bytes, {entries} entries"
    tables[label] = models.quantise_table(teacher, parts, entries, weights=weights, seed=SEED)
rows, by_table = [], {}
for label, model in tables.items():
    by_table[label] = validate(ItemRecommender(model), label)
    row = {"table": label, "bytes of the model": models.measure_size(model).bytes}
    rows.append(row | {"NDCG@10": by_table[label].mean("NDCG@10")})
pd.DataFrame(rows).assign(share=lambda t: t["bytes of the model"] / t["bytes of the model"][0])

# %%
smaller = [
    compare(e, by_table["full table"], seed=SEED)
    for label, e in by_table.items()
    if label != "full table"
]
say("**What we see.** On validation:", each_against(smaller))

# %% [markdown]
# A product of low rank gives every item fewer numbers; codes give each its own mixture of shared pieces. With few products, as in the
# shop, the codebooks and the attention are most of what is left, and little of the model can go.
#
# ## 9. What to deploy
# Everything together, counting too: quality on the test against bytes and against the time one customer waits, on one core. All systems take
# turns, so that a busy neighbour meets each of them. The steps mark the front: left of it and above there is nothing.


# %%
def exported(name: str, model: ItemModel) -> dict[str, tuple[str, object, int]]:
    """A model as an ONNX file: name → family, recommender, bytes."""
    path = models.to_onnx(model, folder / f"{ledger.slug(name)}.onnx")
    return {f"{name}, ONNX": ("ONNX", OnnxRecommender(path), path.stat().st_size)}


def in_all_forms(name: str, model: ItemModel) -> dict[str, tuple[str, object, int]]:
    """A model in PyTorch, exported, and exported with 8 bits."""
    in_torch = ("PyTorch", ItemRecommender(model, block=64), models.measure_size(model).bytes)
    forms = {name: in_torch} | exported(name, model)
    small = folder / f"{ledger.slug(name)}-int8.onnx"
    models.quantise(folder / f"{ledger.slug(name)}.onnx", small)
    forms[f"{name}, int8"] = ("ONNX int8", OnnxRecommender(small), small.stat().st_size)
    return forms


# %% [markdown]
# The candidates: counting, the teacher and the student chosen on validation in all forms, the others in one. What counting has learnt is
# kept in a file as well, for its bytes.

# %%
candidates = {"counting": ("counting", counting, len(pickle.dumps(counting)))}
candidates |= in_all_forms("teacher", teacher)
candidates |= in_all_forms(f"student, {chosen}", students[chosen])
for method in students:
    if method != chosen:
        candidates |= exported(f"student, {method}", students[method])
candidates |= exported("half of the neurons", models.prune(teacher, neurons=0.5))
last_only = models.NextItem(teacher)
for label, net in {"last position only": last_only, "bf16": models.bf16(last_only)}.items():
    system = models.NextItemRecommender(net)
    candidates[f"teacher, {label}"] = ("PyTorch", system, models.measure_size(net).bytes)
print("chosen on validation:", chosen)

# %%
times, histories = {name: [] for name in candidates}, to_judge.histories
many = {"batch": 256, "repeats": 2, "warmup": 1}
for number in range(ROUNDS):
    for name, (_, system, _) in candidates.items():
        alone = evaluation.measure_latency(system, histories, repeats=200, seed=number)
        together = evaluation.measure_latency(system, histories, **many, seed=number)
        times[name].append((alone.p50, alone.p99, together.per_second))

# %%
rows = []
for name, (family, system, held) in candidates.items():
    if name != "counting":
        family = f"{'student' if name.startswith('student') else 'teacher'}, {family}"
    row = {"system": name, "family": family, "bytes": held}
    row |= zip(("p50", "p99", "per_second"), np.median(times[name], axis=0), strict=True)
    judged[name] = evaluate(system, to_judge, ks=(10,), filter_seen=FILTER, name=name)
    rows.append(row | {"NDCG@10": judged[name].mean("NDCG@10")})
points = pd.DataFrame(rows)
points["kept"] = points["NDCG@10"] / of_teacher
speed = points.set_index("system")["per_second"]
points["times as fast"] = points["per_second"] / speed["teacher"]
points

# %%
drawn = points.rename(columns={"NDCG@10": "quality"})
distil_figures.pareto(drawn, judged["teacher"].mean("NDCG@10"))

# %% [markdown]
# A goal in the spirit of what is reported for language models [Sanh and others 2019; Jiao and others 2020]: at least 97 % of the
# teacher's quality, with a quarter of its weights or fewer, four times as fast on a processor as the teacher in PyTorch. How much
# of the speed is the student's, and how much the runtime's, shows against the teacher in the same form.

# %%
at = points.set_index("system")
student = at.loc[f"student, {chosen}, ONNX"]
small = sum(learnt(students[chosen]).values()) / sum(learnt(teacher).values())
in_same_form = student["per_second"] / at.loc["teacher, ONNX", "per_second"]
share = f"{student['kept']:.1%} kept" if of_teacher > 0 else "the teacher found nothing to keep"
print(f"{student.name}: {share}, {small:.0%} of the weights")
faster = student["times as fast"]
print(f"{faster:.1f} times as fast as the teacher in PyTorch, ", end="")
print(f"{in_same_form:.1f} times as the teacher in the same form")
reached = student["kept"] >= 0.97 and small <= 0.25 and faster >= 4
print("all three reached:", bool(reached))

# %% [markdown]
# Speed need not be the student's. Who asks for the last position only saves the work on all others, and ONNX Runtime
# saves the one customer who waits the work between the operations. In a model as small as this, turning numbers into bytes can cost
# what whole numbers save.

# %%
forms = [f"teacher, {form}" for form in ("last position only", "bf16", "ONNX", "int8")]
as_fast = "; ".join(
    f"{name} {times:.1f}" for name, times in at.loc[forms, "times as fast"].items()
)
deployed = [student.name, "teacher, ONNX"]
counted = at.loc["counting"]
say(
    f"**What we see.** Times as many lists a second as the teacher in PyTorch: {as_fast}. The "
    f"student is {against(gain_over(student.name, 'teacher'))}.",
    each_against(gain_over(name, "counting") for name in deployed),
    f"Counting takes {counted['bytes']:,} bytes and {1e3 * counted['p50']:.2g} ms, the student "
    f"{student['bytes']:,} bytes and {1e3 * student['p50']:.2g} ms.",
)

# %% [markdown]
# A percentage of the teacher is a percentage of a model: ask first whether counting beats it.
#
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("09.1")` in a new cell; ask again and you get another one.
#
# **Exercise 09.1.** By hand: two products have the scores ln 9 and 0. What chance does the first one get at $T = 1$, and what at
# $T = 2$?

# %%
# two numbers
### BEGIN SOLUTION
answer = 0.9, 0.75
### END SOLUTION
_ = check.exercise("09.1", answer)

# %% [markdown]
# **Exercise 09.2.** By hand: the teacher says $p = (1/2, 1/2)$, the student $q = (3/4, 1/4)$. Forward and reverse divergence, in nats?

# %%
# two numbers: forward, reverse
### BEGIN SOLUTION
answer = (
    0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25),
    0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5),
)
### END SOLUTION
_ = check.exercise("09.2", answer)

# %% [markdown]
# **Exercise 09.3.** Write the loss of section 4 for one example: hard and soft labels mixed, forward divergence, with temperature.


# %%
# student, teacher: scores of all products; bought: number of the product; return a number
### BEGIN SOLUTION
def distillation(
    student: np.ndarray, teacher: np.ndarray, bought: int, alpha: float, heat: float
) -> float:
    """The loss in nats."""

    def log_chances(scores: np.ndarray) -> np.ndarray:
        return scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())

    log_p, log_q = log_chances(teacher / heat), log_chances(student / heat)
    soft = heat**2 * (np.exp(log_p) * (log_p - log_q)).sum()
    return float((1 - alpha) * -log_chances(student)[bought] + alpha * soft)


### END SOLUTION
_ = check.exercise("09.3", distillation)

# %% [markdown]
# **Exercise 09.4.** Write a function that puts vectors into codes: cut each vector into as many equal parts as there are
# codebooks, and give for each part the number of the nearest entry.


# %%
# vectors: shape (n, d); books: shape (parts, entries, d / parts);
# return whole numbers of shape (n, parts)
### BEGIN SOLUTION
def codes_of(vectors: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Number of the nearest entry, by squared distance."""
    parts = vectors.reshape(len(vectors), len(books), -1)
    distance = ((parts[:, :, None, :] - books[None]) ** 2).sum(axis=-1)
    return distance.argmin(axis=-1)


### END SOLUTION
_ = check.exercise("09.4", codes_of)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded below |
# |---|---|---|
# | Distillation from the large model improves the small one. | T2 | soft labels over hard labels (`distil/gain_soft_labels`, `…_reverse_kl`) |
# | The divergence is written with the student first. | T2 | reverse against forward (`distil/reverse_against_forward`) |
# | Quantisation and pruning cut the cost substantially at little loss. | T1, T3 | what 8 bits, 16 bits and half of the neurons keep, gain and cost (`compress/…`) |


# %%
_ = ledger.record("data/fingerprint", data.fingerprint())
for name in ("teacher", "counting", *students):
    shown = judged[name].summary(["NDCG@10"], seed=SEED).iloc[0]
    ledger.record(
        f"distil/ndcg10_{ledger.slug(name)}",
        shown["mean"],
        interval=(shown["low"], shown["high"]),
        claim="8",
        tolerance=1e-6 if name == "counting" else 0.02,
        note="counting" if name == "counting" else "one seed",
    )

# %% [markdown]
# How the ways to teach differ, for the same customers:

# %%
note = "NDCG@10, as many steps, one seed"
for gain in taught:
    from_model = ways[gain.first][1] in (by_model, by_order)
    facts = {
        "claim": "8" if from_model else None,
        "baseline": judged[gain.second].mean("NDCG@10"),
    }
    ledger.record_gain(f"distil/gain_{ledger.slug(gain.first)}", gain, note=note, **facts)
facts = {"baseline": judged["counting"].mean("NDCG@10")}
for who, name in {"teacher": "teacher", "student": chosen}.items():
    gain = gain_over(name, "counting")
    ledger.record_gain(f"distil/{who}_against_counting", gain, note=f"NDCG@10, {name}", **facts)
if {"soft labels", "reverse KL"} <= set(students):
    facts = {"claim": "slip-5", "baseline": judged["soft labels"].mean("NDCG@10"), "note": note}
    gain = gain_over("reverse KL", "soft labels")
    ledger.record_gain("distil/reverse_against_forward", gain, **facts)

# %% [markdown]
# What each form keeps and how fast it is (speeds are shown, not compared):

# %%
for row in points.itertuples():
    note = f"share of the teacher's NDCG@10; {row.bytes:,} bytes"
    slug = f"compress/kept_{ledger.slug(row.system)}"
    if np.isfinite(row.kept):
        ledger.record(slug, row.kept, tolerance=0.05, claim="17", note=note)
    note = "lists per second, 256 customers in a call, one core"
    slug = f"compress/times_as_fast_{ledger.slug(row.system)}"
    times_as_fast = round(row.per_second / speed["teacher"], 1)
    ledger.record(slug, times_as_fast, baseline=1.0, tolerance=None, claim="17", note=note)

# %% [markdown]
# What fewer bits and fewer neurons change, the rest being the same:

# %%
student_as_is = f"student, {chosen}"
pairs = [("half of the neurons, ONNX", "teacher, ONNX"), ("teacher, bf16", "teacher")]
pairs += [("teacher, int8", "teacher"), (f"{student_as_is}, int8", student_as_is)]
for one, other in pairs:
    facts = {"claim": "17", "baseline": judged[other].mean("NDCG@10"), "note": "NDCG@10"}
    ledger.record_gain(f"compress/gain_{ledger.slug(one)}", gain_over(one, other), **facts)

# %%
note = "share of the teacher's weights"
slug = "compress/weights_of_the_student"
_ = ledger.record(slug, float(small), tolerance=1e-9, claim="8", note=note)
note = "scores of the exported teacher against PyTorch"
slug = "compress/onnx_largest_difference"
_ = ledger.record(slug, largest_difference, tolerance=None, claim="17", note=note)
note = "share of the teacher's ten that its 8-bit file lists"
same_ten = float(agreement["same ten"].iloc[1])
_ = ledger.record("compress/same_ten_int8", same_ten, tolerance=0.1, claim="17", note=note)

# %% [markdown]
# ## References
# - G. Hinton, O. Vinyals, J. Dean (2015). Distilling the knowledge in a neural network. arXiv:1503.02531.
# - A. Romero and others (2015). FitNets: hints for thin deep nets. ICLR.
# - J. Tang, K. Wang (2018). Ranking distillation: learning compact ranking models with high performance for recommender system. KDD.
# - V. Sanh, L. Debut, J. Chaumond, T. Wolf (2019). DistilBERT, a distilled version of BERT. arXiv:1910.01108.
# - X. Jiao and others (2020). TinyBERT: distilling BERT for natural language understanding. Findings of EMNLP.
# - S. Stanton and others (2021). Does knowledge distillation really work? NeurIPS.
# - Z. Lan and others (2020). ALBERT: a lite BERT for self-supervised learning of language representations. ICLR.
# - H. Jégou, M. Douze, C. Schmid (2011). Product quantization for nearest neighbor search. IEEE TPAMI 33.
# - A. Petrov, C. Macdonald (2024). RecJPQ: training large-catalogue sequential recommenders. WSDM.
# - S. Ashkboos and others (2024). SliceGPT: compress large language models by deleting rows and columns. ICLR.
# - P. Michel, O. Levy, G. Neubig (2019). Are sixteen heads really better than one? NeurIPS.
# - S. Han, J. Pool, J. Tran, W. Dally (2015). Learning both weights and connections for efficient neural networks. NeurIPS.
# - B. Jacob and others (2018). Quantization and training of neural networks for efficient integer-arithmetic-only inference. CVPR.
#
# Texts under test: T1 to T5, see lesson [01](01_count_what_goes_together.ipynb).
