"""An item model as a recommender."""

from __future__ import annotations

import numpy as np
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.models.item_model import ItemModel
from llmarm_tutorial.models.tokens import PAD, score_in_blocks


class ItemRecommender:
    """An item model as a recommender: next-item scores for histories, as the counting baselines give them.

    Args:
        model: The model; it is used in evaluation mode.
        block: Histories in one forward pass.
    """

    def __init__(self, model: ItemModel, *, block: int = 512) -> None:
        self.model, self.block = model, block
        self.n_items = model.n_items

    @torch.inference_mode()
    def scores(self, histories: Histories) -> np.ndarray:
        """Scores (logits) of all items as the next one, shape (n_cases, n_items), float32.

        The model reads the end of a history, as much as fits; behind it stands a [VISIT] if the model knows visits, and
        a [MASK] if it is a masked one (`tokens.encode_histories`).
        """
        was_training = self.model.training
        self.model.eval()
        device = self.model.device

        def answer(input_ids: np.ndarray, lasts: np.ndarray) -> np.ndarray:
            read, last = torch.from_numpy(input_ids).to(device), torch.from_numpy(lasts).to(device)
            scored = torch.arange(0, read.numel(), read.shape[1], device=device) + last
            return self.model.logits(self.model.hidden(read, (read != PAD).long(), scored)).float().cpu().numpy()

        out = score_in_blocks(histories, self.model.reading, self.block, answer)
        self.model.train(was_training)
        return out
