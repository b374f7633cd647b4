"""One call per library: NDCG@10, average precision, reciprocal rank, precision, recall and hit rate, means over users.

Each function takes `users`, of whom each has `items` (numbers from 0, below `n_items`), their `scores`, and the items
that are `right`, and gives a value per metric, without those that a library lacks. Libraries that take a list get the
items by descending score. A library is called as its documentation shows, with its own defaults.
"""

from __future__ import annotations

from typing import Any

from serve import serve

NAMES = ("NDCG@10", "MAP@10", "MRR", "P@10", "R@10", "HR@10")


def _lists(users: list[dict]) -> list[list[int]]:
    """The items of each user by descending score, for libraries that take no scores."""
    if any(len(set(user["scores"])) < len(user["scores"]) for user in users):
        raise NotImplementedError("takes a list, not scores")
    return [[i for _, i in sorted(zip(u["scores"], u["items"], strict=True), reverse=True)] for u in users]


def _once(users: list[dict]) -> list[dict]:
    if any(len(set(user["items"])) < len(user["items"]) for user in users):
        raise NotImplementedError("takes one score per item")
    return users


def _mean(rows: list[dict]) -> dict:
    return {name: float(sum(row[name] for row in rows) / len(rows)) for name in rows[0]}


def rectools(users: list[dict], n_items: int) -> dict:
    import pandas as pd
    from rectools import metrics

    lists = _lists(users)
    shown = [(user, item, rank) for user, row in enumerate(lists) for rank, item in enumerate(row, start=1)]
    reco = pd.DataFrame(shown, columns=["user_id", "item_id", "rank"])
    bought = [(number, item) for number, user in enumerate(users) for item in user["right"]]
    bought = pd.DataFrame(bought, columns=["user_id", "item_id"])
    kinds = (metrics.NDCG, metrics.MAP, metrics.MRR, metrics.Precision, metrics.Recall, metrics.HitRate)
    return {name: float(kind(k=10).calc(reco, bought)) for name, kind in zip(NAMES, kinds, strict=True)}


def replay(users: list[dict], n_items: int) -> dict:
    from replay import metrics

    pairs = {n: list(zip(user["items"], user["scores"], strict=True)) for n, user in enumerate(users)}
    right = {number: user["right"] for number, user in enumerate(users)}
    kinds = (metrics.NDCG, metrics.MAP, metrics.MRR, metrics.Precision, metrics.Recall, metrics.HitRate)
    return {name: float(next(iter(k(10)(pairs, right).values()))) for name, k in zip(NAMES, kinds, strict=True)}


def implicit(users: list[dict], n_items: int) -> dict:
    import numpy as np
    from implicit.evaluation import ranking_metrics_at_k
    from scipy import sparse

    lists = np.full((len(users), 10), -1, dtype=np.int32)  # short lists end in -1
    for number, row in enumerate(_lists(users)):
        lists[number, : len(row)] = row[:10]

    class Model:
        def recommend(self, userid: Any, *_: Any, **__: Any) -> tuple:
            return lists[userid], np.zeros((len(userid), 10), dtype=np.float32)

    right = [(number, item) for number, user in enumerate(users) for item in user["right"]]
    shape = (len(users), n_items)
    test = sparse.csr_matrix((np.ones(len(right)), tuple(zip(*right, strict=True))), shape=shape)
    found = ranking_metrics_at_k(Model(), sparse.csr_matrix(shape), test, K=10, show_progress=False)
    return {"NDCG@10": float(found["ndcg"]), "MAP@10": float(found["map"]), "P@10": float(found["precision"])}


def cornac(users: list[dict], n_items: int) -> dict:
    import numpy as np
    from cornac import metrics

    kinds = (metrics.NDCG(10), metrics.MRR(), metrics.Precision(10), metrics.Recall(10), metrics.HitRatio(10))
    rows = []
    for user, row in zip(users, _lists(users), strict=True):
        right, ranked = np.array(user["right"]), np.array(row)
        values = [float(kind.compute(gt_pos=right, pd_rank=ranked)) for kind in kinds]
        rows.append(dict(zip(("NDCG@10", "MRR", "P@10", "R@10", "HR@10"), values, strict=True)))
    return _mean(rows)


