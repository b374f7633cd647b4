# %% [markdown]
# # 03 · Pretrain a language model of items
#
# *Question: What does a model learn from baskets?*
#
# Counting knows how often two products met, and nothing about two that never met. A language model gives every product a
# *vector*, learned by predicting products that were hidden from it, and products that are used alike come to lie close
# together: what it learns about one, it learns a little about its neighbours too. That is the hope. This lesson builds a
# network by hand, then trains such a model for gaps in baskets and for the next visit, and compares both with counting.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | build a network of twenty lines, and take one step of learning by hand | vectors, softmax, log odds, gradient, attention: what a Transformer is made of | [01 Count what goes together](01_count_what_goes_together.ipynb), better also 02; no deep learning |
# | train a BERT over items for gaps in baskets | what the masked and the causal objective ask, and which loss is good | 50 minutes, under 2 GB of memory, no GPU |
# | predict the next visit, and look into the vectors | when such a model beats counting, and when it does not | {run_time} |

# %% tags=["hide"]
import inspect
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from llmarm_tutorial import evaluation, models, recommend
from llmarm_tutorial.data import Histories, load, thin
from llmarm_tutorial.data.shop import on_errand, truth
from llmarm_tutorial.evaluation import CaseValues, Task, compare
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import models as models_figures
from llmarm_tutorial.lesson import (
    against,
    check,
    ledger,
    left_out,
    recorded_rows,
    require_enough,
    say,
)
from llmarm_tutorial.models import FIRST_ITEM, MASK, RECIPES, Recipe

# %% tags=["hide"]
house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # models this small get slower when several cores share the work
pd.options.display.float_format = "{:.4g}".format
pd.options.display.max_colwidth = 100

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
SEED: int = 1  # of weights, masks and draws
EPOCHS: int = 3  # passes over the baskets for the model of gaps
VISIT_EPOCHS: int = 2  # passes over the customers for the models of the next visit
HIDDEN: int = 64  # width of the models
MAX_CASES: int = 1500  # customers asked for their next visit

# %% [markdown]
# ## 1. A basket is a sentence
# A language model reads sentences made of words; ours reads baskets made of products. A **token** is one product, a
# **tokenizer** turns products into numbers. Four tokens are not products: `[PAD]` fills up short rows, `[UNK]` stands for
# products it does not know, `[MASK]` hides one, and `[VISIT]` says that a new visit begins.

# %%
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.require("users", "order", purpose="a model of customers")
n_items, names = len(data.items), np.array(data.labels("name"), dtype=object)
has_baskets = "baskets" in data.aspects
least = {"customers": 20, "visits": 3, "items": 3, "several": 50 if has_baskets else 0}
require_enough(data, "a model of gaps and of the next visit", **least)
_ = ledger.record("data/fingerprint", data.fingerprint())
tokenizer = models.build_tokenizer(data.items["item_id"])
words = len(tokenizer)
print(f"{n_items:,} products and {FIRST_ITEM} special tokens make a vocabulary of {words:,}")

# %% [markdown]
# One customer's first visits, as text and as numbers:

# %%
runs = data.histories()
customer = int(np.argmax((runs.lengths >= 8) & (runs.lengths <= 14)))
begin = runs.block(customer, customer + 1)
begin = begin.keep(np.arange(len(begin.items)) < 8)
codes, (marked, _, _) = begin.items, models.mark_visits(begin)
shown = marked if has_baskets else codes
print(" ".join(f"«{names[c]}»" if c >= 0 else "[VISIT]" for c in shown))
print("tokens:", (shown + FIRST_ITEM).tolist())
ids = [str(i) for i in data.items["item_id"][codes[:3]]]
tokens = tokenizer(ids, is_split_into_words=True)["input_ids"]
print("one basket through the tokenizer:", tokens)

# %% [markdown]
# The same for the tools around Hugging Face's libraries, one row per customer:

# %%
print(data.to_dataset().features)

# %% [markdown]
# Words in a sentence have an order. Products in a basket do not: a file lists them by number or by name, and a model that
# reads them in this order would learn the filing. So the products of a visit are shuffled anew in every pass over the
# data (an **epoch**); only the order of the visits is real.

# %% [markdown]
# ## 2. A network in twenty lines
# Before a library does it, by hand, with four products. A **vector** is a row of numbers, here two for each product. The
# **dot product** of two vectors, the sum of the products of their numbers, is large where they point the same way. It serves
# as a *score*: how well does this product go with tea? (The numbers are made up; a network learns them.)

