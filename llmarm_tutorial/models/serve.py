"""A model behind the counter: next-item scores from an ONNX file by ONNX Runtime, without PyTorch.

The file is what `export.to_onnx` writes. It says itself how histories become tokens, so that a shop needs NumPy,
onnxruntime and this module to serve it, and nothing of what trained it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, DataError, Missing
from llmarm_tutorial.models.tokens import Reading, score_in_blocks


class OnnxRecommender:
    """An exported model as a recommender.

    Args:
        path: A file of `export.to_onnx` or `onnx_int8.quantise`.
        threads: Cores that one call may use; 1 where many customers are served side by side.
        block: Histories in one run of the model; what fits the caches is fastest.

    Raises:
        BadParameter: If `threads` or `block` is not positive.
        DataError: If there is no such file, or it is none of these.
        Missing: If onnxruntime is not installed.
    """

    def __init__(self, path: str | Path, *, threads: int = 1, block: int = 64) -> None:
        if threads < 1 or block < 1:
            raise BadParameter(f"threads ({threads}) and block ({block}) are at least 1.")
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as failures
        except ImportError:
            raise Missing("onnxruntime", "models", "Serving an exported model") from None
        if not Path(path).is_file():
            raise DataError(f"There is no file {path}; write it with `export.to_onnx`.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        damaged = (failures.InvalidProtobuf, failures.InvalidGraph, failures.InvalidArgument, failures.Fail)
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self.reading = Reading.from_text(self.session.get_modelmeta().custom_metadata_map)
        except (*damaged, DataError) as error:
            raise DataError(
                f"{path} is no next-item model that can be opened; write it anew with `export.to_onnx`."
            ) from error
        self.n_items, self.block = self.reading.n_items, block

    def scores(self, histories: Histories) -> np.ndarray:
        """Scores of all items as the next one, shape (n_cases, n_items), float32."""

        def answer(input_ids: np.ndarray, lasts: np.ndarray) -> np.ndarray:
            return self.session.run(["scores"], {"input_ids": input_ids, "lasts": lasts})[0]

        return score_in_blocks(histories, self.reading, self.block, answer)