def torchmetrics(users: list[dict], n_items: int) -> dict:
    import torch
    from torchmetrics.functional import retrieval as r

    kinds = (r.retrieval_normalized_dcg, r.retrieval_average_precision, r.retrieval_reciprocal_rank)
    kinds += (r.retrieval_precision, r.retrieval_recall, r.retrieval_hit_rate)
    rows = []
    for user in _once(users):
        scores = torch.tensor(user["scores"])
        right = torch.tensor([item in user["right"] for item in user["items"]], dtype=torch.bool)
        cut = {name: {} if name == "MRR" else {"top_k": 10} for name in NAMES}
        values = [float(kind(scores, right, **cut[name])) for name, kind in zip(NAMES, kinds, strict=True)]
        rows.append(dict(zip(NAMES, values, strict=True)))
    return _mean(rows)


def ranx(users: list[dict], n_items: int) -> dict:
    from ranx import Qrels, Run, evaluate

    qrels, run = _as_trec(users)
    names = ["ndcg@10", "map@10", "mrr", "precision@10", "recall@10", "hit_rate@10"]
    values = evaluate(Qrels(qrels), Run(run), names)
    return {name: float(values[theirs]) for name, theirs in zip(NAMES, names, strict=True)}


def ir_measures(users: list[dict], n_items: int) -> dict:
    from ir_measures import AP, RR, P, R, Success, calc_aggregate, nDCG

    kinds = (nDCG @ 10, AP @ 10, RR, P @ 10, R @ 10, Success @ 10)
    values = calc_aggregate(kinds, *_as_trec(users))
    return {name: float(values[kind]) for name, kind in zip(NAMES, kinds, strict=True)}


def pytrec_eval(users: list[dict], n_items: int) -> dict:
    from pytrec_eval import RelevanceEvaluator

    qrels, run = _as_trec(users)
    names = ("ndcg_cut_10", "map_cut_10", "recip_rank", "P_10", "recall_10", "success_10")
    asked = {name.replace("_10", ".10") for name in names}
    found = RelevanceEvaluator(qrels, asked).evaluate(run)
    return _mean([{name: row[theirs] for name, theirs in zip(NAMES, names, strict=True)} for row in found.values()])


def _as_trec(users: list[dict]) -> tuple[dict, dict]:
    """What is right and what was scored, by names of users and items in the order of their numbers."""
    qrels, run = {}, {}
    for number, user in enumerate(_once(users)):
        qrels[f"u{number}"] = {f"i{item:02}": 1 for item in user["right"]}
        scored = zip(user["items"], user["scores"], strict=True)
        run[f"u{number}"] = {f"i{item:02}": score for item, score in scored}
    return qrels, run


def scikit_learn(users: list[dict], n_items: int) -> dict:
    import numpy as np
    from sklearn.metrics import average_precision_score, ndcg_score

    rows = []
    for user in _once(users):
        right = np.array([item in user["right"] for item in user["items"]], dtype=int)
        scores = np.array(user["scores"])
        rows.append({"NDCG@10": ndcg_score([right], [scores], k=10), "MAP@10": average_precision_score(right, scores)})
    return _mean(rows)


def llmarm(users: list[dict], n_items: int) -> dict:
    import numpy as np

    from llmarm_tutorial import evaluation

    table = np.full((len(users), n_items), -np.inf)  # it ranks all items: what is in no list comes last
    for number, user in enumerate(_once(users)):
        table[number, user["items"]] = user["scores"]

    class Given:
        def scores(self, histories: Any) -> np.ndarray:
            return table

    Given.n_items = n_items
    task = evaluation.Task.from_lists([[]] * len(users), [user["right"] for user in users], n_items)
    found = evaluation.evaluate(Given(), task, ks=(10,))
    theirs = ("NDCG@10", "MRR", "Precision@10", "Recall@10", "HR@10")
    names = (name for name in NAMES if name != "MAP@10")
    return {name: found.mean(metric) for name, metric in zip(names, theirs, strict=True)}


if __name__ == "__main__":
    serve(globals())