# %%
products = ["tea", "biscuits", "jam", "soap"]
vectors = np.array([[1.0, 0.2], [0.9, 0.5], [0.2, 0.9], [-0.8, 0.3]])
scores = vectors[1:] @ vectors[0]
print("vectors:", vectors.shape, "· scores of the other three:", scores)

# %% [markdown]
# Scores are not chances. The **softmax** makes chances of them: each score becomes a power of $e$, and all are divided by their
# sum, $p_j = e^{z_j} / \sum_k e^{z_k}$. A score in this role is called a **logit**: the difference of two logits is the log of
# how many times likelier one product is than the other.
#
# The **odds** of a chance $p$ are $p / (1 - p)$; a chance of 3/4 has odds of 3 to 1. Their logarithm, the **log odds**, is 0 at
# one half and reaches from minus to plus infinity, so that evidence can be added. The way back is the **sigmoid**,
# $1 / (1 + e^{-z})$: a softmax for one question with yes or no.
#
# And how wrong was it? If the product that came had the chance $p$, the **loss** is $-\log p$ (its mean is the
# **cross-entropy**): sure and right costs nothing, sure and wrong is expensive. With the natural logarithm the unit is the
# **nat**. It is the unit of all losses in these lessons; some books use bits, and 1 nat = 1.44 bits.


# %%
def softmax(scores: np.ndarray) -> np.ndarray:
    """Chances from scores, along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))  # no power overflows
    return powers / powers.sum(axis=-1, keepdims=True)


chances = softmax(scores)
steps = {"score": scores, "chance": chances, "log odds": np.log(chances / (1 - chances))}
steps["loss if it comes"] = -np.log(chances)
pd.DataFrame(steps, index=products[1:])

# %% [markdown]
# **One step of learning.** Somebody bought tea and *jam*. How must the vector of tea change? The **gradient** says for each
# number how fast the loss grows with it. Through the softmax it is simple: by the score of product $j$ the loss grows by
# $p_j - 1$ if $j$ came, by $p_j$ if not. The score is a dot product, so times the vectors this is the gradient of tea's vector.
# Step against it, as far as a **learning rate** says:

# %%
came = np.array([0, 1, 0])  # biscuits, jam, soap
gradient = (chances - came) @ vectors[1:]
moved = vectors[0] - 0.5 * gradient  # a learning rate of 0.5
print("gradient:", gradient.round(3), "· tea moves from", vectors[0], "to", moved.round(3))
before, after = (-np.log(softmax(vectors[1:] @ tea)[1]) for tea in (vectors[0], moved))
print(f"loss of jam: {before:.3f} nats before, {after:.3f} after")

# %% [markdown]
# The rest is repetition. Here is the whole network: for every pair of products in the five baskets of lesson 01 it reads one
# and predicts the other. Each product has a vector for being read and one for being predicted; each step moves all by the
# mean gradient. (On real data a step takes some rows at a time, a **batch**.)

# %%
baskets = [[0, 1], [2, 3], [0, 1, 2, 3], [0, 1, 2], [1, 2, 3]]
pairs = [(i, j) for basket in baskets for i in basket for j in basket if i != j]
seen, right = np.array(pairs).T  # shape (20,) each


def network(rate: float, seed: int, steps: int = 60) -> list[float]:
    """The mean loss before each step."""
    read, predicted = np.random.default_rng(seed).normal(0, 0.5, (2, 4, 3))
    row, losses = np.arange(len(seen)), []
    for _ in range(steps):
        scores = read[seen] @ predicted.T  # shape (20, 4)
        scores[row, seen] = -np.inf  # a product does not follow itself
        chances = softmax(scores)
        losses.append(-np.log(chances[row, right]).mean())
        slope = (chances - np.eye(4)[right]) / len(seen)
        back = slope @ predicted
        predicted = predicted - rate * slope.T @ read[seen]
        np.subtract.at(read, seen, rate * back)
    return losses


# %%
together = np.zeros((4, 4))
np.add.at(together, (seen, right), 1)
counted = -np.log((together / together.sum(axis=1, keepdims=True))[seen, right]).mean()
learned = {rate: np.array([network(rate, seed) for seed in range(5)]) for rate in (0.1, 1, 10)}
after = {f"after {step} steps": step for step in (0, 5, 59)}
table = {
    f"rate {rate:g}": {
        label: f"{losses[:, step].mean():.3f} ({np.ptp(losses[:, step]) / 2:.3f})"
        for label, step in after.items()
    }
    for rate, losses in learned.items()
}
print(f"all alike: {np.log(3):.3f} nats · counted confidences: {counted:.3f} nats")
pd.DataFrame(table).T

# %% [markdown]
# **What we see.** (In brackets: half of the range over five random starts.) With a small rate the network hardly leaves its
# start, with a larger one it reaches what counted confidences reach, and nothing lower: on pairs that were all seen, counting *is*
# the best answer. A network can pay only where counts are few.
#
# **Attention.** What if several products are seen? A mean of their vectors would give each the same weight. In **attention** the
# tokens decide: each asks a *query*, each offers a *key* and a *value* (three products of its vector with learned matrices). The
# dot product of query and key, through a softmax, says how much of whose value a token takes. Three tokens, with random
# matrices:

# %%
tokens = vectors[[0, 2, 3]]  # tea, jam, soap; shape (3, 2)
matrices = np.random.default_rng(0).normal(size=(3, 2, 2))  # for query, key and value


def attend(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(who looks at whom, shape (n, n), rows sum to 1; the mixed vectors, shape (n, 2))."""
    query, key, value = tokens @ matrices
    weights = softmax(query @ key.T / np.sqrt(key.shape[1]))
    return weights, weights @ value


