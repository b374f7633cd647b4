"""`python -m llmarm_tutorial` is `llmarm`."""

from llmarm_tutorial.cli import app

app()
