# %% [markdown]
# # 03 · Pretrain a language model of items
#
# *Question: What does a model learn from baskets?*
#
# Counting knows how often two products met, and nothing about two that never met. A language model gives every
# product a *vector*, learned by predicting products that were hidden from it, and products that are used alike come to lie
# close together: what it learns about one, it learns a little about its neighbours too. That is the hope. This lesson builds
# such a model from nothing, trains it twice, for gaps in baskets and for the next visit, and compares each with what simple
# counting reaches on the same question.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | turn baskets and customers into token sequences, mask them by hand | what the masked and the causal objective ask, and why they are not the same | [01 Count what goes together](01_count_what_goes_together.ipynb), better also 02; no deep learning |
# | build a BERT over items and train it with one readable loop | which loss is good: floors made by counting | 45 minutes, under 2 GB of memory, no GPU |
# | look into the vectors, and predict the next visit | when such a model beats counting, and when it does not | {run_time} |

# %%
import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from llmarm_tutorial import evaluation, models, recommend
from llmarm_tutorial.data import Histories, load, thin
from llmarm_tutorial.evaluation import CaseValues, Task, compare
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import models as models_figures
from llmarm_tutorial.lesson import against, check, ledger, left_out, require_enough, say
from llmarm_tutorial.models import FIRST_ITEM, MASK, Recipe

house_style.use_style()
models.quiet_loading()
torch.set_num_threads(1)  # models this small get slower when several cores share the work
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
SEED: int = 1  # of weights, masks and draws
EPOCHS: int = 4  # passes over the baskets for the model of gaps
VISIT_EPOCHS: int = 5  # passes over the customers for the models of the next visit
HIDDEN: int = 32  # width of the models
LAYERS: int = 1  # their Transformer layers
MAX_LENGTH: int = 128  # tokens of a customer's history that a model of the next visit reads
RATES: list = [0.0003, 0.003, 0.03, 0.3]  # learning rates to compare
SHARES: list = [0.05, 0.15, 0.4]  # shares of the baskets to learn from
WIDTHS: list = [8]  # widths to compare, beside HIDDEN
SWEEP_SEEDS: int = 1  # trainings for each point of a comparison
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
# The same purchases are also a data set of Hugging Face's library `datasets`: one row per customer, the products as numbers in
# the order they were bought. It is the form that the tools around the Hugging Face libraries read.

# %%
dataset = data.to_dataset()
print(dataset.features)
print(dataset[0])

# %% [markdown]
# This lesson reads the same sequences straight from the table. One customer's first visits, as text and as numbers:

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
# Words in a sentence have an order. Products in a basket do not: a file lists them by number or by name, and a model that
# reads them in this order would learn the filing. So the products of a visit are shuffled anew every epoch; only the
# order of the visits is real.

# %% [markdown]
# ## 2. Two ways of asking
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
# Both are means of $-\log p$ of the right answer: the **cross-entropy**, in nats. A model that gives the right product the
# probability $p$ pays $-\log p$; sure and right costs nothing, sure and wrong is expensive. By hand, on the first products of
# our customer:

# %%
first = [str(names[c])[:12] if c >= 0 else "[VISIT]" for c in shown[:7]]
products = [t for t, c in enumerate(shown[:7]) if c >= 0]
hidden_places = [t for t in (2, 5) if t in products] or [len(first) - 1]
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
# ## 3. Which loss is good?
# A loss of 4.8 nats: good or bad? One must know what is possible without a model. We hide one product of each unseen basket
# and ask three ways of counting, each allowed to know that no product is twice in a basket:
#
# 1. **uniform**: all products alike, $\log$ of their number;
# 2. **unigram**: by how often each was bought;
# 3. **co-occurrence**: the mean of the confidences $P(j \mid i)$ over the products $i$ that are seen, mixed with the unigrams;
#    how much, validation decides.
#
# These are floors in the sense that a model above them has learned less than one pass of counting.

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
# A **gap** is an unseen basket with one product taken out at random.


