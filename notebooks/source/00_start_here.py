# %% [markdown]
# # 00 · Start here
#
# *Question: Does everything work, and what do the words mean?*
#
# **Where does a model beat counting, and where does it not?** Shops have counted what goes together for thirty years.
# Technical articles on large models claim that a model does it better and faster (the lessons name them); they rarely show
# it. In these notebooks you build both, let them compete on the same baskets, and judge for yourself. A result that goes
# against the model is as welcome as one for it.
#
# | You will do | You will learn | You need |
# |---|---|---|
# | check that this machine is ready | how the lessons fit together and how to run them | 5 minutes, no GPU, no account |
# | look at the shop all lessons share | the words of the field, in English and Chinese | nothing but this page; {run_time} |

# %% tags=["hide"]
import pandas as pd

from llmarm_tutorial.data import entries, load
from llmarm_tutorial.data.shop import planted_rules, planted_structure, truth
from llmarm_tutorial.lesson import ledger, number, recorded_answers, recorded_claims, say
from llmarm_tutorial.running import doctor

pd.options.display.float_format = number
pd.options.display.max_colwidth = 110

# %% [markdown]
# ## 1. Is this machine ready?
# Each line says `[ok]`, `[note]` or `[problem]`, a problem together with its remedy. `llmarm doctor` prints the same in a
# terminal.

# %%
doctor.show()

# %% [markdown]
# ## 2. The road
# Every lesson is one idea: learn it on data small enough to see through, measure it against the best
# *counting* on the same split, record the result. Lessons run alone and in any order; this is the order
# that builds up.
#
# | Lesson | Question |
# |---|---|
# | [01 Count what goes together](01_count_what_goes_together.ipynb) | Which items are bought together, and which rules are real? |
# | [02 Follow the customer](02_follow_the_customer.ipynb) | What do sequences tell that sets do not? |
# | [03 Pretrain a language model of items](03_pretrain_on_items.ipynb) | Can a model learn products as a language? |
# | [04 Read rules from the model](04_read_rules_from_the_model.ipynb) | Are the model's rules as good as counted ones? |
# | [05 Fine-tune for a task](05_fine_tune_for_a_task.ipynb) | Does pretraining save labels? |
# | [06 Recommend](06_recommend.ipynb) | Rules, model, or both: who fills the list better? |
# | [07 Recommend what is new](07_recommend_what_is_new.ipynb) | What about new products and new customers? |
# | [08 Run the shop](08_run_the_shop.ipynb) | Page, shelf, promotion: what does a shop do with it? |
# | [09 Distil and compress](09_distil_and_compress.ipynb) | How small can the model be? |
# | [10 See products as a graph](10_see_products_as_a_graph.ipynb) | What does the graph of products show? |
# | [11 Recommend over the graph](11_recommend_over_the_graph.ipynb) | Does a graph network add anything? |
#
# **Three editions of each.** `notebooks/` holds them executed, to read. `notebooks/exercises/` has gaps where you think; cells
# check your answer and give hints. `notebooks/source/` is the text from which both are made, for those who contribute. Work in
# your own copies: `make lab` makes them in the folder `my/`, where no update of the kit touches your answers.
#
# **Three ways to run.** On your own machine, `make run` executes all lessons and names a report, `make lab` opens your
# copies in JupyterLab. On *Colab* or *Binder*, press the badge on top of a lesson; the first cell installs what is missing there.
# In a terminal, `llmarm run 01 --dataset groceries` runs a lesson on other data, your own file included.
#
# **Parameters.** Each lesson has one cell of parameters in capital letters, and a folded table that explains them.
# Change one, run all, look at what moved. Cells of imports and of results are folded; a click opens them.

# %% [markdown]
# ## 3. The shop that all lessons share
# Real data have no answer sheet. So the kit ships a small corner shop whose customers are simulated and whose true
# associations are *planted*, from easy to nearly invisible, together with traps. Some are links of single products, which
# can be counted; others go by what a product is, its role and its style, which a model may learn. Everything learned on
# it is then tried on real, public data.

# %% tags=["nbval-check-output"]
shop = load("shop")
facts = pd.Series(shop.describe(), name="the shop")
facts.map(lambda v: f"{v:.3g}" if isinstance(v, float) else f"{v}").to_frame()

# %% tags=["nbval-check-output"]
columns = ["item_id", "name", "name_zh", "category", "price"]
shop.items[columns].groupby("category").head(1).set_index("item_id")

# %% tags=["nbval-check-output"]
kinds = pd.concat([planted_rules(None)["kind"], planted_structure()["kind"]])
planted = kinds.value_counts(sort=False)
means = pd.Series(truth()["kinds"] | truth()["structure"]["kinds"])
pd.DataFrame({"planted": planted, "what it means": means[planted.index]})

# %% [markdown]
# The public data sets that the kit knows. *Baskets* tell what was bought together, *users* who bought, *order* what came
# first, *clock* when. What is not on this machine is fetched with `llmarm data fetch NAME`.

# %% tags=["nbval-check-output"]
rows = [(e.name, e.title, ", ".join(sorted(e.aspects))) for e in entries()]
pd.DataFrame(rows, columns=["name", "title", "has"]).set_index("name")

