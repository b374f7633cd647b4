"""Right and wrong answers to the exercises of lessons 01 to 04; `test_exercises.py` says how to read them."""

LOSS = "-(k_new * np.log(p) + (n_new - k_new) * np.log(1 - p)).sum()"  # in the solution of 04.4

RIGHT = {
    "01.1": ["0.5", "np.float64(0.5)", "np.array(0.5)", "__import__('fractions').Fraction(1, 2)"],
    "01.2": [
        """def lift(a, b, baskets):
    both = [basket for basket in baskets if a.issubset(basket) and b.issubset(basket)]
    share = lambda items: len([basket for basket in baskets if not items - basket]) / len(baskets)
    return len(both) / len(baskets) / share(a) / share(b)""",
        """def lift(a, b, baskets):
    with_a = np.array([a <= basket for basket in baskets])
    with_b = np.array([b <= basket for basket in baskets])
    return (with_a & with_b).mean() / (with_a.mean() * with_b.mean())""",
        "* n / -> * float(n) /",
    ],
    "01.3": [
        """def substitutes(pairs, expected=50):
    table = pairs.assign(chance=lambda t: t.antecedent_count / t.n_baskets * t.consequent_count)
    table = table.assign(share=table["count"] / table.chance)
    return table.query("chance >= @expected").sort_values("share").reset_index(drop=True)""",
        """def substitutes(pairs, expected=50):
    rows = []
    for _, row in pairs.iterrows():
        chance = row["antecedent_count"] / row["n_baskets"] * row["consequent_count"]
        if not chance < expected:
            rows.append((row["count"] / chance, row))
    return pd.DataFrame([row for _, row in sorted(rows, key=lambda pair: pair[0])], columns=pairs.columns)""",
        """def substitutes(pairs, expected=50):
    lift = pairs["count"] * pairs["n_baskets"] / (pairs["antecedent_count"] * pairs["consequent_count"])
    return pairs.iloc[[i for i in np.argsort(lift.to_numpy()) if pairs["count"].iloc[i] / lift.iloc[i] >= expected]]""",
    ],
    "02.1": ["0.6", "np.mean([True, True, False, False, True])"],
    "02.3": [
        """def holds(sequence, pattern, max_gap):
    def after(place, rest):
        if not rest:
            return True
        window = range(place + 1, min(place + max_gap, len(sequence) - 1) + 1)
        return any(rest[0] in sequence[j] and after(j, rest[1:]) for j in window)
    return any(pattern[0] in visit and after(i, pattern[1:]) for i, visit in enumerate(sequence))""",
        "return bool(ends) -> return np.bool_(len(ends) > 0)",
    ],
    "02.2": [
        """def confidence(sequences, a, b, within):
    hits = visits = 0
    for sequence in sequences:
        for i, item in enumerate(sequence[:-1]):
            if item == a:
                visits += 1
                hits += any(sequence[j] == b for j in range(i + 1, min(i + within, len(sequence) - 1) + 1))
    return hits / visits""",
        "return sum(followed) / len(followed) -> return np.mean(followed)",
    ],
    "03.1": ["1.5596", "1.56", "2.25 * np.log(2)", "np.log([2, 4, 8, 8]).mean()"],
    "03.2": [
        *("[(3, 'c'), (1, 'b'), (0, 'a')]", "{(0, 'a'), (1, 'b'), (3, 'c')}", "[[0, 'a'], [1, 'b'], [3, 'c']]"),
        *("zip([0, 1, 3], 'abc')", "{0: 'a', 1: 'b', 3: 'c'}.items()"),
    ],
    "03.3": [
        """def mask_row(row, share, random):
    row = np.array(row)
    while True:
        hide = (random.random(len(row)) < share) & (row >= FIRST_ITEM)
        if hide.any():
            break
    row[hide] = MASK
    return row, np.flatnonzero(hide)""",
        """def mask_row(row, share, random):
    products = [place for place, token in enumerate(row) if token >= FIRST_ITEM]
    hidden = [place for place in products if random.random() < share] or [int(random.choice(products))]
    return [MASK if place in hidden else token for place, token in enumerate(row)], hidden[::-1]""",
    ],
    "04.1": ["0.36", "np.float64(9 / 25)"],
    "04.2": [
        """def basket_chances(sizes, k):
    from scipy.special import comb
    parts = comb(sizes, k)
    return (parts / parts.sum()).tolist()""",
        """def basket_chances(sizes, k):
    parts = pd.Series(1.0, index=range(len(sizes)))
    for step in range(k):
        parts = parts * np.maximum(np.asarray(sizes) - step, 0)
    return parts / parts.sum()""",
        "comb(int(n), k) -> __import__('math').perm(int(n), k)",
    ],
    "04.3": [
        """def best_strength(k, n, q, k_new, n_new, strengths):
    losses = []
    for m in strengths:
        p = np.minimum(np.maximum((k + m * q) / (n + m), 0.00001), 0.99999)
        losses.append(-np.mean((k_new * np.log2(p) + (n_new - k_new) * np.log2(1 - p)) / n_new.sum()))
    return strengths[int(np.argmin(losses))]""",
        """def best_strength(k, n, q, k_new, n_new, strengths):
    best = None
    for m in strengths:
        loss = 0.0
        for a, b, c, d, e in zip(k, n, q, k_new, n_new):
            p = min(max((a + m * c) / (b + m), 1e-5), 1 - 1e-5)
            loss -= d * np.log(p) + (e - d) * np.log(1 - p)
        if best is None or loss < best[0]:
            best = loss, m
    return best[1]""",
    ],
}

