# %% [markdown]
# # 09 · Distil, then compress
#
# *Question: How small can the model be?*
#
# A model that took minutes or nights to train has to answer in a millisecond, perhaps on a till. This lesson makes it
# small: first by **distillation**, in which a small model learns from what a large one *says* rather than from what was
# bought; then by taking from it what it can spare, neurons and digits. At each step the question is the same: what does
# it cost, what is it worth, and would counting, or plain training of the small model, have done as well?
#
# | You will do | You will learn | You need |
# |---|---|---|
# | train a student of a quarter of the weights from a teacher, from counting, and alone | what soft labels say, what a temperature does, which way round the divergence goes | [03 Pretrain a language model of items](03_pretrain_on_items.ipynb) |
# | prune, quantise, export to ONNX | which of these makes a model smaller, which makes it faster, and that they are not the same | 75 minutes, under 2 GB of memory, no GPU |
# | draw quality against size and against waiting time, counting among the systems | how to choose what to deploy, and to check that it still says the same | {run_time} |

# %% tags=["hide"]
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import display

# %% tags=["hide"]
from llmarm_tutorial import evaluation, models, recommend
from llmarm_tutorial.data import load, thin
from llmarm_tutorial.evaluation import compare, evaluate
from llmarm_tutorial.figures import distil as distil_figures
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.lesson import (
    against,
    check,
    each_against,
    ledger,
    recorded_rows,
    require_choices,
    require_enough,
    require_sequences,
    say,
)
from llmarm_tutorial.models import ItemModel, ItemRecommender, OnnxRecommender

house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # waiting times are those of one core
pd.options.display.float_format = lambda x: f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.4g}"
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
HIDDEN: int = 64  # width of the teacher
EPOCHS: int = 8  # passes over the customers for the teacher, where no weights are kept
STUDENT_HIDDEN: int = 26  # width of the students
STUDENT_EPOCHS: int = 2  # passes for each student
CUT: float = 0.875  # share of the teacher's neurons that students go without
METHODS: list = [
    "hard labels", "soft labels", "reverse KL", "model × counting"
]  # ways to teach; more: section 4  # fmt: skip
TEMPERATURE: float = 2.0  # for the method "temperature"
MAX_LENGTH: int = 128  # tokens of a customer's history that a model reads
MAX_CASES: int = 1000  # customers asked for their next purchase
ROUNDS: int = 2  # rounds of timing, in which all systems take turns

# %% [markdown]
# ## 1. What a teacher knows that a purchase does not tell
# A purchase is a **hard label**: this item, no other. A trained model says more: this one probably, that one nearly as
# well, those hardly ever. Its scores $z$ become chances by the **softmax**: $e$ to the power of each score, divided by
# their sum. A **temperature** $T$ says how boldly the scores are read:
#
# $$p_i = \frac{e^{z_i/T}}{\sum_j e^{z_j/T}}$$
#
# By hand, four products with scores 4, 3, 1 and 0. As $T$ grows the small chances count for more, and in the end all are
# alike (the *entropy*, in nats, says how evenly chances are spread):

# %% tags=["nbval-check-output"]
z = np.array([4.0, 3.0, 1.0, 0.0])
for heat in (0.5, 1.0, 2.0, 8.0):
    p = np.exp(z / heat) / np.exp(z / heat).sum()
    shares = "  ".join(f"{share:.3f}" for share in p)
    print(f"T = {heat:<4} {shares}   entropy {-(p * np.log(p)).sum():.2f} nats")

# %% [markdown]
# A student's chances $q$ are compared with the teacher's $p$ by the **Kullback–Leibler divergence**. It is no distance:
# it matters which comes first.
#
# $$\underbrace{\mathrm{KL}(p\,\|\,q) = \sum_i p_i \ln \frac{p_i}{q_i}}_{\text{forward: teacher first}} \qquad
# \underbrace{\mathrm{KL}(q\,\|\,p) = \sum_i q_i \ln \frac{q_i}{p_i}}_{\text{reverse: student first}}$$
#
# A text under test [T2] writes the reverse one, most of the field uses the forward one. By hand: the teacher finds two
# products equally likely. One student spreads its chances over everything, another bets on one of the two:

# %% tags=["nbval-check-output"]
p = np.array([0.48, 0.48, 0.02, 0.02])
guesses = {
    "spreads": np.array([0.3, 0.3, 0.2, 0.2]),
    "bets": np.array([0.94, 0.02, 0.02, 0.02]),
}
for label, q in guesses.items():
    forward, reverse = (p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()
    print(f"{label:<8} forward {forward:.2f}   reverse {reverse:.2f}")

# %% [markdown]
# The forward divergence prefers the student that spreads: it punishes giving no chance to what the teacher thinks
# possible. The reverse one minds less if a possibility is forgotten. Which serves better in a list of ten is to be
# measured.
#
# ## 2. The teacher
# Each customer's last basket is the test, the one before serves for choosing, all earlier ones for learning. The teacher
# is the model of lesson [06](06_recommend.ipynb): it reads purchases in their order and predicts the next one.

# %%
require_choices("METHODS", METHODS, models.WAYS, needed=["hard labels"])
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="predicting what a customer buys next")
require_enough(data, "predicting what comes next", customers=2, visits=3, items=3)
split = data.leave_one_out()
past = split.train.histories()
require_sequences(past, "learning from the past")

# %%
to_choose, to_judge = (
    evaluation.next_item_task(split, part, max_cases=MAX_CASES, seed=SEED)
    for part in ("validation", "test")
)
bought_again = to_choose.histories.matrix().multiply(to_choose.targets).astype(bool)
# whether what was bought before is left out of the lists
FILTER = bool(bought_again.sum() / to_choose.targets.nnz < 0.05)
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
print(f"{n_items:,} products, {len(past.user_ids):,} customers, ", end="")
print(f"{len(to_judge):,} of them asked")

# %% [markdown]
# For the shop as it is, the weights that its recipe reaches in minutes are kept in the repository, and the teacher is opened.
# Else it is trained here for a short time.

# %%
recipe = replace(
    models.RECIPES["next-visit"],
    visits="baskets" in data.aspects,
    hidden=HIDDEN,
    max_length=MAX_LENGTH,
)
fitted = models.trained(recipe, past, seed=SEED, epochs=EPOCHS)
teacher, training = fitted.model.eval(), fitted.training
print(fitted.note)

# %% [markdown]
# What does it say about a customer? The hard label is one bar. The soft label is the whole row of bars: that much more
# can a student learn from one example.

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
# A high temperature keeps the order and shifts chance from the products shown to all others, until little is left to
# learn from. (What was bought may lie outside the products shown.)
#
# ## 3. Where the weights are, and where a student begins
# A model of items is mostly two things: its table, one vector per product, and its attention. A student may spend a
# quarter of all that is learnt. It need not begin with random weights. Of the teacher's vectors it can keep the **main
# directions** only, with every map of the teacher written in them (after SliceGPT, Ashkboos and others 2024). Of the
# **neurons** of the feed-forward layer (a map to hidden numbers behind the attention, a bend, and a map back) it keeps
# those with the largest weights, see section 6.


# %%
roots = np.sqrt(past.item_counts)  # how much each product counts in choosing directions
strong = models.prune(teacher, neurons=CUT)


def beginner(begins: str = "teacher") -> ItemModel:
    """A student before it has learnt: left of the teacher, or as small with random weights."""
    model = models.narrow_student(strong, STUDENT_HIDDEN, roots)
    if begins == "random":
        neurons = strong.config.intermediate_size
        small = replace(recipe, hidden=STUDENT_HIDDEN, feed_forward=neurons)
        model = small.model(past, seed=SEED)
    return models.ready_to_learn(model)


# %%
spent = {
    "teacher": models.learnt_weights(teacher),
    "student": models.learnt_weights(beginner()),
}
spent = pd.DataFrame(spent)
spent.loc["all"] = spent.sum()
small = spent.loc["all", "student"] / spent.loc["all", "teacher"]
print(f"the student has {small:.0%} of the teacher's weights")
spent