# %%
weights, mixed = attend(tokens)
back_to_front = attend(tokens[::-1])[1][::-1]
print(
    "mixed vectors:",
    mixed.shape,
    "· other order, same vectors:",
    np.allclose(mixed, back_to_front),
)
pd.DataFrame(
    weights,
    index=["tea looks at", "jam looks at", "soap looks at"],
    columns=["tea", "jam", "soap"],
)

# %% [markdown]
# Attention alone sees a *set*. Whoever wants order adds a vector for each position. A **Transformer layer** (Vaswani and others
# 2017) is attention and then a small network for each token, each added to what came in; several attentions side by side are
# its **heads**. The models below consist of nothing else.

# %% [markdown]
# ## 3. Two ways of asking
# How does one learn from sequences that nobody has labelled? Hide a part and guess it: **self-supervised pretraining**. There
# are two ways, and the literature mixes them up.
#
# **Masked** (BERT, Devlin and others 2019; for products BERT4Rec, Sun and others 2019): hide some positions $M$, see all
# others, on both sides.
#
# $$L_{\text{masked}} = -\frac{1}{|M|}\sum_{t \in M} \log p(x_t \mid x_s, s \notin M)$$
#
# **Causal** (GPT; for products SASRec, Kang and McAuley 2018): at every position guess the next product from what came before.
#
# $$L_{\text{causal}} = -\frac{1}{T-1}\sum_{t=2}^{T} \log p(x_t \mid x_1, \dots, x_{t-1})$$
#
# Both are cross-entropies. By hand, on the first products of our customer:

# %%
first = [str(names[c])[:18] if c >= 0 else "[VISIT]" for c in shown[:6]]
places = [t for t, c in enumerate(shown[:6]) if c >= 0]
hidden_places = [t for t in (2, 5) if t in places] or [len(first) - 1]
rows = {
    "masked": [
        ("[MASK]" if t in hidden_places else token, token if t in hidden_places else "")
        for t, token in enumerate(first)
    ],
    "causal": [
        (token, later if later != "[VISIT]" else "")
        for token, later in zip(first, [*first[1:], ""], strict=True)
    ],
}
models_figures.what_is_asked(rows)

# %% [markdown]
# **What we see.** The masked model sees what comes after a gap as well; it asks for few positions in a pass, but each with
# the whole context. The causal model asks everywhere and sees only the left. Where the next token is `[VISIT]` nothing is
# asked. For "what goes with this?" use the first, for "what comes next?" the second. An article under test (T2) writes a
# formula that conditions on the left only *and* on the hidden product itself, which would be neither; another (T3) calls the
# causal loss "masked".

# %% [markdown]
# ## 4. Which loss is good?
# A loss of 4.8 nats: good or bad? One must know what is possible without a model. We hide one product of each unseen basket
# and ask three ways of counting, each allowed to know that no product is twice in a basket:
#
# 1. **uniform**: all products alike, $\log$ of their number;
# 2. **unigram**: by how often each was bought;
# 3. **co-occurrence**: the mean of the confidences $P(j \mid i)$ over the products $i$ that are seen, mixed with the unigrams;
#    how much, validation decides.
#
# A model whose loss lies above these *floors* has learned less than one pass of counting.

# %%
# without baskets each customer's whole past is one set, the left-out event the gap
parts = data.split_by_time_or_lot(0.1, 0.1, SEED) if has_baskets else data.leave_one_out()


def units(part) -> Histories:
    """The sets to learn from: baskets, or customers where there are none."""
    if has_baskets:
        return Histories.from_matrix(part.basket_matrix())
    return part.histories()


sets = units(parts.train)


