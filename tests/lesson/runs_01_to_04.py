"""What lessons 01 to 04 do on small and odd shops, see `test_small_shops`."""

from __future__ import annotations

# lesson → parameters of the cheapest run
PARAMETERS = {
    "01": {"PATIENCE": 0.05},
}

# lesson → shop → what its start says that it needs
REFUSED = {
    "01": {"thirty baskets": "at least 100 baskets"},
}

# lesson → shop → what is said to be left out there, in the order of the lesson
LEFT_OUT = {
    "01": {
        "twelve products": ["the recount on unseen baskets"],
        "nothing goes together": ["the recount on unseen baskets"],
        "single items": ["the recount on unseen baskets"],
        "eight products": ["the recount on unseen baskets"],
        "one item in every basket": ["the recount on unseen baskets"],
        "odd names": ["the recount on unseen baskets"],
    },
}
