"""What lessons 01 to 04 do on small and odd shops, see `test_small_shops`."""

from __future__ import annotations

# lesson → parameters of the cheapest run
PARAMETERS = {
    "01": {"PATIENCE": 0.05},
    "02": {"MAX_CASES": 100},
    "03": {"EPOCHS": 1, "VISIT_EPOCHS": 1, "HIDDEN": 8, "MAX_CASES": 100},
    "04": {"EPOCHS": 1, "GAP_EPOCHS": 1, "PER_BAND": 20},
}

# lesson → the shops of everyday tests, where these are not all; LLMARM_EVERY_SHOP=1 runs all
EVERYDAY = {
    "04": [
        "twelve products", "nothing goes together", "nothing new", "single items", "two items a basket",
        "thirty baskets", "nothing follows", "odd names",
    ],
}  # fmt: skip

# lesson → shop → what its start says that it needs
REFUSED = {
    "01": {"thirty baskets": "at least 100 baskets"},
    "02": {
        "one visit a customer": "at least 50 customers with 3 visits or more (shop has 0)",
        "two visits each": "at least 50 customers with 3 visits or more (shop has 0)",
        "thirty baskets": "at least 50 customers with 3 visits or more (shop has 10)",
        "one customer": "at least 50 customers with 3 visits or more (shop has 1)",
        "nothing follows": "No item of shop follows another 5 times",
        "no times": "lacks an order of events",
        "no customers": "lacks users",
    },
    "04": {
        "single items": "at least 100 baskets with two or more items (shop has 0)",
        "thirty baskets": "at least 100 baskets with two or more items (shop has 30)",
        "nothing follows": "at least 3 different items bought 5 times or more (shop has 0)",
    },
    "03": {
        "single items": "at least 50 baskets with two or more items (shop has 0)",
        "one visit a customer": "at least 20 customers with 3 visits or more (shop has 0)",
        "two visits each": "at least 20 customers with 3 visits or more (shop has 0)",
        "thirty baskets": "at least 20 customers with 3 visits or more (shop has 10)",
        "one customer": "at least 20 customers with 3 visits or more (shop has 1)",
        "no times": "lacks an order of events",
        "no customers": "lacks users",
    },
}

# lesson → shop → what is said to be left out there, in the order of the lesson
RECOUNT, NEGATIVES = "the recount on unseen baskets", "the comparison with sampled negatives"
NEIGHBOURS = "the test of the neighbours"
SURE, OF_TWO = "the comparison with sure counts", "the rules of two items"
ERRORS = "the comparison of the errors"
LEFT_OUT = {
    "01": {
        "twelve products": [RECOUNT],
        "nothing goes together": [RECOUNT],
        "single items": [RECOUNT],
        "eight products": [RECOUNT],
        "one item in every basket": [RECOUNT],
        "odd names": [RECOUNT],
        "shared words": [RECOUNT],
        "three visits each": [RECOUNT],
        "two items a basket": [RECOUNT],
        "nothing follows": [RECOUNT],
    },
    "02": {
        "twelve products": [NEGATIVES],
        "nothing goes together": [NEGATIVES],
        "nothing new": ["the question for something new", "the comparison of the two splits", NEGATIVES],
        "eight products": [NEGATIVES],
        "three visits each": [NEGATIVES],
        "visit numbers": [NEGATIVES],
        "no baskets": [NEGATIVES],
        "one item in every basket": [NEGATIVES],
        "odd names": [NEGATIVES],
        "shared words": [NEGATIVES],
        "one day": [NEGATIVES],
        "three days": [NEGATIVES],
    },
    "03": {
        shop: [NEIGHBOURS]
        for shop in (
            "twelve products",
            "nothing goes together",
            "nothing new",
            "codes for names",
            "eight products",
            "three visits each",
            "two items a basket",
            "nothing follows",
            "visit numbers",
            "one day",
            "three days",
            "no baskets",
            "one item in every basket",
            "odd names",
            "shared words",
        )
    },
    "04": {
        "twelve products": [SURE],
        "nothing goes together": [ERRORS, SURE],
        "nothing new": [SURE, OF_TWO],
        "codes for names": [SURE],
        "one visit a customer": [SURE],
        "eight products": [ERRORS, SURE],
        "one customer": [SURE],
        "two visits each": [SURE],
        "three visits each": [SURE],
        "two items a basket": [SURE, OF_TWO],
        "visit numbers": [SURE],
        "one day": [SURE],
        "three days": [ERRORS, SURE],
        "no times": [SURE],
        "no baskets": [SURE],
        "no customers": [SURE],
        "one item in every basket": [SURE],
        "odd names": [SURE],
        "shared words": [SURE],
    },
}