# %% [markdown]
# A **gap** is one product taken out of an unseen basket at random.

# %%
draws = {"validation": SEED ^ 1, "test": SEED}  # two seeds made of one
tasks = {}
for part, seed in draws.items():
    if has_baskets:
        unseen = getattr(parts, part).basket_matrix()
        tasks[part] = evaluation.gap_task(unseen, sets.item_counts, max_cases=4000, seed=seed)
    else:
        tasks[part] = evaluation.next_item_task(parts, part, max_cases=4000, seed=seed)
print({part: f"{len(task):,} gaps" for part, task in tasks.items()})


# %% [markdown]
# The loss of any system that gives each product a score:


# %%
def loss_of(scores: np.ndarray, task: Task) -> np.ndarray:
    """-log p of each right product, shape (n_cases,); p without the products that are seen."""
    scores = scores.astype(np.float64)
    right = scores[np.arange(len(task)), task.targets.indices]
    if has_baskets:
        scores[task.histories.rows, task.histories.items] = -np.inf
    top = scores.max(axis=1)
    return top + np.log(np.exp(scores - top[:, None]).sum(axis=1)) - right


# %% [markdown]
# The unigrams, the confidences, and how to mix them:

# %%
share = (sets.item_counts + 0.5) / (len(sets.items) + 0.5 * n_items)
unit = "basket" if has_baskets else "user"
rules = recommend.make_baseline("ar", last=None, unit=unit).fit(parts.train.histories())


def co_occurrence(task: Task, mixed: float) -> np.ndarray:
    """Logits of the mixture of mean confidences and unigrams."""
    blocks = [(start, min(start + 500, len(task))) for start in range(0, len(task), 500)]
    confidences = np.concatenate([rules.scores(task.histories.block(*b)) for b in blocks])
    mean = confidences / np.maximum(confidences.sum(axis=1, keepdims=True), 1e-12)
    return np.log(mixed * mean + (1 - mixed) * share)


# %%
def validation_loss(mixed: float) -> float:
    """Mean loss of the mixture on the validation gaps."""
    task = tasks["validation"]
    return loss_of(co_occurrence(task, mixed), task).mean()


mixed = min((0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99), key=validation_loss)
counted = {
    "uniform": lambda task: np.zeros((len(task), n_items)),
    "unigram": lambda task: np.tile(np.log(share), (len(task), 1)),
    "co-occurrence": lambda task: co_occurrence(task, mixed),
}
floors = {}
for name, logits in counted.items():
    floors[name] = {part: loss_of(logits(task), task).mean() for part, task in tasks.items()}
print(f"co-occurrence: {mixed:.0%} confidences, the rest unigrams")
pd.DataFrame(floors).T

# %%
steps = [floors[name]["test"] for name in ("uniform", "unigram", "co-occurrence")]
say(
    f"**What we see.** From uniform to unigram the test loss falls by "
    f"{steps[0] - steps[1]:.3f} nats, from there to co-occurrence by {steps[1] - steps[2]:.3f}."
)

# %% [markdown]
# The second step says how much the rest of a basket tells about one of its products. Where it is small there is little to learn
# for a model either: whatever it adds has to be seen on this scale.

# %% [markdown]
# ## 5. The model of gaps
# A BERT, built from a configuration, with random weights: nothing is downloaded. Each token becomes a vector, Transformer
# layers mix the vectors, and the result at a masked position is compared with the vectors of all products. It is the same
# table of vectors on the way in and out (**tied** weights); such a vector is called the product's **embedding**. For baskets we
# switch *positions* off: the input is a set. The bias of each product starts at the log of its share, so that training need not
# discover what counting knows already.

# %%
gap_recipe = replace(RECIPES["gaps"], hidden=HIDDEN)
brief = replace(gap_recipe, epochs=EPOCHS, validate_every=1)
print(brief)
model = brief.model(sets, seed=SEED)
sizes = {name: weight.numel() for name, weight in model.named_parameters()}
table = sizes["bert.embeddings.word_embeddings.weight"]
of_vectors = f"{table:,} of them in the table of {words:,} vectors of width {HIDDEN}"
print(f"{sum(sizes.values()):,} weights, {of_vectors}")

# %% [markdown]
# The loop is one function of the kit, the same for every neural part: learning rate up and down again, long gradients cut
# short, a validation after each epoch, the best weights kept. `run` holds the device, the learning rate, the curve, and
# checkpoints from which a training goes on after it was killed.

# %%
display(Markdown(f"```python\n{inspect.getsource(models.train)}```"))


# %%
def validate(model: models.ItemRecommender) -> float:
    """Minus the loss on validation gaps, so that larger is better."""
    task = tasks["validation"]
    return -float(loss_of(model.scores(task.histories), task).mean())


