"""What lessons 05 to 11 do on small and odd shops, see `test_small_shops`."""

from __future__ import annotations

# lesson → parameters of the cheapest run
PARAMETERS = {
    "05": {
        "PRETRAIN_EPOCHS": 1, "EPOCHS": 3, "WIDTH": 4, "LENGTH": 8, "PATIENCE": 1, "LABELS": [12], "SWEEP_SEEDS": 1,
        "RATES": [2e-5, 2e-3],
    },
    "06": {"EPOCHS": 1, "HIDDEN": 4, "MAX_LENGTH": 16, "TRIES": 1, "TRADES": [0.5, 1.0]},
    "07": {"EPOCHS": 1, "HIDDEN": 4, "MAX_LENGTH": 16, "TRIES": 1},
    "09": {
        "EPOCHS": 1, "STUDENT_EPOCHS": 1, "METHODS": ["hard labels", "soft labels", "reverse KL"], "MAX_LENGTH": 16,
        "ROUNDS": 1,
    },
    "10": {"LINK_SEEDS": 1, "LINK_EPOCHS": 2},
    "11": {"LINK_SEEDS": 1, "LINK_EPOCHS": 2, "GRAPH_EPOCHS": 1, "GRAPH_WIDTH": 4, "EPOCHS": 1, "HIDDEN": 4},
}  # fmt: skip

# lesson → the shops of everyday tests: each stands for a branch of its own; LLMARM_EVERY_SHOP=1 runs all
EVERYDAY = {
    "05": ["twelve products", "thirty baskets", "one visit a customer", "nothing follows", "no times"],
    "06": ["nothing new", "single items", "eight products", "one customer", "one item in every basket", "odd names"],
    "07": ["nothing new", "codes for names", "two visits each", "one customer", "no baskets", "shared words"],
    "09": ["eight products", "single items", "two visits each"],
    "10": [
        "twelve products", "nothing goes together", "nothing new", "single items", "one visit a customer",
        "eight products", "one day",
    ],
    "11": ["nothing new", "single items", "one visit a customer", "eight products", "one day", "shared words"],
}  # fmt: skip

NOBODY = "customers with 3 visits or more (shop has"
ONE_ITEM = "customers with two items before their last two visits"
COMES = "Who comes again cannot be asked of shop"
OF_THREE = {
    "one visit a customer": NOBODY, "one customer": NOBODY, "two visits each": NOBODY, "single items": ONE_ITEM,
    "no times": "lacks an order", "no customers": "lacks users",
}  # fmt: skip

# lesson → where it shows names of products on a small shop: in the drawings, in tables; else in both
SHOWS_NAMES = {"06": ["tables"], "07": [], "11": []}

# lesson → shop → what its start says that it needs
REFUSED = {
    "05": {
        "one visit a customer": COMES, "one customer": COMES, "two visits each": COMES, "one day": COMES,
        "three days": COMES, "nothing follows": "no item occurs 5 times", "visit numbers": "lacks clock times",
        "no times": "lacks an order", "no customers": "lacks users",
    },
    "06": OF_THREE,
    "07": {
        "one visit a customer": NOBODY.replace("3", "2"), "one customer": NOBODY.replace("3", "2"),
        "no times": "lacks an order", "no customers": "lacks users",
    },
    "09": OF_THREE,
    "11": OF_THREE,
    "10": {shop: why for shop, why in OF_THREE.items() if shop != "single items"} | {
        "one day": "this split leaves nothing for train", "three days": "this split leaves nothing for train",
    },
}  # fmt: skip

RULES, TEXTS = "the question on rules", "what the texts say"
NOT_TO_COME = ["the second step and the links to come", TEXTS]
NOT_NEW = ["the section on new products"]
NO_LINKS = [
    "the recount of pairs", "the drawing, the rings, the groups and the middles", "what comes at the next visit"
]  # fmt: skip

# lesson → shop → what is said to be left out there, in the order of the lesson
LEFT_OUT = {
    "05": {
        shop: [RULES]
        for shop in (
            "twelve products", "nothing goes together", "nothing new", "single items", "codes for names",
            "eight products", "thirty baskets", "three visits each", "no baskets", "one item in every basket",
            "odd names", "two items a basket", "shared words",
        )
    },
    "07": {
        shop: [TEXTS]
        for shop in (
            "twelve products", "nothing goes together", "single items", "codes for names", "eight products",
            "thirty baskets", "two visits each", "three visits each", "two items a basket", "nothing follows",
            "visit numbers", "one day", "three days", "no baskets", "one item in every basket", "odd names",
        )
    } | {"nothing new": [TEXTS, "the part on customers of one basket"]},
    "10": {
        shop: NOT_TO_COME
        for shop in (
            "twelve products", "codes for names", "eight products", "three visits each", "visit numbers",
            "no baskets", "one item in every basket", "odd names",
        )
    } | {
        "shared words": NOT_TO_COME[:1],
        "nothing goes together": NO_LINKS + NOT_TO_COME,
        "thirty baskets": NO_LINKS + NOT_TO_COME,
        "nothing follows": NO_LINKS + NOT_TO_COME,
        "two items a basket": NO_LINKS + NOT_TO_COME,
        "single items": NO_LINKS + NOT_TO_COME,
        "nothing new": [NO_LINKS[0], *NOT_TO_COME],
    },
    "11": {
        shop: [TEXTS, *NOT_NEW]
        for shop in (
            "twelve products", "codes for names", "eight products", "three visits each", "visit numbers",
            "no baskets", "one item in every basket", "odd names", "nothing goes together", "thirty baskets",
            "nothing follows", "two items a basket", "one day", "three days",
        )
    } | {"nothing new": ["what is new to the customer", TEXTS, *NOT_NEW], "shared words": NOT_NEW},
}  # fmt: skip
