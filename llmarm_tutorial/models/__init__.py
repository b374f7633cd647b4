"""Transformers over items: pretraining, rules read from them, fine-tuning, distillation, serving.

Public names, by module:

    serve: OnnxRecommender
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "serve": "OnnxRecommender",
    },
)