# %% [markdown]
# ## 4. The words of the field
#
# | English | 中文 | Meaning |
# |---|---|---|
# | item | 商品、项 | one product |
# | transaction, basket | 事务、购物篮 | the items bought at one time |
# | itemset | 项集 | a set of items |
# | support | 支持度 | share of the baskets that hold an itemset |
# | minimum support | 最小支持度 | the threshold that makes an itemset frequent |
# | frequent itemset | 频繁项集 | an itemset whose support reaches the minimum |
# | association rule | 关联规则 | antecedent ⇒ consequent |
# | antecedent, consequent | 前件、后件 | left and right side of a rule |
# | confidence | 置信度 | share of the antecedent's baskets that hold the consequent |
# | lift | 提升度 | confidence divided by the consequent's support; 1 under independence |
# | leverage | 杠杆率 | share of baskets beyond those that independence would give |
# | redundant rule | 冗余规则 | a rule that a shorter one makes superfluous |
# | substitute | 替代品 | a product bought instead of another |
# | p-value | p 值 | how often chance alone would give as much |
# | false discovery rate | 错误发现率 | expected share of false rules among those accepted |
# | winner's curse | 赢家诅咒 | what was chosen for being high falls when measured again |
# | average precision | 平均精度 | how far up a ranking the true ones stand; 1 is perfect |
# | confounder | 混杂因素 | a third thing that makes two others look linked |
# | long tail | 长尾 | the many items that are rarely bought |
# | sequential pattern | 序列模式 | items that follow each other over several visits |
# | language model of items | 商品语言模型 | a model that predicts items from the items around them |
# | pretraining, fine-tuning | 预训练、微调 | learn from unlabelled sequences, then from a task's labels |
# | masked, causal objective | 掩码目标、因果目标 | predict hidden items from both sides, or the next from the past |
# | embedding | 嵌入 | an item as a vector of numbers |
# | attention | 注意力 | each item of a list looks at the others, with weights that are learned |
# | softmax | 归一化指数 | turns any scores into chances that add up to 1 |
# | log odds, logit | 对数几率 | the logarithm of chance : counter-chance |
# | loss, gradient | 损失、梯度 | what training makes small; which way each weight must go for that |
# | nat | 奈特 | unit of a loss that is a natural logarithm; 1 nat = 1.44 bits |
# | parameter-efficient fine-tuning | 参数高效微调 | train few weights, keep the rest |
# | macro F1 | 宏平均 F1 | precision and recall in one number, averaged over classes |
# | calibration | 校准 | whether what is given a chance of 70 % comes true seven times in ten |
# | re-ranking | 重排序 | a second opinion on the order of the first candidates |
# | diversity, novelty, coverage | 多样性、新颖性、覆盖率 | how unlike, how unpopular, how many of all items the lists show |
# | knowledge distillation | 知识蒸馏 | a small student learns from a large teacher |
# | graph neural network | 图神经网络 | a model that passes messages along links |
# | leave-one-out | 留一法 | each user's last item is the test |
# | hit rate, NDCG@10 | 命中率、归一化折损累计增益 | is the right item in the first ten; how far up |
# | cold start | 冷启动 | new items or users without history |
# | baseline | 基线 | the simple method that has to be beaten |

# %% [markdown]
# ## 5. Numbers that you can trust
# Values that a lesson measures are *recorded*: shown in a line like the one below, stored in the notebook with unit, interval
# and tolerance, gathered into `results.json` and the report, and compared by `llmarm verify` with the reference results in
# the repository.

# %% tags=["hide"]
note = "content of the shop, whatever file it came from"
_ = ledger.record("data/fingerprint", shop.fingerprint(), note=note)
sizes = shop.table.groupby("basket_id").size()
half = 1.96 * sizes.std() / len(sizes) ** 0.5
interval = (sizes.mean() - half, sizes.mean() + half)
_ = ledger.record(
    "data/mean_basket_size", sizes.mean(), unit="items", interval=interval, tolerance=1e-9
)

# %% [markdown]
# ## 6. Where it won, where not
# The question of the kit as its benchmarks answer it: with all customers and several trainings, on data
# that are public. Each row is a gain over counting on the same cases, with its 95 % interval: it *wins* or
# *loses* if the whole interval lies on one side of zero, else it is *level*. The last columns are no
# measurement: what we think that it is about the data, and the claim of the literature that the row
# speaks to.

# %% tags=["nbval-check-output"]
answers = recorded_answers()
columns = ["verdict", "question", "data", "system", "against", "gain", "low", "high"]
answers[[*columns, "metric", "property", "claim"]].set_index("verdict")

# %%
fell = answers["verdict"].value_counts()
wins, level, loses = (int(fell.get(verdict, 0)) for verdict in ("wins", "level", "loses"))
both_ways = " No method wins everywhere: look at the property of the data, then choose."
say(
    f"**What we see.** Of {len(answers)} questions a model wins {wins}, is level in {level} "
    f"and loses {loses}." + both_ways * (min(wins, loses) > 0)
)

# %% [markdown]
# And the claims, as the lessons decide them on the corner shop: so many of the recorded gains win, are
# level or lose. What must come out for a claim to hold was written down before the results, in
# `llmarm_tutorial/lesson/claims.toml`.

# %% tags=["nbval-check-output"]
recorded_claims()

# %% [markdown]
# ## References
# - T. Gebru and others (2021). Datasheets for datasets. Communications of the ACM 64. (The shop has one: `data/README.md`.)
# - G. K. Sandve, A. Nekrutenko, J. Taylor, E. Hovig (2013). Ten simple rules for reproducible computational research. PLOS
#   Computational Biology 9.