filled = brief.fit(sets, seed=SEED, validate=validate, progress=True)
done = filled.training
print(f"{len(done.validations)} epochs in {done.seconds:.0f} s on {done.device};", end=" ")
print(f"mixed precision: {done.precision}")

# %%
curve = done.validations.assign(loss=-done.validations["score"])
levels = {name: loss["validation"] for name, loss in floors.items() if name != "uniform"}
models_figures.learning(done.losses, curve, levels)

# %% [markdown]
# So learning looks in seconds. The same recipe was trained for minutes before, and its weights come with the kit. They are
# opened only if data, recipe and seed are the same; else the model stays the one above, and the next line says so.

# %%
filled = models.trained(gap_recipe, sets, seed=SEED, otherwise=filled)
print(filled.note)

# %%
task = tasks["test"]
gap_test = {name: loss_of(logits(task), task) for name, logits in counted.items()}
gap_test["model"] = loss_of(filled.recommender.scores(task.histories), task)
cases = {name: CaseValues(name, "loss", values) for name, values in gap_test.items()}
gap_losses = evaluation.means_table(cases, "loss", seed=SEED)
gap_losses.assign(perplexity=np.exp(gap_losses["mean"]))

# %% [markdown]
# (**Perplexity** is $e^{\text{loss}}$: among how many equally likely products the model seems to choose.)

# %%
gap_gains = {
    name: compare(cases["model"], cases[name], "loss", seed=SEED).negated()
    for name in ("unigram", "co-occurrence")
}
reached = -validate(filled.recommender)
passed = [name for name, loss in levels.items() if reached < loss]
say(
    "**What we see.** On the validation baskets the model's loss is lower than that of "
    f"{' and '.join(passed) or 'neither way of counting'}. On the test baskets, in nats, "
    f"the model is {against(gap_gains['unigram'])} and {against(gap_gains['co-occurrence'])}."
)

# %% tags=["hide"]
# Trained numbers differ a little between machines (order of additions, half precision);
# counted ones do not.
ledger.record_table(
    "gaps/loss_{}", gap_losses.drop("uniform"), unit="nats", claim={"model": "1"},
    tolerance=lambda name: 0.02 if name == "model" else 1e-6,
    note={"model": f"{len(task):,} gaps, one seed"},
)  # fmt: skip
ledger.record_table(
    "gaps/gain_over_{}", gap_gains, unit="nats", baseline=gap_losses["mean"], claim="1",
    note="what the loss on unseen gaps shrinks by, one seed",
)  # fmt: skip
note = "training of the model of gaps"
_ = ledger.record("gaps/seconds", done.seconds, unit="s", tolerance=None, claim="2", note=note)

# %% [markdown]
# The model learns a pair only by being asked for it again and again; counting needs one pass, in milliseconds. A loss alone,
# reported without floors, would look like success.

# %% [markdown]
# ## 6. The next visit
# Now the other question, as of lesson 02: what will a customer buy next? Each customer's last basket is the test, the one
# before the validation. Customers become long sequences with `[VISIT]` between the baskets. Three models of equal size,
# trained for the same number of epochs; they start from *copying*, so that what is in the history speaks for itself
# before anything is learned. Of the third there are weights that were trained for minutes, **causal, trained longer**.
#
# 1. **Masked, a set**: positions off. It knows what was bought, not when; in use it fills a `[MASK]` beside the history.
# 2. **Masked, a sequence**: the same with positions.
# 3. **Causal**: positions on. Products of a visit have no order, so every `[VISIT]` is asked for the whole visit that it opens,
#    from what came before.

# %%
split = data.leave_one_out()
past = split.train.histories()
sample = {"max_cases": MAX_CASES, "seed": SEED}
next_validation = evaluation.next_item_task(split, "validation", **sample)
next_test = evaluation.next_item_task(split, "test", **sample)
had_before = next_validation.histories.matrix().multiply(next_validation.targets).astype(bool)
again = had_before.sum() / next_validation.targets.nnz
FILTER = bool(again < 0.05)
print(
    f"{again:.0%} of what customers buy next they had bought before: they",
    "are left out" if FILTER else "stay in the ranking",
)


# %%
def next_recipe(objective: str, positions: bool) -> Recipe:
    """A model of the next visit."""
    return replace(
        RECIPES["next-visit"],
        objective=objective,
        positions=positions,
        visits=has_baskets and positions,  # a set has no visits
        hidden=HIDDEN,
    )


