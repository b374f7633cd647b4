"""Right and wrong answers to the exercises of lessons 05 to 11; `test_exercises.py` says how to read them."""

RIGHT = {
    "05.1": ["4 / 9", "0.444", "0.4444", "np.mean([8 / 9, 0])"],
    "05.2": ["2048", "2048.0", "np.int64(2048)"],
    "05.3": [
        """def calibration_error(p, right):
    bins = pd.cut(pd.Series(p), np.linspace(0, 1, 11), include_lowest=True)
    table = pd.DataFrame({"p": p, "right": right}).groupby(bins.astype(str)).agg(["mean", "size"])
    return ((table["p", "mean"] - table["right", "mean"]).abs() * table["p", "size"]).sum() / len(p)""",
        """def calibration_error(p, right):
    total = 0.0
    for b in range(10):
        inside = (p >= b / 10) & ((p < (b + 1) / 10) | (b == 9))
        if inside.any():
            total += abs(p[inside].sum() - right[inside].sum())
    return total / len(p)""",
    ],
    "06.1": ["0.02, 0.12", "[1 / 50, 3 / 25]", "np.array([0.02, 0.12])"],
    "06.2": ["'BCA'", "'B, C, A'", "('B', 'C', 'A')", "np.array(['B', 'C', 'A'])", "['b', 'c', 'a']"],
    "06.3": [
        """def mmr_list(scores, similarity, trade, k):
    order = []
    while len(order) < k:
        left = [item for item in range(len(scores)) if item not in order]
        if not order:
            order.append(max(left, key=lambda item: scores[item]))
            continue
        nearest = {item: max(similarity[item][other] for other in order) for item in left}
        order.append(max(left, key=lambda item: trade * scores[item] - (1 - trade) * nearest[item]))
    return np.array(order)""",
        "similarity[:, chosen].max(axis=1) -> similarity[chosen].max(axis=0)",
    ],
    "07.1": ["0.4567", "np.mean(1 / np.arange(1, 6))", "137 / 300"],
    "07.2": ["0.3, 0.25", "[0.3, 0.2 / 0.8]", "np.array([0.3, 0.25])"],
    "07.3": [
        """def lend(confidence, similarity, k):
    order = sorted(range(len(similarity)), key=lambda item: similarity[item], reverse=True)[:k]
    return [sum(row[i] * similarity[i] for i in order) / sum(similarity[i] for i in order) for row in confidence]""",
        """def lend(confidence, similarity, k):
    weights = np.where(similarity >= np.sort(similarity)[-k], similarity, 0)
    return pd.Series((confidence * weights).sum(axis=1) / weights.sum())""",
    ],
    "08.1": ["15", "15.0", "100 * (1 / 4 - 1 / 10)", "np.float64(15)"],
    "08.2": ["1.75, 1", "[1.75, 1.0]", "np.array([7 / 4, 1])"],
    "08.3": [
        """def fair_extra_sales(a, b, season, buyers):
    total = weight = 0.0
    for label in set(season):
        here = season == label
        n1, n0 = int((here & a).sum()), int((here & ~a).sum())
        if n1 * n0 > 0:
            w = 1 / (1 / n1 + 1 / n0)
            total += w * ((here & a & b).sum() / n1 - (here & ~a & b).sum() / n0)
            weight += w
    return total / weight * buyers""",
        """def fair_extra_sales(a, b, season, buyers):
    table = pd.DataFrame({"a": a, "b": b, "season": season}).groupby(["season", "a"])["b"]
    table = table.agg(["mean", "size"]).unstack().dropna()
    w = table["size", True] * table["size", False] / (table["size", True] + table["size", False])
    return ((table["mean", True] - table["mean", False]) * w).sum() / w.sum() * buyers""",
    ],
    "09.1": ["[9 / 10, 3 / 4]", "np.array([0.9, 0.75])", "tuple(1 / (1 + np.exp(-np.log(9) / T)) for T in (1, 2))"],
    "09.2": ["0.1438, 0.1308", "[0.144, 0.131]", "np.array([0.14384, 0.13081])"],
    "09.3": [
        """def distillation(student, teacher, bought, alpha, heat):
    softmax = lambda scores: np.exp(scores) / np.exp(scores).sum()
    p, q = softmax(teacher / heat), softmax(student / heat)
    return (1 - alpha) * -np.log(softmax(student)[bought]) + alpha * heat**2 * np.sum(p * np.log(p / q))""",
        """def distillation(student, teacher, bought, alpha, heat):
    from scipy.special import log_softmax
    p, q = log_softmax(np.stack([teacher, student]) / heat, axis=1)
    return -(1 - alpha) * log_softmax(student)[bought] + alpha * heat * heat * np.exp(p) @ (p - q)""",
    ],
    "10.1": ["2, 1", "[2.0, 1.0]", "np.array([2, 1])"],
    "10.2": [
        """def two_steps(weights):
    n = len(weights)
    found = [[0.0] * n for _ in range(n)]
    for a in range(n):
        for c in range(n):
            if a != c and not weights[a][c]:
                found[a][c] = sum(weights[a][b] / sum(weights[a]) * weights[b][c] / sum(weights[b])
                                  for b in range(n) if weights[a][b])
    return found""",
        """def two_steps(weights):
    out = weights.sum(axis=0)
    step = np.divide(weights, out[:, None], out=np.zeros_like(weights), where=out[:, None] > 0)
    return np.where((weights > 0) | np.eye(len(weights), dtype=bool), 0, step.dot(step))""",
    ],
    "10.3": [
        """def recall_of_new_links(scores, past, later, k):
    pairs = [(scores[a, b], later[a, b]) for a in range(len(scores)) for b in range(a) if not past[a, b]]
    pairs.sort(key=lambda pair: pair[0], reverse=True)
    return sum(new for _, new in pairs[:k]) / sum(new for _, new in pairs)""",
        'np.argsort(-scores[i, j], kind="stable")[:k] -> np.argsort(scores[i, j])[::-1][:k]',
        "np.triu(~past, 1) -> np.tril(~past, -1)",
    ],
    "11.1": ["2.5, 1.5", "[2.5, 1.5]", "np.array([2.5, 1.5])"],
    "11.2": [
        """def one_layer(has, of_users, of_items):
    users, items = np.zeros(of_users.shape), np.zeros(of_items.shape)
    for u in range(len(has)):
        for i in range(has.shape[1]):
            if has[u, i]:
                root = (has[u].sum() * has[:, i].sum()) ** 0.5
                users[u] += of_items[i] / root
                items[i] += of_users[u] / root
    return users, items""",
        """def one_layer(has, of_users, of_items):
    left, right = (np.maximum(has.sum(axis=axis), 1) ** -0.5 for axis in (1, 0))
    scaled = left[:, None] * has * right
    return [scaled.dot(of_items), of_users.T.dot(scaled).T]""",
        "has / np.sqrt(np.maximum(links, 1)) -> np.where(links, has, 0) / np.sqrt(links + (links == 0))",
    ],
    "11.3": [
        """def mrr_by_weight(first, second, has, target, weights):
    out = []
    for w in weights:
        places = []
        for a, b, h, t in zip(first, second, has, target):
            score = w * (a - a.mean()) / a.std() + (1 - w) * (b - b.mean()) / b.std()
            order = [i for i in np.argsort(-score) if not h[i]]
            places.append(order.index(t) + 1)
        out.append(np.mean([1 / p for p in places]))
    return np.array(out)""",
        "scores.std(axis=1, keepdims=True) -> scores.std(axis=1, ddof=1, keepdims=True)",
        "np.where(has, -np.inf, joined) -> joined - 1e9 * has",
        "scores - scores.mean(axis=1, keepdims=True) -> scores",  # the order of a customer's products stays
    ],
}

