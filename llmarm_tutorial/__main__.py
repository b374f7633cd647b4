"""`python -m llmarm_tutorial` is `llmarm`."""

from llmarm_tutorial.running.cli import app

app()
