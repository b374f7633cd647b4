# %% [markdown]
# # {number} · {title}
#
# *Question: What is asked here, in one line?*
#
# One figure or number that says why this lesson is worth the time.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | … | … | lesson 01 · 30 minutes · under 2 GB of memory · no GPU · {run_time} |

# %% tags=["hide"]
from llmarm_tutorial.data import load, thin
from llmarm_tutorial.lesson import check, ledger

# %% [markdown]
# The next cell holds what you can change: change a value, run all cells, look at what moved.
#
# {parameters}

# %% tags=["parameters"]
DATASET: str = "shop"  # a name from `llmarm data list`, or the path of your own file
BASKET_COL: str = ""  # for your own file: the column that says which basket
ITEM_COL: str = ""  # … which item
USER_COL: str = ""  # … who bought, if known
TIME_COL: str = ""  # … when, if known
ORDER_COL: str = ""  # … number of the visit, where no time is known
QUANTITY_COL: str = ""  # … how many; rows not above 0 are left out
FORMAT: str = ""  # rows, baskets, lists or wide; empty: found out
MAX_ITEMS: int = 2000  # of more, those bought most are taken; 0: all of them
MAX_ROWS: int = 200000  # of more purchases, those of customers drawn at random; 0: all
SEED: int = 1  # of everything that is drawn at random

# %% [markdown]
# ## 1. An idea
# In words, then as a formula, then by hand on an example small enough to see through. Then the
# code: one idea per cell, four to twelve lines, shapes shown at once. Then a figure, and what
# we see in it.

# %%
columns = {"basket_col": BASKET_COL, "item_col": ITEM_COL, "user_col": USER_COL}
columns |= {"time_col": TIME_COL, "order_col": ORDER_COL, "quantity_col": QUANTITY_COL}
data = load(DATASET, **columns, format=FORMAT)
data = thin(data, MAX_ITEMS, MAX_ROWS, seed=SEED)
ledger.record_notes(data.notes)
data.describe()

# %% [markdown]
# ## Check yourself
# **Exercise {number}.1.** How many different items were bought? Give a whole number.

# %%
# data.describe() tells
### BEGIN SOLUTION
answer = data.describe()["items"]
### END SOLUTION
_ = check.exercise("{number}.1", answer)

# %% [markdown]
# ## What the literature claims, what we measured
# A claim with its source, our number with its interval, and the best counting baseline on the
# same split.

# %% tags=["hide"]
_ = ledger.record("items", data.describe()["items"], note="replace by what the lesson measures")

# %% [markdown]
# ## Summary
# - Three to five bullets: what the reader can do now, and what came out. Where a bullet speaks
#   of an outcome, `say` makes it from the results.

# %% [markdown]
# ## References