# %%
def gaps(part: str, seed: int) -> Task:
    """At most 4,000 unseen baskets as histories; the product taken out is the target."""
    if not has_baskets:
        return evaluation.next_item_task(parts, part, max_cases=4000, seed=seed)
    matrix = getattr(parts, part).basket_matrix()
    random = np.random.default_rng(seed)
    matrix = matrix[random.permutation(np.flatnonzero(np.diff(matrix.indptr) > 1))[:4000]]
    baskets = np.split(matrix.indices, matrix.indptr[1:-1])
    taken = random.integers(0, np.diff(matrix.indptr))
    rest = [np.delete(basket, t) for basket, t in zip(baskets, taken, strict=True)]
    hidden = [[basket[t]] for basket, t in zip(baskets, taken, strict=True)]
    return Task.from_lists(rest, hidden, n_items, sets.item_counts)


draws = {"validation": SEED ^ 1, "test": SEED}  # two seeds made of one
tasks = {part: gaps(part, seed) for part, seed in draws.items()}
print({part: f"{len(task):,} gaps" for part, task in tasks.items()})


# %% [markdown]
# The loss of any system that gives each product a score (a **logit**, the log of a probability up to a constant):


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
    f"co-occurrence, {mixed:.0%} mixed in": lambda task: co_occurrence(task, mixed),
}
floors = {}
for name, logits in counted.items():
    floors[name] = {part: loss_of(logits(task), task).mean() for part, task in tasks.items()}
pd.DataFrame(floors).T

# %%
floor = next(name for name in floors if name.startswith("co-occurrence"))
steps = [floors[name]["test"] for name in ("uniform", "unigram", floor)]
say(
    f"**What we see.** From uniform to unigram the test loss falls by "
    f"{steps[0] - steps[1]:.3f} nats, from there to co-occurrence by {steps[1] - steps[2]:.3f}."
)

# %% [markdown]
# Where the second step is small, as in the shop, most of what is in a basket has little to do with what else is in it. Whatever a
# model adds has to be seen on this scale.

# %% [markdown]
# ## 4. The model
# A BERT, built from a configuration, with random weights: nothing is downloaded. Each token becomes a vector, Transformer
# layers let the vectors look at each other, and the result at a masked position is compared with the vectors of all
# products. It is the same table of vectors on the way in and out (**tied** weights). For baskets we switch *positions* off:
# the input is a set. The bias of each product starts at the log of its share, so that training need not discover what
# counting knows already.


# %%
gap_recipe = Recipe(
    objective="masked",
    positions=False,  # a set
    hidden=HIDDEN,
    layers=LAYERS,
    heads=2,
    feed_forward=4 * HIDDEN,
    dropout=0.1,
    copying=False,
    batch_size=64,
    epochs=EPOCHS,
    learning_rate=3e-3,
)

# %%
model = gap_recipe.model(sets, seed=SEED)
sizes = {name: weight.numel() for name, weight in model.named_parameters()}
table = sizes["bert.embeddings.word_embeddings.weight"]
of_vectors = f"{table:,} of them in the table of {words:,} vectors of width {HIDDEN}"
print(f"{sum(sizes.values()):,} weights, {of_vectors}")

# %% [markdown]
# Two things keep training quick on a laptop. Rows of similar length share a batch, so that little padding is computed. And only
# the masked positions are compared with the catalogue; the others are never scored:

# %%
batches = gap_recipe.batches(sets, seed=SEED)
batch = next(batches.stream(0, [0]))
print({name: tuple(value.shape) for name, value in batch.items() if name != "size"})
pd.Series(batches.describe())

# %% [markdown]
# The loop is one function of the kit, the same for every neural part: learning rate up and down again, gradients clipped, a
# validation after each epoch, the best weights kept. `run` holds what surrounds a loop: the device, the learning rate, the
# curve, and checkpoints from which a training goes on after it was killed.

# %%
display(Markdown(f"```python\n{inspect.getsource(models.train)}```"))


# %%
def validate(model: models.ItemRecommender) -> float:
    """Minus the loss on validation gaps, so that larger is better."""
    task = tasks["validation"]
    return -float(loss_of(model.scores(task.histories), task).mean())


