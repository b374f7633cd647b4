"""Where the kit lies on disk."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # the checkout; an installed package has no such folder around it