WRONG = {
    "05.1": ["0.8", "8 / 9", "0.8 * 8 / 9", "0.5", "2 * 0.8 * 0.5 / 1.3", "0.44", "44.4", "'4/9'"],
    "05.2": ["16384", "512", "1024", "256", "4096", "2048.5", "'2048'"],
    "05.3": [
        "np.minimum((p * 10).astype(int), 9) -> (p * 10).astype(int)",
        "np.minimum((p * 10).astype(int), 9) -> np.minimum(np.round(p * 10), 9)",
        "np.minimum((p * 10).astype(int), 9) -> np.round(p * 10)",
        "np.minimum((p * 10).astype(int), 9) -> np.minimum((p * 5).astype(int), 4)",
        "np.minimum((p * 10).astype(int), 9) -> np.minimum((p * 20).astype(int), 19)",
        "np.minimum((p * 10).astype(int), 9) -> np.argsort(np.argsort(p)) * 10 // len(p)",
        "np.minimum((p * 10).astype(int), 9) -> np.zeros(len(p))",
        "np.minimum((p * 10).astype(int), 9) -> np.maximum(np.minimum((p * 10).astype(int), 9), 5)",
        "abs(p[b].mean() - right[b].mean()) -> (p[b].mean() - right[b].mean())",
        "abs(p[b].mean() - right[b].mean()) -> (p[b].mean() - right[b].mean()) ** 2",
        "abs(p[b].mean() - right[b].mean()) -> abs(p[b] - right[b]).mean()",
        "abs(p[b].mean() - right[b].mean()) -> abs(np.floor(p[b].min() * 10) / 10 + 0.05 - right[b].mean())",
        "* b.mean() for b in bins) -> for b in bins) / len(bins)",
        "* b.mean() for b in bins) -> for b in bins) / 10",
        "* b.mean() for b in bins) -> * b.sum() for b in bins)",
        "return sum( -> return max(",
        """def calibration_error(p, right):
    bins = pd.cut(pd.Series(p), np.linspace(0, 1, 11))
    table = pd.DataFrame({"p": p, "right": right}).groupby(bins, observed=True).agg(["mean", "size"])
    return ((table["p", "mean"] - table["right", "mean"]).abs() * table["p", "size"]).sum() / len(p)""",
    ],
    "06.1": ["1, 0.6", "50, 3", "0.12, 0.02", "50 / 15, 3 / 6", "1 / 10, 0.6", "0.02", "'0.02', '0.12'", "0.02, 0.6"],
    "06.2": ["'ABC'", "'BAC'", "'CBA'", "'ACB'", "'BC'", "['B', 'C']", "1", "{'B': 1 / 61 + 1 / 62}"],
    "06.3": [
        "trade * scores - (1 - trade) * similarity -> (1 - trade) * scores - trade * similarity",
        "trade * scores - (1 - trade) * similarity -> trade * scores + (1 - trade) * similarity",
        "trade * scores - (1 - trade) * similarity -> trade * scores - similarity",
        "trade * scores - (1 - trade) * similarity -> scores - (1 - trade) * similarity",
        "similarity[:, chosen].max(axis=1) -> similarity[:, chosen].mean(axis=1)",
        "similarity[:, chosen].max(axis=1) -> similarity[:, chosen].sum(axis=1)",
        "similarity[:, chosen].max(axis=1) -> similarity[:, chosen].min(axis=1)",
        "similarity[:, chosen].max(axis=1) -> similarity[:, chosen[-1]]",
        "similarity[:, chosen].max(axis=1) -> similarity[:, chosen[0]]",
        "similarity[:, chosen].max(axis=1) -> similarity[:, chosen].max(axis=0)",
        "similarity[:, chosen].max(axis=1) -> similarity.max(axis=1)",
        "[int(np.argmax(scores))] -> [0]",
        "[int(np.argmax(scores))] -> [int(np.argmin(scores))]",
        "[int(np.argmax(scores))] -> []",
        "len(chosen) < k -> len(chosen) <= k",
        "len(chosen) < k -> len(chosen) < k - 1",
        "value[chosen] = -np.inf -> pass",
        "value[chosen] = -np.inf -> value[chosen[-1]] = -np.inf",
        "value[chosen] = -np.inf -> value[chosen] = 0",
        "return chosen -> return sorted(chosen)",
        "return chosen -> return scores[chosen]",
        "return chosen -> pass",
    ],
    "07.1": [
        "1 / 3",
        "1 / 5",
        "0.2",
        "137 / 60",
        "2.283",
        "(1 + 1 / 2 + 1 / 3 + 1 / 4) / 4",
        "0.5",
        "45.67",
        "'0.4567'",
    ],
    "07.2": ["0.3, 0.2", "0.18, 0.2", "0.18, 0.25", "0.3, 0.1", "0.25, 0.3", "0.3", "0.3, 0.4", "30, 25", "0.1, 0.25"],
    "07.3": [
        "np.argsort(-similarity)[:k] -> np.argsort(similarity)[:k]",
        "np.argsort(-similarity)[:k] -> np.argsort(-similarity)",
        "np.argsort(-similarity)[:k] -> np.argsort(-similarity)[: k + 1]",
        "np.argsort(-similarity)[:k] -> np.arange(k)",
        "np.argsort(-similarity)[:k] -> np.argsort(-confidence.max(axis=0))[:k]",
        "confidence[:, nearest] @ s / s.sum() -> confidence[:, nearest] @ s",
        "confidence[:, nearest] @ s / s.sum() -> confidence[:, nearest] @ s / k",
        "confidence[:, nearest] @ s / s.sum() -> confidence[:, nearest].mean(axis=1)",
        "confidence[:, nearest] @ s / s.sum() -> confidence[:, nearest] @ s / similarity.sum()",
        "confidence[:, nearest] @ s / s.sum() -> confidence[:, nearest].max(axis=1)",
        "confidence[:, nearest] @ s / s.sum() -> confidence[:, nearest] * s / s.sum()",
        "confidence[:, nearest] @ s / s.sum() -> (confidence[:, nearest] @ s / s.sum()).sum()",
        "def lend(confidence, similarity, k): return confidence[:, np.argmax(similarity)]",
    ],
    "08.1": ["25", "0.15", "10", "12", "-15", "50 / 200 * 100", "1500", "'15'", "50 / 80 * 100"],
    "08.2": ["1.5, 1", "7, 4", "1, 1.75", "2, 1", "1.25, 1", "2.75, 2", "1.75", "1.75, 2", "2 / 3, 1", "'1.75', '1'"],
    "08.3": [
        "n1 * n0 / (n1 + n0) -> 1",
        "n1 * n0 / (n1 + n0) -> n1",
        "n1 * n0 / (n1 + n0) -> n0",
        "n1 * n0 / (n1 + n0) -> n1 + n0",
        "n1 * n0 / (n1 + n0) -> n1 * n0",
        "if n1 and n0: -> if True:",
        "return buyers * -> return",
        "return buyers * -> return -buyers *",
        "b[with_a].mean() - b[without].mean() -> b[with_a].mean() / b[without].mean()",
        "b[with_a].mean() - b[without].mean() -> b[with_a].mean() - b[season == s].mean()",
        "b[with_a].mean() - b[without].mean() -> b[with_a].mean()",
        "b[with_a].mean() - b[without].mean() -> b[with_a].mean() - b[~a].mean()",
        "np.unique(season) -> range(2)",
        "np.unique(season) -> np.unique(season)[:2]",
        "def fair_extra_sales(a, b, season, buyers): return buyers * (b[a].mean() - b[~a].mean())",
        "def fair_extra_sales(a, b, season, buyers): return 0",
    ],
    "09.1": [
        "0.9, 0.45",
        "0.9, 0.9",
        "0.75, 0.9",
        "0.9, np.log(3)",
        "np.log(9), np.log(3)",
        "0.9",
        "9, 3",
        "0.9, 0.25",
    ],
    "09.2": [
        "0.1308, 0.1438",
        "0.2075, 0.1887",
        "0.1438, 0.1438",
        "-0.1438, -0.1308",
        "(0.1438 + 0.1308) / 2, (0.1438 + 0.1308) / 2",
        "np.log(0.5 / 0.75) + np.log(0.5 / 0.25), np.log(0.75 / 0.5) + np.log(0.25 / 0.5)",
        "0.1438",
        "0.0625, 0.0568",
    ],
    "09.3": [
        "heat**2 * (np -> (np",
        "heat**2 * (np -> heat * (np",
        "heat**2 * (np -> 2 * heat * (np",
        "np.exp(log_p) * (log_p - log_q) -> np.exp(log_q) * (log_q - log_p)",
        "np.exp(log_p) * (log_p - log_q) -> -np.exp(log_p) * log_q",
        "np.exp(log_p) * (log_p - log_q) -> np.exp(log_p) * (log_q - log_p)",
        "np.exp(log_p) * (log_p - log_q) -> log_p - log_q",
        "(log_p - log_q)).sum() -> (log_p - log_q)).mean()",
        "log_chances(student)[bought] -> log_chances(student / heat)[bought]",
        "log_chances(student)[bought] -> log_chances(teacher)[bought]",
        "log_chances(student)[bought] -> log_chances(student)[bought - 1]",
        "log_chances(student)[bought] -> np.exp(log_chances(student)[bought])",
        "(1 - alpha) * - -> alpha * -",
        "(1 - alpha) * - -> (1 - alpha) * ",
        "(1 - alpha) * - -> -",
        "+ alpha * soft -> + (1 - alpha) * soft",
        "log_chances(teacher / heat), log_chances(student / heat) -> log_chances(teacher / heat), log_chances(student)",
        "log_chances(teacher / heat), log_chances(student / heat) -> log_chances(teacher), log_chances(student)",
        "log_chances(teacher / heat), log_chances(student / heat) -> "
        "log_chances(teacher * heat), log_chances(student * heat)",
        "- np.log(np.exp(scores - scores.max()).sum()) -> - np.log2(np.exp(scores - scores.max()).sum())",
    ],
    "10.1": ["0.8, np.log2(0.8)", "2, np.log(2)", "1, 2", "0.2, 1", "2, 2", "2", "2, np.log10(2)", "1.25, 1"],
    "10.2": [
        "axis=1, keepdims=True -> axis=0, keepdims=True",
        "np.maximum(weights.sum(axis=1, keepdims=True), 1e-12) -> weights.sum(axis=1, keepdims=True)",
        "np.maximum(weights.sum(axis=1, keepdims=True), 1e-12) -> 1",
        "np.maximum(weights.sum(axis=1, keepdims=True), 1e-12) -> weights.sum()",
        "np.maximum(weights.sum(axis=1, keepdims=True), 1e-12) -> "
        "np.maximum((weights > 0).sum(axis=1, keepdims=True), 1)",
        "step @ step -> step * step",
        "step @ step -> step @ step.T",
        "step @ step -> step",
        "step @ step -> step @ step @ step",
        "step @ step -> (step @ step + (step @ step).T) / 2",
        "step @ step -> ((weights > 0) * 1.0) @ (weights > 0)",
        "found[weights > 0] = 0 -> pass",
        "found[weights > 0] = 0 -> found[weights == 1] = 0",
        "np.fill_diagonal(found, 0) -> pass",
        "np.fill_diagonal(found, 0) -> found[0, 0] = 0",
        "return found -> return found > 0",
        "return found -> return found.sum(axis=1)",
        "return found -> return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)",
    ],
    "10.3": [
        "-scores[i, j] -> scores[i, j]",
        "np.triu(~past, 1) -> ~past",
        "np.triu(~past, 1) -> np.triu(~past)",
        "np.triu(~past, 1) -> np.triu(np.ones_like(past), 1)",
        "np.triu(~past, 1) -> np.triu(past, 1)",
        "[:k] -> [: k + 1]",
        "[:k] -> [: k - 1]",
        "[:k] -> [: 2 * k]",
        "/ later[i, j].sum() -> / k",
        "/ later[i, j].sum() -> / later.sum()",
        "/ later[i, j].sum() -> / np.triu(later, 1).sum()",
        "later[i, j][first].sum() / later[i, j].sum() -> later[i, j][first]",
        "return later -> later",
    ],
    "11.1": ["7, 3.75", "3.5, 2", "1.0, 0.75", "2.5, 3", "2.5, 2.5", "1.5, 2.5", "2.5", "2.5, 1.25", "3.5, 1.5"],
    "11.2": [
        "np.sqrt(np.maximum(links, 1)) -> np.maximum(links, 1)",
        "has / np.sqrt(np.maximum(links, 1)) -> has",
        "has / np.sqrt(np.maximum(links, 1)) -> has / np.sqrt(links)",
        "has / np.sqrt(np.maximum(links, 1)) -> has / np.maximum(has.sum(axis=1, keepdims=True), 1)",
        "has / np.sqrt(np.maximum(links, 1)) -> has / np.sqrt(np.maximum(has.sum(axis=1, keepdims=True), 1))",
        "has / np.sqrt(np.maximum(links, 1)) -> 1 / np.sqrt(np.maximum(links, 1))",
        "return scaled @ of_items, scaled.T @ of_users -> return scaled.T @ of_users, scaled @ of_items",
        "return scaled @ of_items, scaled.T @ of_users -> return scaled @ of_items, scaled.T @ (scaled @ of_items)",
        "return scaled @ of_items, scaled.T @ of_users -> "
        "return of_users + scaled @ of_items, of_items + scaled.T @ of_users",
        "return scaled @ of_items, scaled.T @ of_users -> "
        "return (of_users + scaled @ of_items) / 2, (of_items + scaled.T @ of_users) / 2",
        "return scaled @ of_items, scaled.T @ of_users -> return scaled @ of_items, of_items",
    ],
    "11.3": [
        "centred / scores.std(axis=1, keepdims=True) -> centred",
        "centred / scores.std(axis=1, keepdims=True) -> scores",
        "scores.mean(axis=1, keepdims=True) -> scores.mean(axis=0, keepdims=True)",
        "scores.std(axis=1, keepdims=True) -> scores.std()",
        "scores.std(axis=1, keepdims=True) -> scores.std(axis=0, keepdims=True)",
        "(1 - weight) * standard(second) -> standard(second)",
        "weight * standard(first) + (1 - weight) * standard(second) -> "
        "(1 - weight) * standard(first) + weight * standard(second)",
        "np.where(has, -np.inf, joined) -> joined",
        "np.where(has, -np.inf, joined) -> np.where(has, 0, joined)",
        "1 + (joined > bought[:, None]) -> (joined >= bought[:, None]) + 1 * (joined > bought[:, None])",
        "1 + (joined > bought[:, None]).sum(axis=1) -> 1 + (joined < bought[:, None]).sum(axis=1)",
        "1 + (joined > bought[:, None]).sum(axis=1) -> 2 + (joined > bought[:, None]).sum(axis=1)",
        "(1 / place).mean() -> place.mean()",
        "(1 / place).mean() -> 1 / place.mean()",
        "(1 / place).mean() -> (place == 1).mean()",
        "return found -> return max(found)",
        "return found -> return weights[int(np.argmax(found))]",
    ],
}