# %%
networks, spent = {}, {}
plans = {
    "masked, a set": ("masked", False),
    "masked, a sequence": ("masked", True),
    "causal": ("causal", True),
}
for name, options in plans.items():
    brief = replace(next_recipe(*options), epochs=VISIT_EPOCHS, validate_every=1)
    fitted = brief.fit(past, seed=SEED)
    networks[name], record = fitted.recommender, fitted.training
    spent[name] = {
        "seconds": record.seconds,
        "first loss": record.losses["loss"].iloc[0],
        "last loss": record.losses["loss"].iloc[-1],
    }
pd.DataFrame(spent).T

# %%
long = models.trained(next_recipe("causal", True), past, seed=SEED, otherwise=fitted)
if long.recommender is not networks["causal"]:
    networks["causal, trained longer"] = long.recommender
print(long.note)

# %% [markdown]
# The counting baselines of lesson 02, tuned on validation: among them **personal popularity**, what the customer bought most
# often so far, the baseline that most published next-basket models fail to beat (Li and others 2023).

# %%
counting = {}
for name in ("popularity", "personal", "markov", "sr"):
    if not (name == "personal" and FILTER):
        counting[name] = recommend.tune_baseline(
            name, past, next_validation, budget=4, filter_seen=FILTER
        )
rival = max(counting, key=lambda name: counting[name].value)

# %% [markdown]
# And the best model multiplied with the best of them (a product of experts), model and weight chosen on validation:

# %%
on_validation = {name: counting[name].value for name in counting}
for name, network_model in networks.items():
    result = evaluation.evaluate(network_model, next_validation, ks=(10,), filter_seen=FILTER)
    on_validation[name] = result.mean("NDCG@10")
chosen = max(networks, key=on_validation.get)
blend = f"{chosen} × {rival}"
experts = (networks[chosen], counting[rival].system)
joined = recommend.choose_weight(*experts, next_validation, filter_seen=FILTER, name=blend)
print(
    f"best on validation: the model “{chosen}”, the counting “{rival}”;",
    f"weight of counting in the product: {joined.best:g}",
)

# %%
systems = {name: choice.system for name, choice in counting.items()}
systems |= networks | {blend: joined.system}
options = {"ks": (5, 10), "filter_seen": FILTER}
judged = {}
for name, system in systems.items():
    judged[name] = evaluation.evaluate(system, next_test, name=name, **options)
evaluation.means_table(judged, seed=SEED)

# %%
visit_gains = {
    name: compare(judged[name], judged[rival], "NDCG@10", seed=SEED) for name in networks
}
better = max((rival, chosen), key=on_validation.get)  # of the two that are joined
of_joined = compare(judged[blend], judged[better], "NDCG@10", seed=SEED)
say(
    "**What we see.** In NDCG@10 over the next visits, "
    + "; ".join(f"*{name}* is {against(visit_gains[name])}" for name in networks)
    + f". The best model multiplied with {rival} is {against(of_joined)}."
)

# %% [markdown]
# A mean hides kinds of customers. In the shop some are **in a project**: their next purchase depends on the two visits before.
# Each group against its own best counting, chosen on validation:


# %%
def in_group(result: evaluation.Evaluation, inside: np.ndarray) -> CaseValues:
    """NDCG@10 of some customers alone."""
    values = np.where(inside, result.values("NDCG@10"), np.nan)
    return CaseValues(result.system, "NDCG@10", values)


# %%
errand_gains = {}
if DATASET == "shop":
    counts_before = {
        name: evaluation.evaluate(choice.system, next_validation, name=name, **options)
        for name, choice in counting.items()
    }
    ids = data.items["item_id"]
    before, now = (on_errand(task.histories, ids) for task in (next_validation, next_test))
    for group, then, inside in (("in a project", before, now), ("all others", ~before, ~now)):
        values = {name: in_group(one, then).of_cases for name, one in counts_before.items()}
        best_of_group = max(values, key=lambda name: np.nanmean(values[name]))
        for name in networks:
            pair = (in_group(judged[way], inside) for way in (name, best_of_group))
            errand_gains[group, name] = compare(*pair, "NDCG@10", seed=SEED)
    lines = [
        f"- {group}, *{name}*: {against(gain)}." for (group, name), gain in errand_gains.items()
    ]
    say("**What we see.** In NDCG@10:", "\n".join(lines))

