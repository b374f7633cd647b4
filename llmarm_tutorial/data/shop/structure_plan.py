"""The structure of the corner shop that generalises: a range of products made of roles, styles and makers.

What is planted here holds between *roles* (tea, biscuits, …) within a *style* (organic, budget, …), not between two
products. Each single pair of products is rare, many never met; who sees the roles and the styles knows what comes next
all the same. Only tables live here: `structure_draw` puts the products into baskets, `structure_truth` counts.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

STRUCTURE = 1.0  # of the shipped shop: the share of a strength that is at work, see `structure_draw`

# --- who ------------------------------------------------------------------------------------------------------------

CLUB_SHARE, CLUB_VISITS = 0.4, 1.3  # share of customers in the club; factor on how often they come
ERRANDS = 0.95  # share of a member's visits that are errands for the club's projects: small, of the range above all
FIRST_ID = 1001  # item_id of the first product of the range

# --- what: roles, styles, makers ------------------------------------------------------------------------------------


class Role(NamedTuple):
    """What a product is for; all its makers' products do equally well.

    Attributes:
        name_zh: Chinese name.
        category: Category in the item table.
        price: Price in euros of a middling product.
        makers: Number of exchangeable products in each style.
        text: Half a sentence for the description.
    """

    name_zh: str
    category: str
    price: float
    makers: int
    text: str


ROLES = {
    "tea": Role("茶", "Breakfast & hot drinks", 2.9, 4, "twenty bags to brew for four minutes"),
    "biscuits": Role("饼干", "Snacks & sweets", 2.2, 7, "baked crisp and packed in two rows"),
    "jam": Role("果酱", "Breakfast & hot drinks", 2.6, 10, "boiled briefly, so that the fruit keeps its colour"),
    "cheese": Role("干酪", "Dairy & eggs", 3.8, 4, "a mild wedge that slices without crumbling"),
    "juice": Role("果汁", "Drinks", 2.4, 7, "pressed on the day of picking, one litre"),
    "pasta": Role("面条", "Pantry", 1.8, 10, "ribbons that are done in nine minutes"),
    "soup": Role("浓汤", "Pantry", 2.7, 4, "ready to warm, for two bowls"),
    "yoghurt": Role("酸奶", "Dairy & eggs", 1.4, 7, "set in its pot, to be eaten with a spoon"),
}
STYLES = {  # Chinese name, factor on the price, words for the description
    "organic": ("有机", 1.35, "From certified organic farms:"),
    "budget": ("实惠", 0.65, "The plain pack with the small price:"),
    "premium": ("臻选", 1.9, "For guests and other good days:"),
    "kids": ("儿童", 1.1, "With a cartoon fox on the label, and little sugar:"),
    "spicy": ("香辣", 1.0, "Hot enough to be remembered:"),
}
MAKERS = {
    "Ashgrove": "白蜡园", "Bellmont": "贝尔蒙", "Corvel": "科韦尔", "Dunmore": "邓莫尔", "Elvedon": "埃尔夫登",
    "Farrow": "法罗", "Greyfield": "灰田", "Hallam": "哈勒姆", "Inverlea": "因弗利", "Jessop": "杰索普",
}  # fmt: skip
MAKER_POWER = 0.8  # the maker at place r of a role and style is chosen with weight 1 / r to this power

# --- projects and styles ----------------------------------------------------------------------------------------------


class Project(NamedTuple):
    """A member's purchases continue a project, one step an errand, all its steps in one style.

    Attributes:
        strength: Chance that an errand takes the next step, at a dial of 1.
        steps: Roles, one after the other.
    """

    strength: float
    steps: tuple[str, ...]


# Every step leads on to many others over all projects, so the last step says little; the last two say nearly all.
PROJECTS = {
    "picnic": Project(0.95, ("cheese", "tea", "pasta", "yoghurt", "soup")),
    "brunch club": Project(0.9, ("jam", "biscuits", "yoghurt", "cheese", "juice")),
    "camping trip": Project(0.8, ("soup", "yoghurt", "pasta", "tea", "jam")),
    "film evenings": Project(0.95, ("cheese", "pasta", "biscuits", "jam", "soup")),
    "garden party": Project(0.9, ("tea", "juice", "soup", "jam", "pasta")),
    "exam weeks": Project(0.8, ("juice", "jam", "tea", "soup", "cheese")),
    "moving house": Project(0.95, ("tea", "biscuits", "juice", "cheese", "jam")),
    "harvest supper": Project(0.9, ("biscuits", "soup", "pasta", "juice", "yoghurt")),
    "reading circle": Project(0.8, ("yoghurt", "biscuits", "cheese", "soup", "tea")),
    "street fair": Project(0.95, ("pasta", "jam", "yoghurt", "juice", "biscuits")),
}

# Who takes a step of a project takes the role's partner in the same style along: (role, chance at a dial of 1).
PARTNERS = {
    "tea": ("cheese", 0.95),
    "biscuits": ("juice", 0.8),
    "jam": ("pasta", 0.6),
    "cheese": ("soup", 0.95),
    "juice": ("yoghurt", 0.8),
    "pasta": ("tea", 0.6),
    "soup": ("biscuits", 0.95),
    "yoghurt": ("jam", 0.8),
}
TWO_OF_A_ROLE = 0.9  # chance that a step takes a second product of its role and style, of whichever maker


class Conjunction(NamedTuple):
    """Two roles together bring a third into the basket; either alone says nothing about it.

    Attributes:
        strength: Chance of the consequent given both, at a dial of 1.
        antecedent, consequent: Roles of `KITS`.
    """

    strength: float
    antecedent: tuple[str, str]
    consequent: str


# Roles outside styles: anybody takes one of each with chance KIT_RATE on any visit.
KIT_RATE = 0.04
KITS = {
    "candles": Role("蜡烛", "Household & pets", 3.2, 4, "burning for six hours without a drip"),
    "napkins": Role("餐巾", "Household & pets", 1.9, 4, "three layers, folded to a square"),
    "place cards": Role("席位卡", "Household & pets", 2.1, 4, "twelve cards to write names on"),
    "seed trays": Role("育苗盘", "Household & pets", 2.8, 6, "with room for twenty-four seedlings"),
    "twine": Role("麻绳", "Household & pets", 1.6, 6, "fifty metres, rough enough to hold a knot"),
    "plant labels": Role("植物标签", "Household & pets", 1.5, 6, "wooden, to be written on with a pencil"),
    "sketch pads": Role("速写本", "Household & pets", 4.5, 8, "forty sheets that take ink and water"),
    "charcoal pencils": Role("炭笔", "Household & pets", 3.4, 8, "soft, in a tin of six"),
    "fixing sprays": Role("定画液", "Household & pets", 5.9, 8, "keeps a drawing from smudging"),
}
CONJUNCTIONS = {
    "table": Conjunction(0.8, ("candles", "napkins"), "place cards"),
    "window sill": Conjunction(0.6, ("seed trays", "twine"), "plant labels"),
    "drawing class": Conjunction(0.4, ("sketch pads", "charcoal pencils"), "fixing sprays"),
}

# --- tastes -----------------------------------------------------------------------------------------------------------

FAVOURITES, FAVOURITE_SHARE = 4, 0.4  # a customer's favourites of the range, and their share where no plan decides
BROWSING = 0.1  # mean number of products of the range that anybody takes on any visit, by taste


class Member(NamedTuple):
    """Where a product of the range stands: its role, its style (empty for kits), its place among the makers."""

    role: str
    style: str
    place: int


def _range() -> tuple[pd.DataFrame, list[Member]]:
    """Item table of the range, columns as of products.csv, and what each product is."""
    rows, members = [], []
    for style, (style_zh, factor, words) in STYLES.items():
        for role, of in ROLES.items():
            for place, (maker, maker_zh) in enumerate(list(MAKERS.items())[: of.makers]):
                price = of.price * factor * (1 + 0.03 * (place % 4))
                name, name_zh = f"{style.capitalize()} {role} ({maker})", f"{maker_zh}{style_zh}{of.name_zh}"
                rows.append((name, name_zh, of.category, price, f"{words} {of.text}. {role.capitalize()} by {maker}."))
                members.append(Member(role, style, place))
    for role, of in KITS.items():
        for place, (maker, maker_zh) in enumerate(list(MAKERS.items())[: of.makers]):
            price = of.price * (1 + 0.03 * (place % 4))
            name, name_zh = f"{role.capitalize()} ({maker})", f"{maker_zh}{of.name_zh}"
            rows.append((name, name_zh, of.category, price, f"{role.capitalize()} by {maker}: {of.text}."))
            members.append(Member(role, "", place))
    table = pd.DataFrame(rows, columns=["name", "name_zh", "category", "price", "description"])
    table = table.assign(
        item_id=range(FIRST_ID, FIRST_ID + len(table)), price=table["price"].round(2), popularity=0, season=""
    )
    return table, members


PRODUCTS, MEMBERS = _range()