# %%
weighted = np.sqrt(roots)[:, None] * teacher.output_table.detach().numpy()
variance = np.linalg.svd(weighted, compute_uv=False) ** 2
held = variance[:STUDENT_HIDDEN].sum() / variance.sum()
print(f"{STUDENT_HIDDEN} of {HIDDEN} directions hold {held:.0%} of the ", end="")
print("weighted squared length of the item vectors ", end="")
print(f"(spread evenly: {STUDENT_HIDDEN / HIDDEN:.0%})")


# %%
def validate(system: evaluation.Recommender, name: str = "") -> evaluation.Evaluation:
    """How well a system does on validation."""
    return evaluate(system, to_choose, ks=(10,), filter_seen=FILTER, name=name)


starts = {
    "teacher": teacher,
    "what is left of it": beginner(),
    "random vectors, popularity, copying": beginner("random"),
}
scored = {
    label: round(validate(ItemRecommender(model)).mean("NDCG@10"), 3)
    for label, model in starts.items()
}
print("NDCG@10 on validation, before the student learns:", scored)

# %% [markdown]
# ## 4. Ways to teach
# All students see the same batches for the same number of passes. What differs is the loss:
#
# $$\mathcal L = (1 - \alpha)\,\bigl(-\ln q_{\text{bought}}\bigr) + \alpha\, T^2\, \mathrm{KL}(p\,\|\,q).$$
#
# With $\alpha = 0$ the student learns from what was bought alone: `hard labels`, the honest rival. The factor $T^2$ keeps
# the gradient (how the weights are moved) about equally large at every temperature. Counting teaches like any other
# teacher: what this customer bought how often, as shares, is the soft label. All ways (`METHODS` chooses):

# %%
ways = pd.DataFrame({name: way._asdict() for name, way in models.WAYS.items()}).T
ways.assign(chosen=["yes" if name in METHODS else "" for name in ways.index])

# %% [markdown]
# `soft` is $\alpha$. *The model's order* keeps only the order of the teacher's first twenty [Tang & Wang 2018];
# `matching` draws the student's hidden states to the teacher's [Romero and others 2015].

# %%
counting = recommend.make_baseline("personal" if not FILTER else "sr").fit(past)
teachers = models.teachers_of(teacher, counting)
students, seconds = {}, {}
batches = recipe.batches(past, seed=SEED)
for method in METHODS:
    way = models.WAYS[method]
    way = way._replace(temperature=TEMPERATURE) if method == "temperature" else way
    students[method] = beginner(way.begins)
    source, matching = teachers[way.taught_by], way.matching
    pair = models.Student(students[method], source, way.mix, matching=matching)
    # the same rate and schedule for all
    plan = replace(recipe, epochs=way.passes * STUDENT_EPOCHS).settings(seed=SEED)
    seconds[method] = models.train(pair, batches, plan, progress=False).seconds
print({method: f"{spent:.0f} s" for method, spent in seconds.items()})

# %%
systems = {"teacher": ItemRecommender(teacher), "counting": counting}
# what taught the last student
systems["teacher × counting"] = recommend.product_of_experts(systems["teacher"], counting, 1.0)
systems |= {method: ItemRecommender(model.eval()) for method, model in students.items()}
judged = {
    name: evaluate(system, to_judge, ks=(10,), filter_seen=FILTER, name=name)
    for name, system in systems.items()
}
of_teacher = judged["teacher"].mean("NDCG@10") or np.nan  # of nothing there are no shares
kept = {name: result.mean("NDCG@10") / of_teacher for name, result in judged.items()}
table = evaluation.means_table(judged, "NDCG@10", seed=SEED)
table.assign(kept=pd.Series(kept))

# %% [markdown]
# `kept` is the share of the teacher's NDCG@10. The intervals of single systems overlap widely because customers differ;
# what two systems differ by *for the same customer* is known much better. Each student against hard labels:


# %%
def gain_over(one: str, other: str) -> evaluation.Comparison:
    """Paired difference of two judged systems in NDCG@10."""
    return compare(judged[one], judged[other], "NDCG@10", seed=SEED)


