"""What the corner shop is made of: its products, its customers, its seasons, and the truth planted in it.

Only tables live here. `draw` draws baskets from them, `truth_table` counts what came out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from llmarm_tutorial.data.shop import structure_plan

START = "2024-01-01"  # a Monday, so that week numbers and calendar weeks agree
DRIFT_WEEKS = 13  # the last months, in which habits change

# --- products ----------------------------------------------------------------------------------------------------

# item_id, name, name_zh, category, price in euros, popularity (baskets in a thousand that hold it in an ordinary week),
# season (a key of SEASONS), description
ORDINARY = pd.read_csv(Path(__file__).with_name("products.csv"), keep_default_na=False)
PRODUCTS = pd.concat([ORDINARY, structure_plan.PRODUCTS], ignore_index=True)[list(ORDINARY)]
CATEGORIES = tuple(PRODUCTS["category"].unique())
_ROWS = {name: row for row, name in enumerate(PRODUCTS["name"])}


def row(name: str) -> int:
    """Row of the product in `PRODUCTS`; a misspelt name is a defect of the plan and raises KeyError."""
    return _ROWS[name]


# Factor on demand in each month, January to December. The two box-shaped ones are flat inside their season, so that
# products of one season are independent of each other given the week.
SEASONS = {
    "": (1.0,) * 12,
    "summer": (0.5, 0.5, 0.7, 0.9, 1.3, 1.8, 2.1, 2.1, 1.2, 0.8, 0.5, 0.5),
    "winter": (1.8, 1.7, 1.4, 0.9, 0.7, 0.5, 0.5, 0.5, 0.8, 1.2, 1.6, 1.8),
    "autumn": (0.8, 0.7, 0.6, 0.6, 0.6, 0.6, 0.7, 1.2, 2.0, 2.2, 1.6, 1.0),
    "early summer": (0.1, 0.1, 0.3, 0.9, 2.2, 2.6, 1.6, 0.8, 0.4, 0.2, 0.1, 0.1),
    "barbecue": (0.2, 0.2, 0.5, 1.1, 1.8, 2.1, 2.1, 2.0, 1.2, 0.4, 0.2, 0.2),
    "december plus": (0.7, 0.7, 0.8, 1.0, 0.9, 0.8, 0.7, 0.7, 0.8, 0.9, 1.2, 3.0),
    "high summer": (0.02,) * 5 + (1.0,) * 3 + (0.02,) * 4,
    "december": (0.02,) * 11 + (1.0,),
}
# Visits: the shop is quieter when people travel in August and busy before Christmas; Saturday is the day, on Sunday
# it opens for a few hours. Monday first.
VISITS_BY_MONTH = (0.95, 0.97, 1.0, 1.0, 1.02, 1.0, 0.95, 0.86, 1.0, 1.02, 1.04, 1.18)
VISITS_BY_WEEKDAY = (0.92, 0.88, 0.92, 1.0, 1.25, 1.65, 0.38)
BIG_SHOP_BY_WEEKDAY = (0.22, 0.2, 0.2, 0.24, 0.36, 0.5, 0.1)  # share of visits for the week's shopping
CLOSED = ("01-01", "12-25", "12-26")
SIZE_FACTOR = {"top-up": 0.95, "big": 1.35, "errand": 0.35}
OPENING_HOUR = 7  # the tables of hours below begin here and end with 21
PROMOTION_SHARE, PROMOTION_DEMAND = 0.06, 1.5  # share of products on promotion in a week; what it does to their demand
PROMOTION_CUTS = (0.8, 0.75, 0.7)  # price factors
SEVERAL = (0.86, 0.95, 0.985)  # chances of at most one, two, three of a product of these departments, fewer of others:
OFTEN_SEVERAL = ("Drinks", "Dairy & eggs")

# --- customers ---------------------------------------------------------------------------------------------------

AGE_GROUPS = ("18-24", "25-34", "35-49", "50-64", "65+")
FAVOURITES, FAVOURITE_SHARE = 8, 0.4  # personal favourites, and the share of a basket that comes from them


@dataclass(frozen=True)
class Segment:
    """A kind of customer.

    Attributes:
        share: Share of all customers.
        visits: Mean visits per week.
        size: Factor on basket size.
        ages: Weights over `AGE_GROUPS`.
        hours: Weights over the opening hours 7 to 21.
        fond: Factors on the popularity of categories and of single products.
    """

    share: float
    visits: float
    size: float
    ages: tuple[float, ...]
    hours: tuple[float, ...]
    fond: dict[str, float]


SEGMENTS = {
    "family": Segment(
        0.29, 0.31, 1.22, (1, 20, 66, 13, 0), (2, 7, 8, 6, 5, 5, 4, 4, 6, 9, 12, 10, 6, 3, 1),
        {
            "Dairy & eggs": 1.3, "Frozen": 1.3, "Breakfast & hot drinks": 1.2, "Nappies": 3, "Baby wipes": 3,
            "Fish fingers": 1.6,
        },
    ),
    "office worker": Segment(
        0.25, 0.25, 0.90, (6, 44, 36, 14, 0), (7, 8, 3, 2, 2, 6, 5, 2, 2, 3, 8, 14, 14, 9, 4),
        {
            "Drinks": 1.2, "Pantry": 1.2, "Household & pets": 0.8, "Nappies": 0.3, "Baby wipes": 0.3, "Croissant": 1.5,
        },
    ),
    "retired": Segment(
        0.20, 0.34, 0.98, (0, 0, 0, 12, 88), (5, 12, 16, 15, 11, 6, 3, 6, 8, 7, 4, 2, 1, 0.5, 0.2),
        {
            "Bakery": 1.3, "Fruit & vegetables": 1.3, "Frozen": 0.6, "Energy drink": 0.1, "Nappies": 0.1,
            "Baby wipes": 0.1,
        },
    ),
    "student": Segment(
        0.13, 0.21, 0.78, (68, 30, 2, 0, 0), (1, 2, 3, 4, 5, 7, 6, 5, 5, 6, 8, 9, 11, 12, 10),
        {
            "Snacks & sweets": 1.5, "Pantry": 1.4, "Frozen": 1.5, "Meat & fish": 0.6, "Baking": 0.7, "Nappies": 0.1,
            "Baby wipes": 0.1,
        },
    ),
    "home worker": Segment(
        0.09, 0.27, 0.95, (5, 33, 41, 19, 2), (2, 5, 7, 9, 12, 14, 10, 7, 8, 8, 7, 5, 3, 2, 1),
        {"Fruit & vegetables": 1.3, "Breakfast & hot drinks": 1.4, "Baking": 1.3, "Snacks & sweets": 0.8},
    ),
    "night-shift worker": Segment(
        0.04, 0.13, 0.72, (9, 36, 38, 17, 0), (16, 14, 4, 1, 0.5, 0.5, 0.5, 1, 2, 3, 4, 6, 9, 14, 18),
        {
            "Fruit & vegetables": 0.3, "Bakery": 0.35, "Dairy & eggs": 0.45, "Baking": 0.3, "Household & pets": 0.7,
            "Instant noodles": 8, "Tortilla wraps": 5, "Frozen pizza": 5, "Penne": 3, "Energy drink": 4,
            "Tinned ravioli": 7, "Earplugs": 8, "Frozen dumplings": 6, "Cereal bar": 3,
        },
    ),
}  # fmt: skip
BADLY_SERVED = "night-shift worker"


class Mission(NamedTuple):
    """What a visit may be for: its share of visits in an ordinary week, its season, what it wants."""

    share: float
    season: str
    products: tuple[str, ...]


# In the basket of a mission its products are 1 + MISSION_BOOST times as likely as usual. This makes mild associations
# among them that no rule planted.
MISSION_BOOST = 5.0
MISSIONS = {
    "breakfast": Mission(0.06, "", (
        "Bread rolls", "Croissant", "Butter", "Strawberry jam", "Honey", "Orange juice", "Natural yoghurt",
        "Gouda slices", "Sliced ham",
    )),
    "barbecue": Mission(0.03, "barbecue", (
        "Bratwurst", "Burger buns", "Charcoal", "Baguette", "Sparkling water", "Pork chops", "Cucumber", "Mustard",
        "Bell peppers",
    )),
    "baking": Mission(0.04, "winter", (
        "Plain flour", "Caster sugar", "Baking powder", "Vanilla sugar", "Butter", "Cocoa powder",
        "Dark chocolate chips", "Whipping cream", "Brown sugar", "Dried yeast",
    )),
    "salad": Mission(0.04, "summer", (
        "Bell peppers", "Baby spinach", "Avocado", "Olive oil", "Kalamata olives", "Feta", "Sweetcorn", "Vine tomatoes",
    )),
    "soup": Mission(0.04, "winter", (
        "Carrots", "Leeks", "Onions", "Vegetable stock cubes", "Pumpkin", "Sour cream", "Sourdough bread",
        "Red lentils",
    )),
    "curry": Mission(0.03, "", (
        "Ginger", "Coconut milk", "Red curry paste", "Broccoli", "Mushrooms", "Marinated tofu", "Prawns", "Soy sauce",
    )),
    "film night": Mission(0.05, "", (
        "Potato crisps", "Gummy bears", "Popcorn kernels", "Cola", "Milk chocolate", "Chocolate ice cream",
        "Frozen pizza",
    )),
    "cleaning day": Mission(0.04, "", (
        "Toilet paper", "Kitchen roll", "Washing-up liquid", "Laundry detergent", "Bin bags", "Multi-surface cleaner",
        "Hand soap", "Facial tissues",
    )),
}  # fmt: skip

# --- planted truth -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """One thing planted.

    Attributes:
        id: Its name in the truth file.
        kind: A key of `KINDS`.
        antecedent: Product names; for a substitute or confounded pair the first of the two.
        consequent: A product name.
        difficulty: How hard it is to find in the shipped shop, see `DIFFICULTIES`; empty where that makes no sense.
        strength: Chance that the antecedent puts the consequent into the basket (or into one of the next), or, for
            substitutes, that one of two is put back.
        suppress: For two antecedents: chances that the first alone and the second alone keep the consequent out. They
            cancel what the pair adds, so that neither antecedent alone tells anything.
        delay: Chances that the consequent comes 1, 2, … visits later, or so many visits after `after`.
        after: Visits that pass before a delay begins.
        since, until: Weeks before the end when it begins and stops to hold; None: from the beginning, to the end.
        segment: The only segment for which it holds; None: every segment but the badly served one.
    """

    id: str
    kind: str
    antecedent: tuple[str, ...]
    consequent: str
    difficulty: str = ""
    strength: float = 0.0
    suppress: tuple[float, ...] = ()
    delay: tuple[float, ...] = ()
    after: int = 0
    since: int | None = None
    until: int | None = None
    segment: str | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """After how many visits the consequent may come."""
        return tuple(range(self.after + 1, self.after + 1 + len(self.delay)))


KINDS = {
    "same_basket": "the antecedents put the consequent into the same basket; two antecedents only together",
    "sequential": "the antecedent puts the consequent into one of the next three visits, never the other way round",
    "long_memory": "the antecedent puts the consequent into a basket nine to eleven visits later",
    "substitute": "who has one rarely takes the other; each is popular",
    "confounded": "no link at all: a shared season, or sheer popularity, makes the pair look linked",
    "cold_start": "a product of the last weeks, bought by those who buy the one it resembles",
    "drift": "a same-basket rule that begins or stops in the last three months",
    "segment": "a same-basket rule of one small segment only",
}


class Limits(NamedTuple):
    """What a planted rule needs at least in its main view: support (a share of baskets), count of baskets, lift."""

    support: float
    count: int
    lift: float


LIMITS = {"easy": Limits(0.004, 0, 3.0), "medium": Limits(0.001, 0, 2.0), "hard": Limits(0.0, 20, 1.5)}
DIFFICULTIES = {
    **{
        name: f"support of at least {100 * LIMITS[name].support:g} % and lift of at least {LIMITS[name].lift:g}"
        for name in ("easy", "medium")
    },
    "hard": f"at least {LIMITS['hard'].count} baskets and lift of at least {LIMITS['hard'].lift:g}",
    "nearly_invisible": "less than that",
}
_SOON, _LATE = (0.6, 0.3, 0.1), (0.25, 0.5, 0.25)

PLANTED = (
    Planted("S01", "same_basket", ("Tortilla wraps",), "Guacamole", "easy", 0.5),
    Planted("S02", "same_basket", ("Penne",), "Basil pesto", "easy", 0.45),
    Planted("S03", "same_basket", ("Smoked salmon",), "Cream cheese", "easy", 0.65),
    Planted("S04", "same_basket", ("Lager",), "Salted peanuts", "easy", 0.22),
    Planted("S05", "same_basket", ("Gin",), "Tonic water", "medium", 0.6),
    Planted("S06", "same_basket", ("Tortilla chips",), "Salsa dip", "medium", 0.25),
    Planted("S07", "same_basket", ("Hot dog buns",), "Frankfurters", "medium", 0.4),
    Planted("S08", "same_basket", ("Avocado",), "Lemons", "medium", 0.08),
    Planted("S09", "same_basket", ("Dark chocolate",), "Red wine", "hard", 0.025),
    Planted("S10", "same_basket", ("Pancake mix",), "Maple syrup", "hard", 0.35),
    Planted("S11", "same_basket", ("Camomile tea",), "Almond biscuits", "hard", 0.14),
    Planted("S12", "same_basket", ("Sushi rice",), "Nori sheets", "nearly_invisible", 0.35),
    Planted("S13", "same_basket", ("Shoe polish",), "Sewing kit", "nearly_invisible", 0.25),
    Planted("S14", "same_basket", ("Bananas",), "Peanut butter", "nearly_invisible", 0.001),
    Planted("T01", "same_basket", ("Free-range eggs", "Onions"), "Potatoes", "medium", 0.5, (0.85, 0.95)),
    Planted("T02", "same_basket", ("Bananas", "Strawberries"), "Natural yoghurt", "hard", 0.26, (0.4, 1.0)),
    Planted("T03", "same_basket", ("Baguette", "Vine tomatoes"), "Garlic", "medium", 0.42, (0.95, 1.0)),
    Planted("T04", "same_basket", ("Chopped tomatoes", "Minced beef"), "Spaghetti", "hard", 0.7, (0.65, 0.8)),
    Planted("T05", "same_basket", ("Cucumber", "Feta"), "Lettuce", "hard", 0.42, (0.8, 1.0)),
    Planted("T06", "same_basket", ("Chicken breast", "Coconut milk"), "Basmati rice", "nearly_invisible", 0.45,
            (0.55, 0.85)),
    Planted("Q01", "sequential", ("Ground coffee",), "Coffee filters", "easy", 0.5, delay=_SOON),
    Planted("Q02", "sequential", ("Dishwasher tablets",), "Rinse aid", "easy", 0.5, delay=_SOON),
    Planted("Q03", "sequential", ("Potted basil",), "Plant food", "easy", 0.4, delay=_SOON),
    Planted("Q04", "sequential", ("Throat lozenges",), "Chicken noodle soup", "medium", 0.35, delay=_SOON),
    Planted("Q05", "sequential", ("Disposable razors",), "Aftershave balm", "medium", 0.35, delay=_SOON),
    Planted("Q06", "sequential", ("Light bulb",), "AA batteries", "hard", 0.2, delay=_SOON),
    Planted("Q07", "sequential", ("Birthday candles",), "Thank-you cards", "hard", 0.38, delay=_SOON),
    Planted("Q08", "sequential", ("Whisky",), "Effervescent painkiller", "nearly_invisible", 0.12, delay=_SOON),
    Planted("L01", "long_memory", ("Water filter jug",), "Filter cartridges", "easy", 0.7, delay=_LATE, after=8),
    Planted("L02", "long_memory", ("Electric toothbrush",), "Brush heads", "medium", 0.5, delay=_LATE, after=8),
    Planted("L03", "long_memory", ("Electric kettle",), "Descaler", "medium", 0.3, delay=_LATE, after=8),
    Planted("U01", "substitute", ("Semi-skimmed milk",), "Whole milk", strength=0.85),
    Planted("U02", "substitute", ("Butter",), "Margarine", strength=0.85),
    Planted("U03", "substitute", ("Cola",), "Cola zero", strength=0.9),
    Planted("U04", "substitute", ("Red apples",), "Green apples", strength=0.7),
    Planted("U05", "substitute", ("White sliced bread",), "Wholemeal bread", strength=0.8),
    Planted("C01", "confounded", ("Watermelon",), "Ice lollies"),
    Planted("C02", "confounded", ("Clementines",), "Gingerbread"),
    Planted("C03", "confounded", ("Frozen pizza",), "Carrier bag"),
    Planted("K01", "cold_start", ("Iced coffee",), "Cold brew coffee", strength=0.4, since=6),
    Planted("K02", "cold_start", ("Lemonade",), "Elderflower lemonade", strength=0.35, since=6),
    Planted("K03", "cold_start", ("Oat drink",), "Oat milk chocolate", strength=0.35, since=5),
    Planted("K04", "cold_start", ("Strawberry yoghurt",), "Protein pudding", strength=0.35, since=5),
    Planted("K05", "cold_start", ("Green tea",), "Ginger kombucha", strength=0.55, since=4),
    Planted("K06", "cold_start", ("Soy sauce",), "Kimchi", strength=0.6, since=4),
    Planted("D01", "drift", ("Greek yoghurt",), "Blueberries", strength=0.4, since=DRIFT_WEEKS),
    Planted("D02", "drift", ("Oat drink",), "Crunchy muesli", strength=0.4, since=DRIFT_WEEKS),
    Planted("D03", "drift", ("Instant coffee",), "Digestive biscuits", strength=0.5, until=DRIFT_WEEKS),
    Planted("D04", "drift", ("Oven chips",), "Ketchup", strength=0.4, until=DRIFT_WEEKS),
    Planted("N01", "segment", ("Tortilla wraps",), "Energy drink", strength=0.6, segment=BADLY_SERVED),
    Planted("N02", "segment", ("Penne",), "Tinned tuna", strength=0.6, segment=BADLY_SERVED),
    Planted("N03", "segment", ("Instant noodles",), "Free-range eggs", strength=0.6, segment=BADLY_SERVED),
    Planted("N04", "segment", ("Frozen pizza",), "Iced coffee", strength=0.5, segment=BADLY_SERVED),
)  # fmt: skip
# Demand of these changes by the factor in the last DRIFT_WEEKS.
POPULARITY_DRIFT = {"Oat drink": 2.5, "Sliced ham": 0.5}


def planted(*kinds: str) -> tuple[Planted, ...]:
    """What is planted, of the given kinds, in the order of the kinds given."""
    return tuple(p for kind in kinds for p in PLANTED if p.kind == kind)


# Bought on a whim: in the basket or not by the toss of a coin that knows the week only, neither customer, nor size, nor
# the rest of the basket. Whatever links these products is planted.
ON_A_WHIM = ("Carrier bag", *dict.fromkeys(
    name for p in planted("sequential", "long_memory", "confounded") for name in (*p.antecedent, p.consequent)
    if name not in ("Carrier bag", "Frozen pizza")
))  # fmt: skip
