"""The made-up sales file: the same every time, and like a shop's."""

from __future__ import annotations

import sys
from pathlib import Path

import big_sales
import pandas as pd
import pytest


def test_sales_are_those_of_a_shop():
    sales = big_sales.make_sales(4000, 1200)
    assert sales["basket"].nunique() == 4000
    assert not sales.duplicated(["basket", "product"]).any()
    assert 8 < len(sales) / 4000 < 12
    assert (sales.groupby("basket")[["customer", "time"]].nunique() == 1).all(axis=None)
    bought = sales["product"].value_counts()
    assert 0.6 * 1200 < len(bought) <= 1200
    assert bought.iloc[:120].sum() > 0.4 * len(sales)  # a tenth of the products makes nearly half of the sales
    visits = sales.drop_duplicates("basket")["customer"].value_counts()
    assert 5 < visits.mean() < 20
    assert visits.max() > 3 * visits.median()
    assert sales.duplicated(["customer", "product"]).mean() > 0.3  # customers have habits


def test_a_seed_gives_one_file():
    first, again, other = (big_sales.make_sales(300, 50, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("name", ["sales.csv", "sales.parquet"])
def test_the_command_writes_a_part(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["big_sales.py", str(tmp_path / name), "--part", "200"])
    big_sales.main()
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    assert read(tmp_path / name)["basket"].nunique() == big_sales.BASKETS // 200
    assert [path.name for path in tmp_path.iterdir()] == [name]