taught = [gain_over(method, "hard labels") for method in METHODS if method != "hard labels"]
values = {name: validate(systems[name]).mean("NDCG@10") for name in students}
chosen = max(values, key=values.get)
say(
    f"**What we see.** The teacher is {against(gain_over('teacher', 'counting'))}; the student "
    f"that is best on validation, {chosen}, is {against(gain_over(chosen, 'counting'))}.",
    each_against(taught),
)

# %% [markdown]
# This is one seed: the intervals are over customers, not over trainings.
#
# ## 5. To repeat the teacher, or to do as well?
# These are two things [Stanton and others 2021]. A student may do as well by other means, or repeat faithfully what is
# wrong. **Fidelity** does not ask what was bought. It compares what both say: the share of the teacher's ten that the
# student lists too, how often both put the same product first, and the divergence between them.

# %%
asked, ten = to_choose.histories, min(10, n_items)
faithful = {
    name: models.fidelity(systems[name], systems["teacher"], asked, k=ten)._asdict()
    for name in students
}
faithful = pd.DataFrame(faithful).T.assign(kept=pd.Series(kept))
faithful

# %%
closest = {
    "lists most of the teacher's ten": faithful["overlap"].idxmax(),
    "most often puts the same product first": faithful["first"].idxmax(),
    "has the smallest divergence": faithful["divergence"].idxmin(),
    "keeps most of its NDCG@10": faithful["kept"].fillna(0).idxmax(),
}
lines = [f"- The student that {what}: **{name}**." for what, name in closest.items()]
say("**What we see.**", "\n".join(lines))

# %% [markdown]
# Distillation helps little when the teacher knows little that the data do not tell as quickly, when the student begins as
# part of the teacher and so knows already what it would be told, and when the teacher is wrong: its mistakes are taught
# along. On a million film ratings, with students trained to the end (`results/deploy.md`), it came out so:

# %%
recorded_rows("teaching")

# %% [markdown]
# ## 6. Prune: what can go
# **Unstructured** pruning sets the smallest weights to zero and leaves the matrices as they are. **Structured** pruning
# cuts out whole neurons, so that the matrices shrink. By hand, a layer of three neurons: a neuron matters little if the
# weights into it or out of it are small.

# %% tags=["nbval-check-output"]
into = np.linalg.norm([[3.0, 4.0], [0.3, 0.4], [1.0, 0.0]], axis=1)
out = np.linalg.norm([[2.0, 0.0], [5.0, 0.0], [0.6, 0.8]], axis=1)
worth = into * out
for number, value in enumerate(worth):
    print(f"neuron {number}: |in| {into[number]:.1f} × |out| {out[number]:.1f} = {value:.1f}")
print("the first to go: neuron", worth.argmin())


# %%
cuts = {
    "weights set to zero": models.prune_weights,
    "neurons cut, by magnitude": lambda model, share: models.prune(model, neurons=share),
    "neurons cut, at random": lambda model, share: models.prune(
        model, neurons=share, importance=models.random_importance(model, seed=SEED)
    ),
}
pruned = {
    (way, share): validate(ItemRecommender(cut(teacher, share)), f"{way}, {share:.0%}")
    for share in (0.25, 0.5, 0.75, 0.9)
    for way, cut in cuts.items()
}
pd.Series({of: result.mean("NDCG@10") for of, result in pruned.items()}).unstack(0)

# %%
whole_teacher = validate(systems["teacher"], "the whole teacher")
by_size, by_chance = (
    pruned[f"neurons cut, {how}", 0.9] for how in ("by magnitude", "at random")
)
lost = [compare(pruned[way, 0.9], whole_teacher, seed=SEED) for way in cuts]
say(
    "**What we see.** The deepest cuts, on validation:",
    each_against(lost),
    f"To cut by magnitude is {against(compare(by_size, by_chance, seed=SEED))}.",
)

# %% [markdown]
# A teacher that can spare most of its neurons had more than its task needs. Where a cut at random does as well as one by
# magnitude, the sizes of the weights say little about what matters: compare with chance before you praise a criterion.

# %% [markdown]
# ## 7. Fewer digits, and a runtime of its own
# Weights are numbers of 32 bits. **Dynamic int8** keeps them as whole numbers from −127 to 127 with a scale for each
# output, and turns what flows between them into such numbers on the fly. By hand, one row:

# %% tags=["nbval-check-output"]
row = np.array([0.50, -1.27, 0.013, 0.20])
scale = np.abs(row).max() / 127
whole = np.round(row / scale).astype(int)
print("scale", round(scale, 4), "→ whole numbers", whole.tolist())
error = float(np.abs(whole * scale - row).max())
print("back:", (whole * scale).round(3).tolist(), " largest error", round(error, 4))

# %% [markdown]
# **ONNX** is a file format for networks, which ONNX Runtime computes without PyTorch. On export something else is gained:
# only the last position of a history is asked for the next product, so in the last layer only that one is computed. An
# exported model has to say what the original says; that is checked, not hoped for.

# %%
folder = Path(tempfile.mkdtemp())
exact = models.to_onnx(teacher, folder / "teacher.onnx")
rough = models.quantise(exact, folder / "teacher-int8.onnx")
original = systems["teacher"].scores(asked)
rows = {}
for label, path in {"ONNX, 32 bits": exact, "ONNX, 8 bits": rough}.items():
    in_runtime = OnnxRecommender(path)
    difference = float(np.abs(in_runtime.scores(asked) - original).max())
    close = models.fidelity(in_runtime, systems["teacher"], asked, k=ten)
    row = {"bytes": path.stat().st_size, "largest difference of a score": difference}
    rows[label] = row | {"same ten": close.overlap, "same first": close.first}
agreement = pd.DataFrame(rows).T
agreement

# %%
file_32, file_8 = rows.values()
largest_difference = file_32["largest difference of a score"]
if largest_difference >= 1e-3:
    say("**The exported model says something else than the original: do not deploy it.**")
say(
    f"**What we see.** The scores of the file of 32 bits differ from PyTorch's by at most "
    f"{largest_difference:.6f}. The one of 8 bits has "
    f"{file_8['bytes'] / file_32['bytes']:.0%} of its bytes, lists {file_8['same ten']:.1%} of "
    f"the same ten products and puts the same one first for "
    f"{file_8['same first']:.1%} of the customers."
)

# %% [markdown]
# ## 8. What to deploy
# Everything together, counting too: quality on the test against bytes and against the time one customer waits, on one
# core. All systems take turns, so that a busy neighbour meets each of them.


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
# The candidates: counting, the teacher and the student chosen on validation in all forms, and in one form the student
# that learnt alone, and half of the teacher's neurons. What counting has learnt is kept in a file as well, for its bytes.

# %%
candidates = {"counting": ("counting", counting, len(pickle.dumps(counting)))}
candidates |= in_all_forms("teacher", teacher)
candidates |= in_all_forms("student", students[chosen])
candidates |= exported("student, hard labels", students["hard labels"])
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
        alone = evaluation.measure_latency(system, histories, repeats=100, seed=number)
        together = evaluation.measure_latency(system, histories, **many, seed=number)
        times[name].append((alone.p50, alone.p99, together.per_second))

# %%
rows = {}
for name, (family, system, held) in candidates.items():
    if name != "counting":
        family = f"{'student' if name.startswith('student') else 'teacher'}, {family}"
    judged[name] = evaluate(system, to_judge, ks=(10,), filter_seen=FILTER, name=name)
    value, gain = judged[name].mean("NDCG@10"), gain_over(name, "teacher")
    row = {"family": family, "bytes": held, "NDCG@10": value, "kept": value / of_teacher}
    row |= {
        "low": value - gain.difference + gain.low,
        "high": value - gain.difference + gain.high,
    }
    waits = np.median(times[name], axis=0)
    rows[name] = row | dict(zip(("p50", "p99", "per_second"), waits, strict=True))
points = pd.DataFrame(rows).T.infer_objects().rename_axis("system")
points["times as fast"] = points["per_second"] / points.loc["teacher", "per_second"]
points.drop(columns=["low", "high"])

# %%
drawn = points.reset_index().rename(columns={"NDCG@10": "quality"})
distil_figures.pareto(drawn, judged["teacher"].mean("NDCG@10"))

