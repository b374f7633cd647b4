"""Sparse matrices of SciPy as tensors of PyTorch."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import sparse
from torch import Tensor


def csr_tensor(matrix: sparse.spmatrix) -> Tensor:
    """A sparse matrix as a tensor in rows (CSR), float32, with 64-bit indices, which products are fastest with."""
    matrix = matrix.tocsr(copy=True)
    matrix.sum_duplicates()  # and sorts, which PyTorch wants
    parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data.astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (CSR tensor support|invariant checks)")  # said once by torch itself
        return torch.sparse_csr_tensor(*map(torch.from_numpy, parts), matrix.shape, check_invariants=True)
