"""Links foretold: the task, the judge, the scores by hand, and what flatters a method."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import chi2_contingency
from sklearn.metrics import average_precision_score, roc_auc_score

from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.errors import BadParameter, DataError, Lacks, UnknownName
from llmarm_tutorial.evaluation.comparison import compare, comparison_table
from llmarm_tutorial.evaluation.intervals import bootstrap_interval
from llmarm_tutorial.graphs import link_counting, link_evaluation, link_tasks
from llmarm_tutorial.graphs.item_graph import ItemGraph, co_occurrence_graph

LOOSE = link_tasks.LinkDefinition(min_count=5, min_lift=1.0, max_q=0.1)


@pytest.fixture(scope="module")
def tasks(shop) -> link_tasks.LinkTasks:
    return link_tasks.make_link_tasks(shop, LOOSE, validation=0.3, test=0.4)


def task_of(n: int, links: list[tuple[int, int]], appear: list[tuple[int, int]]) -> link_tasks.LinkTask:
    """A task with the given links; baskets hold one pair each, and every other pair is a candidate."""
    past = Transactions.from_baskets([[a, b] for a, b in links] + [[item] for item in range(n)])
    matrix = np.zeros((n, n))
    for a, b in links:
        matrix[a, b] = matrix[b, a] = 1
    i, j = (side.astype(np.int32) for side in np.nonzero(np.triu(matrix == 0, 1)))
    appears = np.array([pair in appear for pair in zip(i.tolist(), j.tolist(), strict=True)])
    return link_tasks.LinkTask(past, ItemGraph(sparse.csr_matrix(matrix)), i, j, appears)


# --- the task --------------------------------------------------------------------------------------------------------


def test_links_are_those_of_their_own_stretch_of_time(shop, tasks):
    parts = shop.split_by_time(0.3, 0.4)
    first, second, third = (
        co_occurrence_graph(part, "count", min_count=5, max_q=0.1).weights.toarray() > 0 for part in parts
    )
    task = tasks.validation
    support = np.bincount(parts.train.item_codes, minlength=len(shop.items))
    new = np.triu(second & ~first & (np.minimum.outer(support, support) >= 20), 1)
    assert set(zip(*np.nonzero(new), strict=True)) == set(zip(task.i[task.appears], task.j[task.appears], strict=True))
    assert not first[task.i, task.j].any()
    known = int((support >= 20).sum())
    assert len(task.i) == known * (known - 1) // 2 - int(np.triu(first, 1)[support >= 20][:, support >= 20].sum())
    # the test task knows the first two stretches and is judged by the third alone
    assert len(tasks.test.past) == len(parts.train) + len(parts.validation)
    assert third[tasks.test.i[tasks.test.appears], tasks.test.j[tasks.test.appears]].all()
    assert tasks.test.past.table["time"].max() < parts.test.table["time"].min()


def test_the_future_changes_no_score(shop, tasks):
    past = shop.split_by_time(0.3, 0.4).train
    assert np.array_equal(np.diag(tasks.validation.counts), np.bincount(past.item_codes, minlength=len(shop.items)))
    assert tasks.validation.matrix.shape[0] == past.describe()["baskets"]


def test_tasks_need_a_clock_and_new_links(shop):
    with pytest.raises(Lacks, match="clock"):
        link_tasks.make_link_tasks(Transactions.from_baskets([["a", "b"]]))
    with pytest.raises(DataError, match="loosen or tighten"):
        link_tasks.make_link_tasks(shop, link_tasks.LinkDefinition(min_count=5000))


def test_hidden_links_are_links_of_the_past(shop):
    whole = LOOSE.graph(shop)
    task = link_tasks.hide_links(shop, LOOSE, share=0.3, seed=1)
    hidden = int(task.appears.sum())
    assert task.graph.n_links + hidden == pytest.approx(whole.n_links, abs=5)  # but for rare items
    assert (whole.weights.toarray()[task.i, task.j] > 0).sum() == hidden
    again = link_tasks.hide_links(shop, LOOSE, share=0.3, seed=1)
    assert np.array_equal(task.appears, again.appears)
    with pytest.raises(BadParameter, match="between 0 and 1"):
        link_tasks.hide_links(shop, share=1.0)


def test_sampled_negatives_and_random_hiding_flatter(shop, tasks):
    scores = link_counting.neighbours(tasks.test)
    whole = link_evaluation.evaluate_links(tasks.test, scores).mean()
    sampled = tasks.test.sampled(1, seed=3)
    assert sampled.appears.sum() * 2 == len(sampled.i)
    assert link_evaluation.evaluate_links(sampled, scores).mean() > 10 * whole
    task = link_tasks.hide_links(tasks.test.past, LOOSE)
    assert link_evaluation.evaluate_links(task, link_counting.neighbours(task)).mean() > 3 * whole
    # the baskets still hold what was hidden: their counts tell the answer
    assert (
        link_evaluation.evaluate_links(task, link_counting.own_counts(task, "lift")).mean()
        > 20 * link_evaluation.evaluate_links(tasks.test, link_counting.own_counts(tasks.test, "lift")).mean()
    )
    with pytest.raises(BadParameter, match="at least 1 negative"):
        tasks.test.sampled(0)


# --- the judge -------------------------------------------------------------------------------------------------------


def test_places_by_hand():
    # candidates (0,2) (0,3) (1,2) (1,3) (2,3); the scores are 4, 2, 3, 2, 1; (0,3) and (1,2) appear
    task = task_of(4, [(0, 1)], [(0, 3), (1, 2)])
    scores = np.zeros((4, 4))
    for (a, b), value in {(0, 2): 4, (0, 3): 2, (1, 2): 3, (1, 3): 2, (2, 3): 1}.items():
        scores[a, b] = 2 * value  # the mean of both directions counts
    found = link_evaluation.evaluate_links(task, scores, "hand")
    assert found.precision.tolist() == [2 / 4, 1 / 2]
    assert found.outranked.tolist() == [1 - 1.5 / 3, 1 - 1 / 3]
    assert found.hit.tolist() == [1, 1]
    assert found.mean("auroc") == pytest.approx((0.5 + 2 / 3) / 2)
    with pytest.raises(UnknownName, match="metric"):
        found.mean("recall")


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_the_measures_are_those_of_scikit_learn(seed: int, levels: int):
    rng = np.random.default_rng(seed)
    base = task_of(9, [(0, 1), (1, 2)], [(3, 4)])
    appears = rng.random(len(base.i)) < 0.3
    appears[:2] = True, False
    task = link_tasks.LinkTask(base.past, base.graph, base.i, base.j, appears)
    scores = rng.integers(levels, size=(9, 9)).astype(float)
    found, told = link_evaluation.evaluate_links(task, scores), scores[task.i, task.j] + scores[task.j, task.i]
    assert found.mean() == pytest.approx(average_precision_score(appears, told))
    assert found.mean("auroc") == pytest.approx(roc_auc_score(appears, told))


def test_hits_look_at_the_lists_of_both_items(monkeypatch):
    monkeypatch.setattr(link_evaluation, "CUTOFF", 1)
    task = task_of(4, [(0, 1)], [(0, 2), (2, 3)])
    scores = np.zeros((4, 4))
    for (a, b), value in {(0, 2): 4, (0, 3): 2, (1, 2): 5, (1, 3): 2, (2, 3): 3}.items():
        scores[a, b] = value
    # (0, 2) is first for 0, not for 2; (2, 3) is first for 3, not for 2
    assert link_evaluation.evaluate_links(task, scores).hit.tolist() == [0.5, 0.5]
    # all alike: one place for two candidates of 0 and of 1, or three candidates of 2 and of 3
    assert link_evaluation.evaluate_links(task, np.ones((4, 4))).hit.tolist() == [
        pytest.approx((1 / 2 + 1 / 3) / 2),
        pytest.approx(1 / 3),
    ]


def test_scores_that_cannot_be_ranked_are_refused(tasks):
    with pytest.raises(BadParameter, match=rf"\({tasks.test.n_items}, {tasks.test.n_items}\)"):
        link_evaluation.evaluate_links(tasks.test, np.zeros((3, 3)))
    with pytest.raises(BadParameter, match="no finite score"):
        link_evaluation.evaluate_links(tasks.test, np.full(tasks.test.counts.shape, np.nan))


def test_a_constant_score_gets_what_chance_gets(tasks):
    found = link_evaluation.evaluate_links(tasks.test, np.ones(tasks.test.counts.shape))
    assert found.mean() == pytest.approx(tasks.test.appears.mean())
    assert found.mean("auroc") == pytest.approx(0.5)


def test_intervals_know_that_links_of_one_item_hang_together():
    star = task_of(30, [(28, 29)], [(0, item) for item in range(1, 13)])
    apart = task_of(30, [(28, 29)], [(2 * pair, 2 * pair + 1) for pair in range(12)])
    values = np.linspace(0, 1, 12)
    low, high = bootstrap_interval(values, star.clusters)
    assert low < values.mean() < high
    assert bootstrap_interval(values, star.clusters) == (low, high)
    assert bootstrap_interval(values, apart.clusters, seed=1) != (low, high)
    assert bootstrap_interval(np.ones(12), apart.clusters) == (1.0, 1.0)
    with pytest.raises(BadParameter, match="interval"):
        bootstrap_interval(values, star.clusters, level=1.0)


def test_comparisons_are_paired(tasks):
    task = tasks.test
    good, bad = (
        link_evaluation.evaluate_links(task, link_counting.neighbours(task), "graph"),
        link_evaluation.evaluate_links(task, link_counting.popularity(task), "sales"),
    )
    gain = compare(good, bad, "average_precision")
    assert (gain.first, gain.second, gain.cases) == ("graph", "sales", task.appears.sum())
    assert gain.difference == pytest.approx(good.mean() - bad.mean())
    assert gain.low < gain.difference < gain.high
    assert np.isnan(gain.p_value)  # pairs that share a product are not independent
    assert "p_value" not in comparison_table([gain])
    assert compare(good, good, "average_precision")[3:6] == (0, 0, 0)
    with pytest.raises(BadParameter, match="different pairs"):
        compare(good, link_evaluation.evaluate_links(tasks.validation, np.ones(tasks.validation.counts.shape)), "auroc")


def test_buckets_rank_their_own_pairs(tasks):
    task = tasks.test
    scores = {"graph": link_counting.neighbours(task), "sales": link_counting.popularity(task)}
    table = link_evaluation.by_support(task, scores, "sales", edges=[200, 400], resamples=50)
    assert table["bucket"].unique().tolist() == ["0 to 199", "200 to 399", "400 and more"]
    once = table[table["method"] == "graph"]
    assert once["positives"].sum() == task.appears.sum()
    assert once["candidates"].sum() == len(task.i)
    rare = task.rarer < 200
    assert once["value"].iloc[0] == pytest.approx(
        link_evaluation.evaluate_links(task.take(rare), scores["graph"]).mean()
    )
    assert (table.loc[table["method"] == "sales", "gain"] == 0).all()
    thirds = link_evaluation.by_support(task, scores, "sales", resamples=10)
    assert thirds.groupby("bucket")["positives"].first().to_numpy() == pytest.approx(task.appears.sum() / 3, rel=0.1)
    met = link_evaluation.by_support(task, scores, "sales", of=task.counts[task.i, task.j], edges=[1, 10], resamples=10)
    assert met["bucket"].unique().tolist() == ["0", "1 to 9", "10 and more"]  # of the range's products, some never met
    never = task.appears & (task.counts[task.i, task.j] == 0)
    assert (met.loc[met["bucket"] == "0", "positives"] == never.sum()).all()
    with pytest.raises(UnknownName, match="method"):
        link_evaluation.by_support(task, scores, "luck")


# --- the scores ------------------------------------------------------------------------------------------------------

# 0 and 1 share 2 and 3; 3 is also linked to 4
SQUARE = [(0, 2), (0, 3), (1, 2), (1, 3), (3, 4)]


def test_neighbours_are_those_of_networkx():
    task = task_of(6, SQUARE, [(0, 1)])
    network = task.graph.to_networkx()
    pairs = list(zip(task.i.tolist(), task.j.tolist(), strict=True))
    linked = [pair for pair in pairs if network.degree[pair[0]] and network.degree[pair[1]]]
    for by, peer in {
        "jaccard": nx.jaccard_coefficient,
        "adamic-adar": nx.adamic_adar_index,
        "allocation": nx.resource_allocation_index,
    }.items():
        scores = link_counting.neighbours(task, by)
        for a, b, value in peer(network, linked):
            assert scores[a, b] == pytest.approx(value), by
    assert link_counting.neighbours(task, "common")[0, 1] == 2
    assert link_counting.attachment(task)[0, 1] == 9
    with pytest.raises(UnknownName, match="neighbours"):
        link_counting.neighbours(task, "friends")


def test_weighted_neighbours_count_the_product():
    task = task_of(4, [(0, 1), (1, 2)], [(0, 2)])
    i, j = np.array([[0], [2]], dtype=np.int32).repeat(2, axis=1)  # the judge is not asked here
    task = link_tasks.LinkTask(task.past, ItemGraph(task.graph.weights * 3), i, j, np.array([True, False]))
    assert link_counting.neighbours(task, "common")[0, 2] == 1
    assert link_counting.neighbours(task, "common", weighted=True)[0, 2] == 9


def test_katz_by_paths():
    task = task_of(5, SQUARE, [(0, 1)])
    links = task.graph.weights.toarray()
    factor = 0.4 / np.linalg.eigvalsh(links).max()
    two = link_counting.katz(task, 0.4, 2)
    assert two[0, 1] == pytest.approx(2 * factor**2)
    assert two[0, 4] == pytest.approx(factor**2)
    assert np.allclose(link_counting.katz(task, 0.4), link_counting.katz(task, 0.4, 60))
    with pytest.raises(BadParameter, match="Katz"):
        link_counting.katz(task, 1.0)


def test_own_counts_by_hand(tasks):
    task = task_of(4, [(0, 1)] * 3, [(0, 2)])
    assert link_counting.own_counts(task, "count")[0, 1] == 3
    # 7 baskets, 4 with each: 3 together where 16/7 are expected
    assert link_counting.own_counts(task, "lift", 2.0)[0, 1] == pytest.approx((3 + 2) / (16 / 7 + 2))
    assert link_counting.own_counts(task, "lift", 0.0)[0, 2] == 0
    task = tasks.test
    n, found = task.matrix.shape[0], link_counting.own_counts(task)
    for a, b in ((0, 5), (3, 90), (20, 21)):
        both, x, y = task.counts[a, b], task.support[a], task.support[b]
        cells = [[both, x - both], [y - both, n - x - y + both]]
        peer = chi2_contingency(cells, correction=False, lambda_="log-likelihood").statistic / 2
        assert abs(found[a, b]) == pytest.approx(peer)
        assert (found[a, b] > 0) == (both * n > x * y)
    with pytest.raises(UnknownName, match="own counts"):
        link_counting.own_counts(task, "luck")


def test_all_dimensions_give_the_matrix_back():
    task = task_of(6, SQUARE, [(0, 1)])
    # (0, 2): 11 baskets, 3 with 0, 3 with 2, one with both
    level = np.log(11 / 9)
    squared = link_counting.vectors(task, 5, power=1.0)  # U S² Uᵀ is the square of the symmetric matrix
    matrix = np.zeros((6, 6))
    for a, b in SQUARE:
        matrix[a, b] = matrix[b, a] = max(np.log(11 / (task.support[a] * task.support[b])), 0)
    assert matrix[0, 2] == pytest.approx(level)
    assert np.allclose(squared, matrix @ matrix)


def test_vectors_and_factors_see_groups_of_products():
    # two groups of products, each basket holds three of one group; (0, 5) and (6, 11) never met
    rng = np.random.default_rng(0)
    baskets = []
    while len(baskets) < 400:
        basket = set((rng.choice(6, 3, replace=False) + 6 * (len(baskets) % 2)).tolist())
        if not ({0, 5} <= basket or {6, 11} <= basket):
            baskets.append(sorted(basket))
    past = Transactions.from_baskets(baskets)
    graph = co_occurrence_graph(past, "ppmi", min_count=5)
    free = np.argwhere(np.triu(graph.weights.toarray() == 0, 1))
    i, j = free.T.astype(np.int32)
    task = link_tasks.LinkTask(past, graph, i, j, np.isin(i * 12 + j, [5, 6 * 12 + 11]))
    told = {
        "vectors": link_counting.vectors(task, 2, cosine=True),
        "factors": link_counting.factors(task, 2),
        "walks": link_counting.page_rank(task),
        "Katz": link_counting.katz(task),
    }
    for name, scores in told.items():
        assert link_evaluation.evaluate_links(task, scores, name).mean() == 1.0, name
    assert (
        link_evaluation.evaluate_links(task, link_counting.own_counts(task, "count")).mean() < 0.2
    )  # a pair that never met
    assert np.array_equal(link_counting.vectors(task, 2, seed=4), link_counting.vectors(task, 2, seed=4))
    with pytest.raises(UnknownName, match="factors"):
        link_counting.factors(task, by="luck")


def test_the_shift_forgets_weak_pairs(tasks):
    plain, shifted = (link_counting.vectors(tasks.test, 209, shift, power=1.0) for shift in (1.0, 3.0))
    # the diagonal of the squared matrix sums up an item's squared weights: each is smaller, or gone
    assert (shifted.diagonal() <= plain.diagonal() + 1e-9).all()
    strong = tasks.test.counts > 3 * tasks.test.expected
    np.fill_diagonal(strong, False)
    assert np.array_equal(shifted.diagonal() > 1e-9, strong.any(axis=1))


# --- choosing and joining --------------------------------------------------------------------------------------------


def test_every_method_scores_every_pair(tasks):
    for name, method in link_counting.METHODS.items():
        first = {setting: values[0] for setting, values in method.grid.items()}
        scores = method.score(tasks.test, **first)
        assert link_evaluation.evaluate_links(tasks.test, scores, name).mean() > tasks.test.appears.mean() / 2, name


def test_the_best_settings_on_validation_are_chosen(tasks):
    chosen = link_counting.choose_link_scores(
        "own lift", tasks.validation, {"by": ("lift",), "worth": (0.5, 10.0, 50.0)}
    )
    assert chosen.value == chosen.tries["value"].max()
    assert len(chosen.tries) == 3
    best = chosen.tries.loc[chosen.tries["value"].idxmax(), "setting"]["worth"]
    assert chosen.best == {"by": "lift", "worth": best}
    assert np.array_equal(chosen.system(tasks.test), link_counting.own_counts(tasks.test, "lift", best))
    assert link_counting.choose_link_scores("popularity", tasks.validation).best == {}
    with pytest.raises(UnknownName, match="link prediction"):
        link_counting.choose_link_scores("oracle", tasks.validation)


def test_joined_scores_weigh_what_helps(tasks):
    rng = np.random.default_rng(0)

    def oracle(task: link_tasks.LinkTask) -> np.ndarray:
        scores = rng.random(task.counts.shape)
        scores[task.i, task.j] += 0.8 * task.appears
        return scores

    told = [{"oracle": oracle(task), "noise": rng.random(task.counts.shape)} for task in tasks]
    scores, weights = link_counting.joined_scores(tasks.validation, told[0], tasks.test, told[1])
    assert weights["oracle"] > 5 * abs(weights["noise"])
    assert (
        link_evaluation.evaluate_links(tasks.test, scores).mean()
        > 0.8 * link_evaluation.evaluate_links(tasks.test, told[1]["oracle"]).mean()
    )
    with pytest.raises(BadParameter, match="same methods"):
        link_counting.joined_scores(tasks.validation, told[0], tasks.test, {"oracle": told[1]["oracle"]})


def test_the_graph_adds_to_the_pairs_own_counts(tasks):
    """What lesson 10 says of the shop: pairs of one purpose share neighbours before they are together often enough."""
    told, scores = (
        {"own": link_counting.own_counts(t, "lift", 50.0), "graph": link_counting.neighbours(t)} for t in tasks
    )
    both, weights = link_counting.joined_scores(tasks.validation, told, tasks.test, scores)
    assert weights["graph"] > 0.2
    own = link_evaluation.evaluate_links(tasks.test, scores["own"], "own")
    assert compare(link_evaluation.evaluate_links(tasks.test, both, "both"), own, "average_precision").low > 0