# %% [markdown]
# Bars are the paired interval of the distance from the teacher: where a bar crosses the teacher's height, the two cannot
# be told apart. A line goes up the points that have no higher one at less cost.
#
# A goal in the spirit of what is reported for language models [Sanh and others 2019; Jiao and others 2020]: at least 97 %
# of the teacher's quality, with a quarter of its weights or fewer, four times as fast on a processor as the teacher in
# PyTorch. How much of the speed is the student's, and how much the runtime's, shows against the teacher in the same form.

# %%
student = points.loc["student, ONNX"]
faster = student["times as fast"]
in_same_form = faster / points.loc["teacher, ONNX", "times as fast"]
share = f"{student['kept']:.1%} kept" if of_teacher > 0 else "the teacher found nothing to keep"
print(f"student ({chosen}), ONNX: {share}, {small:.0%} of the weights")
print(f"{faster:.1f} times as fast as the teacher in PyTorch, ", end="")
print(f"{in_same_form:.1f} times as the teacher in the same form")
print("all three reached:", bool(student["kept"] >= 0.97 and small <= 0.25 and faster >= 4))

# %%
forms = [f"teacher, {form}" for form in ("last position only", "bf16", "ONNX", "int8")]
speeds = points.loc[forms, "times as fast"].items()
counted = points.loc["counting"]
say(
    "**What we see.** Times as many lists a second as the teacher in PyTorch: "
    f"{'; '.join(f'{name} {times:.1f}' for name, times in speeds)}. The "
    f"student is {against(gain_over(student.name, 'teacher'))}.",
    each_against(gain_over(name, "counting") for name in (student.name, "teacher, ONNX")),
    f"Counting takes {counted['bytes']:,} bytes and {1e3 * counted['p50']:.2g} ms, the student "
    f"{student['bytes']:,} bytes and {1e3 * student['p50']:.2g} ms.",
)

# %% [markdown]
# Speed need not be the student's. A model that computes the last position only saves the work on all others, and ONNX
# Runtime saves the one customer who waits the work between the operations. In a model as small as this, turning numbers
# into bytes can cost what whole numbers save. And a percentage of the teacher is a percentage of a model: ask first
# whether counting beats it.
#
# ## Check yourself
# Run the check under each answer. For a hint run `check.hint("09.1")` in a new cell; ask again and you get another one.
#
# **Exercise 09.1.** By hand: two products have the scores ln 9 and 0. What chance does the first one get at $T = 1$, and
# what at $T = 2$?

# %%
# two numbers
### BEGIN SOLUTION
answer = 0.9, 0.75
### END SOLUTION
_ = check.exercise("09.1", answer)

# %% [markdown]
# **Exercise 09.2.** By hand: the teacher says $p = (1/2, 1/2)$, the student $q = (3/4, 1/4)$. Forward and reverse
# divergence, in nats?

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
# **Exercise 09.3.** Write the loss of section 4 for one example: hard and soft labels mixed, forward divergence, with
# temperature.


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
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson [01](01_count_what_goes_together.ipynb).
#
# | Claim | Source | Recorded below |
# |---|---|---|
# | Distillation from the large model improves the small one. | T2 | soft labels over hard labels (`distil/gain_soft_labels`, `…_reverse_kl`) |
# | The divergence is written with the student first. | T2 | reverse against forward (`distil/reverse_against_forward`) |
# | Quantisation and pruning cut the cost substantially at little loss. | T1, T3 | what 8 bits, 16 bits and half of the neurons keep, gain and cost (`compress/…`) |

# %% tags=["hide"]
_ = ledger.record("data/fingerprint", data.fingerprint())
known = {name: result.mean("NDCG@10") for name, result in judged.items()}
shown = table.loc[["teacher", "counting", *students]]
facts = {"tolerance": lambda name: 1e-6 if name == "counting" else 0.02, "claim": "8"}
ledger.record_table("distil/ndcg10_{}", shown, **facts, note="one seed")
note = "NDCG@10, as many passes, one seed"
by_model = {name for name in METHODS if models.WAYS[name].taught_by.startswith("the model")}
facts = {"claim": lambda name: "8" if name in by_model else None, "baseline": known}
ledger.record_table("distil/gain_{}", taught, note=note, **facts)
for who, name in {"teacher": "teacher", "student": chosen}.items():
    facts = {"baseline": known["counting"], "note": f"NDCG@10, {name}"}
    ledger.record_gain(f"distil/{who}_against_counting", gain_over(name, "counting"), **facts)