# %% tags=["hide"]
slugs = {name: name.replace(", a ", " ") for name in judged} | {blend: "blend"}
one_seed = f"NDCG@10, {len(next_test):,} customers, one seed"
visit_levels = evaluation.means_table(judged, seed=SEED).rename(index=slugs)
ledger.record_table(
    "next_visit/ndcg10_{}", visit_levels,
    claim=lambda name: "19" if name == "blend" else "1",
    tolerance=lambda name: 1e-6 if name in counting else 0.02,
    note=lambda name: "counting, tuned on validation" if name in counting else one_seed,
)  # fmt: skip
ledger.record_table(
    "next_visit/gain_{}", {slugs[name]: gain for name, gain in visit_gains.items()},
    claim="1", note=one_seed, baseline=judged[rival].mean("NDCG@10"),
)  # fmt: skip
note = "NDCG@10, one seed, best counting of the group"
ledger.record_table("errands/{}_gain_{}", errand_gains, note=note)
_ = ledger.record_gain(
    "next_visit/joined_gain", of_joined, baseline=judged[better].mean("NDCG@10"), claim="19",
    note=one_seed,
)  # fmt: skip

# %% [markdown]
# Personal popularity says in one line what a network has to discover: that customers buy again what they have bought. A product
# of experts helps where both know something of their own. Where the next item hangs on the last ones, as with films, the order of
# the systems can be another one. The ratings of MovieLens may not be passed on, but what a benchmark measured on them may:

# %%
recorded_rows("next item")

# %% [markdown]
# In a project the next role follows from the last two, whichever maker's product it is: pairs of products are too rare to count,
# roles are not. Which customers yours are, you know only if you run the baselines.

# %% [markdown]
# ## 7. What has it learned?
# Some products, from those sold most to those sold least, and their nearest neighbours by cosine in the model of gaps:

# %%
tables = {
    "gaps": filled.model.output_table.detach().numpy(),
    "next visit": networks[chosen].model.output_table.detach().numpy(),
}
near = {of: recommend.nearest_items(table, 5) for of, table in tables.items()}
popular = np.argsort(-share, kind="stable")
some = popular[:: max(1, n_items // 8)]
nearest = {names[i]: "; ".join(map(str, names[near["gaps"][i][:3]])) for i in some}
pd.Series(nearest, name="nearest neighbours").to_frame()

# %% [markdown]
# It is easy to read sense into such a table. A test: how many of the five nearest neighbours are of the product's own kind,
# which the model has never seen? By chance it is as many as there are products of that kind among all others. (The product
# itself is no neighbour of itself, and does not count in the chance.)

# %%
kinds = {}
if DATASET == "shop":  # roles and styles are planted in a part of its products
    roles = truth()["structure"]["roles"]
    known = {
        item: {"role": role, "style": style}
        for role, styles in roles.items()
        for style, ids in styles.items()
        for item in ids
    }
    planted = pd.DataFrame.from_dict(known, orient="index").reindex(data.items["item_id"])
    kinds |= {kind: planted[kind] for kind in planted}
if "category" in data.items and data.items["category"].nunique() > 1:
    kinds["category"] = data.items["category"]

# %%
shares, gains = {}, {}
for kind, of in product(kinds, near):
    found, chance = recommend.share_alike(near[of], kinds[kind].to_numpy(dtype=object))
    label, by_chance = f"{kind}, {of}", CaseValues("chance", "share", chance)
    shares[label] = CaseValues("neighbours", "share", found)
    gains[label] = compare(shares[label], by_chance, "share", seed=SEED)
if kinds:
    alike = evaluation.means_table(shares, "share", seed=SEED)
    alike["chance"] = alike["mean"] - [gain.difference for gain in gains.values()]
    display(alike)
else:
    left_out("the test of the neighbours", "the data tell no categories apart")

# %%
if kinds:
    said = [
        f"- *{label}*: {alike['mean'][label]:.1%} of the neighbours, {against(gain)}."
        for label, gain in gains.items()
    ]
    say(
        "**What we see.** Neighbours of the same kind, and the gain on chance:", "\n".join(said)
    )

# %% tags=["hide"]
if kinds:
    ledger.record_table(
        "vectors/same_{}", alike, tolerance=0.05, note="share of the five nearest neighbours"
    )
    ledger.record_table(
        "vectors/gain_{}", gains, baseline=lambda label: alike["chance"][label],
        note="chance leaves the product itself out; interval over products",
    )  # fmt: skip

# %% [markdown]
# Vectors can only show what the question asked for: baskets in one model, what a customer buys over time in the other. Where
# neighbours are of a kind more often than by chance, the model has found the kind without being told. That is what a table of
# counts has not: what the model learns about one product it passes on to those beside it.
#
# All products in the plane, by the two directions in which the vectors of gaps differ most (principal components), coloured by a
# kind that the model has never seen:

# %%
unit_vectors = tables["gaps"] / np.linalg.norm(tables["gaps"], axis=1, keepdims=True)
_, _, axes = np.linalg.svd(unit_vectors - unit_vectors.mean(axis=0), full_matrices=False)
colours = kinds.get("style", kinds.get("category", pd.Series("all", index=range(n_items))))
colours = colours.fillna("none").astype(str).to_numpy()
top_colours = pd.Series(colours).value_counts().index[:15]
colours = np.where(np.isin(colours, top_colours), colours, "others")
models_figures.item_map(unit_vectors @ axes[:2].T, names, colours, share)

# %% [markdown]
# A plane shows two directions of many: what lies close in it need not be close, and kinds that look mixed may lie apart in others.

# %% [markdown]
# ## Check yourself
# **Exercise 03.1.** By hand: a model gives the right products of four gaps the probabilities 1/2, 1/4, 1/8 and 1/8. What is its
# cross-entropy in *nats*?

# %%
# a number; np.log is the natural logarithm
### BEGIN SOLUTION
answer = -np.mean(np.log([1 / 2, 1 / 4, 1 / 8, 1 / 8]))
### END SOLUTION
_ = check.exercise("03.1", answer)

# %% [markdown]
# **Exercise 03.2.** Which positions does a causal model ask for, and what is the right answer there? Take the customer
# `[VISIT] a b [VISIT] c`; give a list of pairs (position from 0, product).

# %%
# for instance [(0, "x"), (4, "y")]
### BEGIN SOLUTION
answer = [(0, "a"), (1, "b"), (3, "c")]
### END SOLUTION
_ = check.exercise("03.2", answer)

# %% [markdown]
# **Exercise 03.3.** Write a function that masks a row of tokens for BERT training: each product is hidden with probability
# `share`, at least one, never a special token. Return the row with `MASK` in it and the list of hidden positions.


# %%
# row is an array of token ids, products are those from FIRST_ITEM on;
# random is a numpy Generator
### BEGIN SOLUTION
def mask_row(
    row: np.ndarray,
    share: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, list[int]]:
    """A masked row and where it was masked."""
    products = np.flatnonzero(row >= FIRST_ITEM)
    _hidden = products[random.random(len(products)) < share]
    if not len(_hidden):
        _hidden = random.choice(products, 1)
    _row = row.copy()
    _row[_hidden] = MASK
    return _row, sorted(_hidden.tolist())


### END SOLUTION
_ = check.exercise("03.3", mask_row)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded above |
# |---|---|---|
# | Self-supervised pretraining learns associations from sequences without labels. | T2, T3, T5 | the loss on gaps over its floors (`gaps/…`), neighbours of one kind over chance (`vectors/…`) |
# | Large models mine associations more accurately than counting. | T1, T2, T4 | the next visit, model against tuned counting (`next_visit/…`) |
# | Sequential patterns and a model together beat either. | T5 | the product of both over the better of them (`next_visit/joined_gain`) |

# %% [markdown]
# ## Summary
# - A network is vectors, dot products and a softmax; learning is small steps against the gradient of $-\log p$. Attention lets
#   each token choose whose vector it takes.
# - The masked objective fills gaps from both sides, the causal one predicts what comes next. Ask in training what you will ask
#   in use.
# - A loss means something only beside its floors: uniform, unigram, co-occurrence.

# %%
say(
    f"- Here the model of gaps is {against(gap_gains['co-occurrence'])} in nats, and the best "
    f"model of the next visit, *{chosen}*, is {against(visit_gains[chosen])} in NDCG@10.",
    f"- The two multiplied are {against(of_joined)}. Whether a model adds anything shows only "
    "beside the best counting.",
)

# %% [markdown]
# ## References
# - A. Vaswani and others (2017). Attention is all you need. NeurIPS.
# - J. Devlin, M.-W. Chang, K. Lee, K. Toutanova (2019). BERT: pre-training of deep bidirectional transformers. NAACL.
# - W.-C. Kang, J. McAuley (2018). Self-attentive sequential recommendation. ICDM.
# - F. Sun and others (2019). BERT4Rec: sequential recommendation with bidirectional encoder representations from transformer. CIKM.
# - A. Petrov, C. Macdonald (2022). A systematic review and replicability study of BERT4Rec. RecSys.
# - A. Klenitskiy, A. Vasilev (2023). Turning dross into gold loss: is BERT4Rec really better than SASRec? RecSys.
# - E. Wijmans and others (2025). Cut your losses in large-vocabulary language models. ICLR.
# - M. Li and others (2023). A next basket recommendation reality check. ACM TOIS 41.
# - G. Hinton (2002). Training products of experts by minimizing contrastive divergence. Neural Computation 14.