filled = gap_recipe.fit(sets, seed=SEED, validate=validate, progress=True)
done, model = filled.training, filled.model
epochs = len(done.validations)
print(f"{epochs} epochs in {done.seconds:.0f} s on {done.device};", end=" ")
print(f"mixed precision: {done.precision}")

# %%
curve = done.validations.assign(loss=-done.validations["score"])
levels = {name: loss["validation"] for name, loss in floors.items() if name != "uniform"}
models_figures.learning(done.losses, curve, levels)

# %%
task = tasks["test"]
gap_test = {name: loss_of(logits(task), task) for name, logits in counted.items()}
gap_test["model"] = loss_of(filled.recommender.scores(task.histories), task)
losses = pd.Series({name: values.mean() for name, values in gap_test.items()})
pd.DataFrame({"loss": losses, "perplexity": np.exp(losses)})

# %% [markdown]
# (**Perplexity** is $e^{\text{loss}}$: among how many equally likely products the model seems to choose.)

# %%
cases = {name: CaseValues(name, "log loss", values) for name, values in gap_test.items()}
gap_gains = {
    "unigram": compare(cases["model"], cases["unigram"], "log loss", seed=SEED).negated(),
    "co_occurrence": compare(cases["model"], cases[floor], "log loss", seed=SEED).negated(),
}
reached = -done.validations["score"].max()
passed = [name for name, loss in levels.items() if reached < loss]
say(
    "**What we see.** On the validation baskets the model's loss is lower than that of "
    f"{' and '.join(passed) or 'neither way of counting'}. On the test baskets, in nats, "
    f"the model is {against(gap_gains['unigram'])} and {against(gap_gains['co_occurrence'])}."
)

# %%
# Trained numbers differ a little between machines (order of additions, half precision);
# counted ones do not.
gap_values = {"unigram": gap_test["unigram"], "co_occurrence": gap_test[floor]}
gap_values["model"] = gap_test["model"]
for name, values in gap_values.items():
    model_or_count = {
        "tolerance": 0.02,
        "claim": "1",
        "note": f"{len(values):,} gaps, one seed",
    }
    ledger.record(
        f"gaps/loss_{name}", values.mean(), unit="nats",
        interval=evaluation.bootstrap_interval(values, seed=SEED),
        **(model_or_count if name == "model" else {"tolerance": 1e-6}),
    )  # fmt: skip
for over, gain in gap_gains.items():
    ledger.record_gain(
        f"gaps/gain_over_{over}", gain, unit="nats", baseline=losses[gain.second], claim="1",
        note="what the loss on unseen gaps shrinks by, one seed",
    )  # fmt: skip
note = "training of the model of gaps"
_ = ledger.record("gaps/seconds", done.seconds, unit="s", tolerance=None, claim="2", note=note)

# %% [markdown]
# The model learns a pair only by being asked for it again and again; counting needs one pass, in milliseconds. And the step
# between the two floors shows how much pairs have to offer: baskets with little structure leave little to learn. A loss alone,
# reported without floors, would look like success.

# %% [markdown]
# ## 5. What has it learned?
# Fill a blank: what goes with these products, says the model, and what says counting?

# %%
seen_products = np.diff(task.histories.offsets)[:200]
example = int(np.argmin(np.abs(seen_products - 3)))  # a basket with about three others
one = task.take(np.array([example]))
known = one.histories.items
print("seen:", ", ".join(map(str, names[known])), "· hidden:", names[one.targets.indices[0]])

# %%
guesses = {
    "model": filled.recommender.scores(one.histories)[0],
    "co-occurrence": co_occurrence(one, mixed)[0],
    "unigram": np.log(share),
}
best = {}
for name, scores in guesses.items():
    scores = scores - np.logaddexp.reduce(scores)
    scores[known] = -np.inf
    first_five = np.argsort(-scores, kind="stable")[:5]
    best[name] = [f"{names[j]} ({np.exp(scores[j]):.1%})" for j in first_five]
pd.DataFrame(best, index=range(1, 6))

# %% [markdown]
# The vectors of some products that are sold often, and their nearest neighbours by cosine:

# %%
near = recommend.nearest_items(model.output_table.detach().numpy(), 5)
popular = np.argsort(-share, kind="stable")
nearest = {names[i]: ", ".join(map(str, names[near[i]])) for i in popular[5:12]}
nearest |= {names[i]: ", ".join(map(str, names[near[i]])) for i in popular[: 7 - len(nearest)]}
pd.Series(nearest, name="nearest neighbours").to_frame()

# %% [markdown]
# It is easy to read sense into such a table. A test: how many of the five nearest neighbours belong to the product's own
# category, which the model has never seen? By chance it is as many as the other products of the category are among all others.

# %%
groups = np.full(n_items, "all")
if "category" in data.items:
    groups = data.items["category"].astype(str).to_numpy()
categories = len(set(groups)) > 1
in_group = pd.Series(groups).map(pd.Series(groups).value_counts()).to_numpy()
chance = CaseValues("chance", "share", (in_group - 1) / (n_items - 1))


def same_group(near: np.ndarray, name: str) -> CaseValues:
    """Per product, the share of its nearest neighbours that belong to its category."""
    return CaseValues(name, "share", (groups[near] == groups[:, None]).mean(axis=1))


# %%
def record_neighbours(which: str, found: CaseValues, gain: evaluation.Comparison) -> None:
    """Record a share of neighbours of one category, and its gain over chance."""
    ledger.record(
        f"vectors/same_category_{which}", found.of_cases.mean(), tolerance=0.05,
        interval=evaluation.bootstrap_interval(found.of_cases, seed=SEED),
        note="share of the five nearest neighbours",
    )  # fmt: skip
    ledger.record_gain(
        f"vectors/gain_{which}", gain, baseline=chance.of_cases.mean(),
        note="chance leaves the product itself out; interval over products",
    )  # fmt: skip


if categories:
    of_gap_vectors = same_group(near, "vectors of gaps")
    of_gaps = compare(of_gap_vectors, chance, "share", seed=SEED)
    say(
        f"**What we see.** {of_gap_vectors.of_cases.mean():.1%} of the neighbours are of the "
        f"same category, by chance it would be {chance.of_cases.mean():.1%}: the vectors of "
        f"gaps are {against(of_gaps)}."
    )
    record_neighbours("gaps", of_gap_vectors, of_gaps)
else:
    left_out("the test of the neighbours", "the data tell no categories apart")

# %% [markdown]
# ## 6. Learning rate, data, size
# Three questions one always asks. How large may a step be? How does the loss fall with more data, and with more weights? Each
# point is a short training of its own, with a quarter of the epochs; in the quick profile of one seed, so small steps mean nothing.