if {"soft labels", "reverse KL"} <= set(students):
    facts = {"claim": "slip-5", "baseline": known["soft labels"], "note": note}
    gain = gain_over("reverse KL", "soft labels")
    ledger.record_gain("distil/reverse_against_forward", gain, **facts)

# %% tags=["hide"]
facts = {"tolerance": 0.05, "claim": "17", "note": "share of the teacher's NDCG@10"}
ledger.record_table("compress/kept_{}", points["kept"].astype(float), **facts)
facts = {"tolerance": None, "claim": "17", "baseline": 1.0}
note = "lists per second, 256 customers in a call, one core"
speeds = points["times as fast"].astype(float).round(1)
ledger.record_table("compress/times_as_fast_{}", speeds, note=note, **facts)
facts = {"tolerance": None, "note": "a file of what is learnt"}
ledger.record_table("compress/bytes_{}", points["bytes"].astype(int), **facts)
pairs = [("half of the neurons, ONNX", "teacher, ONNX"), ("teacher, bf16", "teacher")]
pairs += [("teacher, int8", "teacher"), ("student, int8", "student")]
gains = [gain_over(one, other) for one, other in pairs]
_ = ledger.record_table("compress/gain_{}", gains, claim="17", baseline=known, note="NDCG@10")

# %% tags=["hide"]
facts = {"tolerance": 1e-9, "claim": "8", "note": "share of the teacher's weights"}
_ = ledger.record("compress/weights_of_the_student", float(small), **facts)
facts = {"tolerance": None, "claim": "17"}
note = "scores of the exported teacher against PyTorch"
_ = ledger.record("compress/onnx_largest_difference", largest_difference, **facts, note=note)
note = "share of the teacher's ten that its 8-bit file lists"
same_ten = float(file_8["same ten"])
_ = ledger.record("compress/same_ten_int8", same_ten, tolerance=0.1, claim="17", note=note)

# %% [markdown]
# ## Summary
# - A soft label is all chances that a teacher gives; a temperature spreads them, and the direction of the divergence
#   decides whether a student may forget what its teacher thinks possible.
# - A student may begin as part of its teacher. Hard labels in as many passes are its honest rival.
# - To repeat a teacher and to do as well are two things, and measured by two numbers.
# - Fewer weights, fewer digits and a runtime make a model smaller or faster, seldom both. What is exported is compared
#   with the original.

# %%
say(
    f"In this run the student in ONNX, with {small:.0%} of the teacher's weights, is "
    f"{against(gain_over(student.name, 'teacher'))}.",
    f"It is {against(gain_over(student.name, 'counting'))}.",
)

# %% [markdown]
# ## References
# - G. Hinton, O. Vinyals, J. Dean (2015). Distilling the knowledge in a neural network. arXiv:1503.02531.
# - A. Romero and others (2015). FitNets: hints for thin deep nets. ICLR.
# - J. Tang, K. Wang (2018). Ranking distillation: learning compact ranking models with high performance for recommender system. KDD.
# - V. Sanh, L. Debut, J. Chaumond, T. Wolf (2019). DistilBERT, a distilled version of BERT. arXiv:1910.01108.
# - X. Jiao and others (2020). TinyBERT: distilling BERT for natural language understanding. Findings of EMNLP.
# - S. Stanton and others (2021). Does knowledge distillation really work? NeurIPS.
# - S. Ashkboos and others (2024). SliceGPT: compress large language models by deleting rows and columns. ICLR.
# - S. Han, J. Pool, J. Tran, W. Dally (2015). Learning both weights and connections for efficient neural networks. NeurIPS.
# - B. Jacob and others (2018). Quantization and training of neural networks for efficient integer-arithmetic-only inference. CVPR.