WRONG = {
    "01.1": ["2 / 5", "2 / 3", "3 / 4", "50", "'0.5'", "[0.5]", "np.array([0.5])", "-0.5", "True"],
    "01.2": [
        "* n / -> /",
        "* n / (with_a * with_b) -> / with_a",
        "* n / (with_a * with_b) -> / n - with_a * with_b / n**2",
        "* n / -> * 5 /",
        "sum(a | b <= basket -> sum(a & b <= basket",
        "sum(a <= basket -> sum(a < basket",
        "sum(a <= basket -> sum(bool(a & basket)",
        "return sum(a | b <= basket -> return sum(bool((a | b) & basket)",
        "return sum(a | b <= basket for basket in baskets) * n / (with_a * with_b) -> "
        "return round(sum(a | b <= basket for basket in baskets) * n / (with_a * with_b), 1)",
    ],
    "01.3": [
        'share.sort_values(kind="stable") -> pairs.loc[share.index, "count"].sort_values()',
        '(pairs["count"] / chance) -> (pairs["count"] / pairs["consequent_count"])',
        '(pairs["count"] / chance) -> (pairs["count"] / pairs["antecedent_count"])',
        '(pairs["count"] / chance) -> (pairs["count"] - chance)',
        "chance >= expected -> chance > expected",
        "chance >= expected -> chance >= 50",
        "chance >= expected -> chance.round() >= expected",
        'chance >= expected -> pairs["count"] >= expected',
        'chance >= expected -> pairs["antecedent_count"] >= expected',
        ' / pairs["n_baskets"] ->  / pairs["n_baskets"]**2',
        ' / pairs["n_baskets"] -> ',
        'sort_values(kind="stable") -> sort_values(ascending=False)',
        'return pairs.loc[share.sort_values(kind="stable").index] -> return pairs.loc[share.index]',
        'return pairs.loc[share.sort_values(kind="stable").index] -> return share.sort_values()',
        'return pairs.loc[share.sort_values(kind="stable").index] -> '
        'return pairs.loc[share.sort_values().index, ["antecedent", "consequent"]]',
    ],
    "02.1": ["4 / 5", "2 / 5", "3", "3 / 4", "1 / 2", "'3/5'"],
    "02.3": [
        "1 <= j - i <= max_gap -> 1 <= j - i < max_gap",
        "1 <= j - i <= max_gap -> 0 <= j - i <= max_gap",
        "1 <= j - i <= max_gap -> 1 <= j - i <= max_gap + 1",
        "1 <= j - i <= max_gap -> 1 <= j - i",
        "1 <= j - i <= max_gap -> abs(j - i) <= max_gap and i != j",
        "any(1 <= j - i <= max_gap for i in ends) -> ends and 1 <= j - min(ends) <= max_gap",
        "any(1 <= j - i <= max_gap for i in ends) -> ends and 1 <= j - max(ends) <= max_gap",
        "for item in pattern[1:] -> for item in pattern[1:2]",
        "for item in pattern[1:] -> for item in pattern[2:]",
        "return bool(ends) -> return ends",
        "return bool(ends) -> return len(ends)",
        "return bool(ends) -> return not ends",
        """def holds(sequence, pattern, max_gap):
    last, start = None, 0
    for item in pattern:
        places = [i for i in range(start, len(sequence)) if item in sequence[i]]
        if not places or last is not None and places[0] - last > max_gap:
            return False
        last, start = places[0], places[0] + 1
    return True""",
        """def holds(sequence, pattern, max_gap):
    return any(set(pattern) <= {item for visit in sequence[i : i + max_gap + 1] for item in visit}
               for i in range(len(sequence)))""",
    ],
    "02.2": [
        "sequence[place + 1 : place + 1 + within] -> sequence[place : place + 1 + within]",
        "sequence[place + 1 : place + 1 + within] -> sequence[place + 1 : place + within]",
        "sequence[place + 1 : place + 1 + within] -> sequence[place + 1 : place + 2 + within]",
        "sequence[place + 1 : place + 1 + within] -> sequence[place + 1 :]",
        "sequence[place + 1 : place + 1 + within] -> sequence[place + within : place + within + 1]",
        "range(len(sequence) - 1) -> range(len(sequence))",
        "range(len(sequence) - 1) -> range(len(sequence) - within)",
        "for sequence in sequences -> for sequence in [''.join(sequences)]",
        "/ len(followed) -> / len(sequences)",
        "== a -> == b",
        """def confidence(sequences, a, b, within):
    with_a = [s for s in sequences if a in s[:-1]]
    return sum(b in s[s.index(a) + 1 : s.index(a) + 1 + within] for s in with_a) / len(with_a)""",
        """def confidence(sequences, a, b, within):
    visits = [(s, i) for s in sequences for i in range(len(s) - 1) if s[i] == a]
    return sum(s[i + 1 : i + 1 + within].count(b) for s, i in visits) / len(visits)""",
    ],
    "03.1": ["2.25", "np.log(4)", "-1.5596", "9 * np.log(2)", "2.25 * np.log10(2)", "1.386", "1.6"],
    "03.2": [
        "[(0, 'a'), (1, 'b'), (2, '[VISIT]'), (3, 'c')]",
        "[(1, 'a'), (2, 'b'), (4, 'c')]",
        "[(1, 'b'), (3, 'c')]",
        "[(0, 'a'), (1, 'b'), (2, 'c')]",
        "[(0, 'a'), (1, 'b'), (3, 'c'), (4, 'c')]",
        "[0, 1, 3]",
        "[]",
    ],
    "03.3": [
        "row >= FIRST_ITEM -> row > FIRST_ITEM",
        "row >= FIRST_ITEM -> row > 0",
        "row >= FIRST_ITEM -> row > MASK",
        "if not len(_hidden) -> if False",
        "random.choice(products, 1) -> products[:1]",
        "random.choice(products, 1) -> products",
        "< share -> > share",
        "< share -> < share / 2",
        "random.random(len(products)) < share -> np.random.random(len(products)) < share",
        "random.random(len(products)) < share -> np.random.default_rng(0).random(len(products)) < share",
        "products[random.random(len(products)) < share] -> "
        "random.choice(products, max(1, round(share * len(products))), replace=False)",
        "products[random.random(len(products)) < share] -> random.choice(products, random.binomial(5, share))",
        "products[random.random(len(products)) < share] -> products[: random.binomial(5, share)]",
        "_row[_hidden] = MASK -> _row[_hidden] = 0",
        "row.copy() -> row",
        "return _row, sorted(_hidden.tolist()) -> return _row",
        "return _row, sorted(_hidden.tolist()) -> return _row, _row == MASK",
        "return _row, sorted(_hidden.tolist()) -> return _row, row[_hidden]",
        "return _row, sorted(_hidden.tolist()) -> return _row, [p + 1 for p in _hidden]",
    ],
    "04.1": [
        "3 / 4",
        "3.6 / 4",
        "(3 + 0.1) / (4 + 6)",
        "(3 + 0.1) / (4 + 1)",
        "(3 / 4 + 0.1) / 2",
        "0.1",
        "3 / 10",
        "36",
    ],
    "04.2": [
        "comb(int(n), k) -> int(n)",
        "comb(int(n), k) -> int(n) ** k",
        "comb(int(n), k) -> comb(int(n) + 1, k)",
        "comb(int(n), k) -> comb(int(n), 2)",
        "comb(int(n), k) -> comb(int(n) - 1, k - 1)",
        "comb(int(n), k) -> int(n) >= k",
        "comb(int(n), k) -> int(n) * (int(n) - 1) / 2 if k > 1 else int(n)",
        "return weight / weight.sum() -> return weight",
        "return weight / weight.sum() -> return weight / len(weight)",
        "return weight / weight.sum() -> return weight / weight.max()",
        "return weight / weight.sum() -> return sorted(weight / weight.sum())",
    ],
    "04.3": [
        f"{LOSS} -> ((p - k_new / n_new) ** 2).sum()",
        f"{LOSS} -> np.abs(p - k_new / n_new).sum()",
        f"{LOSS} -> (k_new * (1 - p) ** 2 + (n_new - k_new) * p**2).sum()",
        f"{LOSS} -> abs(p.mean() - (k_new / n_new).mean())",
        f"{LOSS} -> -(k_new * np.log(p)).sum()",
        f"{LOSS} -> -((n_new - k_new) * np.log(1 - p)).sum()",
        f"{LOSS} -> -(k * np.log(p) + (n - k) * np.log(1 - p)).sum()",
        "return -(k_new -> return (k_new",
        "np.clip((k + m * q) / (n + m), 1e-5, 1 - 1e-5) -> (k + m * q) / (n + m)",
        "(k + m * q) / (n + m) -> (k + q) / (n + m)",
        "(k + m * q) / (n + m) -> (k + m * q) / n",
        "(k + m * q) / (n + m) -> (k + m) / (n + m)",
        "(k + m * q) / (n + m) -> (k * m + q) / (n * m + 1)",
        "return min(strengths, key=loss) -> return max(strengths, key=loss)",
        "return min(strengths, key=loss) -> return min(map(loss, strengths))",
        "return min(strengths, key=loss) -> return strengths.index(min(strengths, key=loss))",
        "return min(strengths, key=loss) -> return min(strengths)",
    ],
}