# %%
def trained(seed: int, *, rate: float = 3e-3, part: float = 1.0, hidden: int = HIDDEN) -> float:
    """Validation loss after a short training on a share of the baskets."""
    drawn = np.random.default_rng(seed).permutation(len(sets))[: max(1, int(part * len(sets)))]
    short = replace(
        gap_recipe,
        epochs=max(1, EPOCHS // 4),
        learning_rate=rate,
        hidden=hidden,
        feed_forward=4 * hidden,
    )
    start = short.model(sets, seed=seed)  # popularity is that of all baskets
    fitted = short.fit(sets.take(np.sort(drawn)), seed=seed, model=start)
    return -validate(fitted.recommender)


# %%
seeds = range(SEED, SEED + SWEEP_SEEDS)
by_rate = [
    {"rate": rate, "loss": trained(s, rate=rate, part=0.3), "series": "30% of the baskets"}
    for rate in RATES
    for s in seeds
]
by_rate = pd.DataFrame(by_rate)
models_figures.growth(by_rate, "rate", levels, "learning rate")

# %%
by_size = [
    {
        "baskets": max(1, int(part * len(sets))),
        "loss": trained(s, part=part, hidden=width),
        "series": f"width {width}",
    }
    for width in (HIDDEN, *WIDTHS)
    for part in SHARES
    for s in seeds
]
by_size = pd.DataFrame(by_size)
models_figures.growth(by_size, "baskets", levels, "baskets learned from")

# %%
rates = by_rate.groupby("rate")["loss"].mean()
sizes = by_size.groupby(["series", "baskets"])["loss"].mean().unstack()
below = int((by_size["loss"] < levels["unigram"]).sum())
wide = sizes.loc[f"width {HIDDEN}"]
say(
    f"**What we see.** The best rate is {rates.idxmin():g} ({rates.min():.3f} nats); the "
    f"smallest reaches {rates.iloc[0]:.3f}, the largest {rates.iloc[-1]:.3f}. From "
    f"{sizes.columns[0]:,} to {sizes.columns[-1]:,} baskets the loss at width {HIDDEN} goes "
    f"from {wide.iloc[0]:.3f} to {wide.iloc[-1]:.3f}; with the most baskets the lowest is at "
    f"{sizes[sizes.columns[-1]].idxmin()}. Of the {len(by_size)} trainings {below} end below "
    f"the unigram floor ({levels['unigram']:.3f})."
)

# %% [markdown]
# Too small a rate does not leave the start, too large a one overshoots. A curve that stays above the unigram floor says how fast
# popularity is learned, not whether a wide model pays: that needs data with something left to fill it with.

# %% [markdown]
# ## 7. The next visit
# Now the other question, as of lesson 02: what will a customer buy next? Each customer's last basket is the test, the one
# before the validation. Customers become long sequences with `[VISIT]` between the baskets. Three models of equal size,
# trained for the same number of epochs; they start from *copying*, so that what is in the history speaks for itself
# before anything is learned.
#
# 1. **Masked, a set**: positions off. It knows what was bought, not when; in use it fills a `[MASK]` beside the history.
# 2. **Masked, a sequence**: the same with positions.
# 3. **Causal**: every token asks for the next one.

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
    return Recipe(
        objective=objective,
        positions=positions,
        visits=has_baskets and positions,  # a set has no visits
        hidden=2 * HIDDEN,
        layers=LAYERS,
        heads=1,
        max_length=MAX_LENGTH,
        epochs=VISIT_EPOCHS,
    )


# %%
networks, spent = {}, {}
plans = {
    "masked, a set": ("masked", False),
    "masked, a sequence": ("masked", True),
    "causal": ("causal", True),
}
for name, options in plans.items():
    fitted = next_recipe(*options).fit(past, seed=SEED)
    networks[name], record = fitted.recommender, fitted.training
    spent[name] = {
        "seconds": record.seconds,
        "first loss": record.losses["loss"].iloc[0],
        "last loss": record.losses["loss"].iloc[-1],
    }
pd.DataFrame(spent).T

# %% [markdown]
# The counting baselines of lesson 02, tuned on validation: among them **personal popularity**, what the customer bought most
# often so far, the baseline that most published next-basket models fail to beat (Li and others 2023).

# %%
counting = {}
for name in ("popularity", "personal", "markov", "sr"):
    if not (name == "personal" and FILTER):
        counting[name] = recommend.tune_baseline(
            name,
            past,
            next_validation,
            budget=4,
            filter_seen=FILTER,
        )
rival = max(counting, key=lambda name: counting[name].value)

# %% [markdown]
# And the best model multiplied with the best of them (a product of experts), model and weight chosen on validation:

# %%
on_validation = {name: counting[name].value for name in counting}
for name, network in networks.items():
    result = evaluation.evaluate(network, next_validation, ks=(10,), filter_seen=FILTER)
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
pd.concat([result.row(["HR@10", "NDCG@10", "MRR"]) for result in judged.values()])

# %%
visit_gains = {
    name: compare(judged[name], judged[rival], "NDCG@10", seed=SEED)
    for name in judged
    if name != rival
}
better = max((rival, chosen), key=on_validation.get)  # of the two that are joined
of_joined = compare(judged[blend], judged[better], "NDCG@10", seed=SEED)
evaluation.comparison_table(visit_gains.values())

# %%
say(
    "**What we see.** In NDCG@10 over the next visits, "
    + "; ".join(f"*{name}* is {against(visit_gains[name])}" for name in networks)
    + f". The best model multiplied with {rival} is {against(of_joined)}."
)

# %%
slugs = {name: ledger.slug(name.replace(", a ", " ")) for name in judged} | {blend: "blend"}
one_seed = f"NDCG@10, {len(next_test):,} customers, one seed"
for name, result in judged.items():
    values, counted_one = result.values("NDCG@10"), name in counting
    ledger.record(
        f"next_visit/ndcg10_{slugs[name]}", values.mean(), claim="19" if name == blend else "1",
        interval=evaluation.bootstrap_interval(values, seed=SEED),
        tolerance=1e-6 if counted_one else 0.02,
        note="counting, tuned on validation" if counted_one else one_seed,
    )  # fmt: skip
for name in networks:
    ledger.record_gain(
        f"next_visit/gain_{slugs[name]}", visit_gains[name], claim="1", note=one_seed,
        baseline=judged[rival].mean("NDCG@10"),
    )  # fmt: skip
_ = ledger.record_gain(
    "next_visit/joined_gain", of_joined, baseline=judged[better].mean("NDCG@10"), claim="19",
    note=one_seed,
)  # fmt: skip

# %% [markdown]
# Personal popularity states in one line what a network has to discover from examples: that customers buy again what they have
# bought. A model that hears the order has more to find out than a model of the set, and in the shop the order of ordinary visits
# says little. A product of experts helps where both know something of their own. Where the next item hangs on the last ones, as
# with films, another order is possible: the repository's tables of results show it, with the spread over seeds. In which of
# the two worlds your data live, you know only if you run the baselines.
#
# What did the best model put into its vectors? All products in the plane, by the two directions in which the vectors differ
# most (principal components), coloured by a category that the model has never seen:

# %%
vectors = networks[chosen].model.output_table.detach().numpy()
unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
_, _, axes = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
often = popular[:400]
top_groups = pd.Series(groups[often]).value_counts().index[:15]
colours = np.where(np.isin(groups, top_groups), groups, "others")
models_figures.item_map((unit @ axes[:2].T)[often], names[often], colours[often], share[often])

# %%
if categories:
    near = recommend.nearest_items(vectors, 5)
    of_visit_vectors = same_group(near, "vectors of the next visit")
    of_visits = compare(of_visit_vectors, chance, "share", seed=SEED)
    say(
        f"**What we see.** Of the five nearest neighbours "
        f"{of_visit_vectors.of_cases.mean():.1%} are of the same category "
        f"(chance: {chance.of_cases.mean():.1%}): the vectors of the next visit are "
        f"{against(of_visits)}; those of gaps were {against(of_gaps)}."
    )
    record_neighbours("next_visit", of_visit_vectors, of_visits)

# %% [markdown]
# In the shop customers prefer some departments, so what one customer buys over time hangs together by department; within a
# basket the departments are mixed. Vectors can only show what the question asked for.

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
# **Exercise 03.4.** A masked model with positions off is blind to order; one with positions on is not. Write a function that takes
# a function `hidden(tokens)` (a row of token ids → one vector per token) and a row, and says whether the model behind it sees
# order: does reversing the row change the vector of its first token?


# %%
# hidden returns an array of shape (length, width); compare with np.allclose(..., atol=1e-4);
# return True or False
### BEGIN SOLUTION
def sees_order(hidden, row: np.ndarray) -> bool:
    """Whether the vector of the first token changes when the row is reversed."""
    return not np.allclose(hidden(row)[0], hidden(row[::-1].copy())[-1], atol=1e-4)


### END SOLUTION
_ = check.exercise("03.4", sees_order)

# %% [markdown]
# ## What the literature claims, what we measured
# The texts T1 to T5 are named in lesson 01.
#
# | Claim | Source | Recorded above |
# |---|---|---|
# | Self-supervised pretraining learns associations from sequences without labels. | T2, T3, T5 | the loss on gaps over its floors (`gaps/…`), categories among neighbours over chance (`vectors/…`) |
# | Large models mine associations more accurately than counting. | T1, T2, T4 | the next visit, model against tuned counting (`next_visit/…`) |
# | Sequential patterns and a model together beat either. | T5 | the product of both over the better of them (`next_visit/joined_gain`) |

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
