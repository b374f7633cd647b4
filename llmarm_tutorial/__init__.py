"""llmarm: product association analysis by counting and by large models, measured side by side."""

__version__ = "0.1.0"
