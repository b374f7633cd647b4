"""data/shop."""
