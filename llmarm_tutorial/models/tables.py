"""Small tables of item vectors: what stands in for the embedding where a catalogue must cost few parameters.

A table with one free vector per item grows with the catalogue and soon is most of a small model: of the 326,000 weights
of a model 64 wide over 3,400 films two thirds are its table. Two ways to say the same vectors with less: a product of
two thin matrices, or a few codebooks from which every item names one entry each. Both stand where BERT's word embedding
stands and show the whole table as `weight`, so that the rest of the model does not know the difference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmarm_tutorial.errors import BadParameter

TABLES = ("full", "factorised", "coded")


class FactorisedTable(nn.Module):
    """Item vectors as a product of two thin matrices (Lan et al. 2020, ALBERT).

    Args:
        n_tokens: Rows of the table.
        hidden: Width of a vector.
        rank: Inner width, from 1 to `hidden`; n_tokens × rank + rank × hidden numbers instead of n_tokens × hidden.
        spread: Standard deviation of the initial vectors.
    """

    def __init__(self, n_tokens: int, hidden: int, rank: int, spread: float = 0.02) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(n_tokens, rank) * spread)
        self.mix = nn.Parameter(torch.randn(rank, hidden) / rank**0.5)

    @property
    def weight(self) -> Tensor:
        """The whole table, shape (n_tokens, hidden)."""
        return self.rows @ self.mix

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors of tokens of any shape: that shape with `hidden` behind it."""
        return nn.functional.embedding(tokens, self.rows) @ self.mix


class CodedTable(nn.Module):
    """Item vectors put together from codebooks: product quantisation (Jégou et al. 2011; for recommenders Petrov &
    Macdonald 2024, RecJPQ).

    A vector is cut into parts, and each part is one of a few hundred entries of the part's codebook. What is learned is
    the codebooks; which entry an item takes is its code, one byte per part, set from outside: at first at random (then
    items share parts by accident), best by clustering the table of a trained model.

    Args:
        n_tokens: Rows of the table.
        hidden: Width of a vector, a multiple of `parts`.
        parts: Bytes of a code.
        centroids: Entries of a codebook, from 2 to 256.
        spread: Standard deviation of the initial entries.

    Attributes:
        codes: Entry of every token in every codebook, shape (n_tokens, parts), uint8; not learned.
        books: The codebooks, shape (parts × centroids, hidden / parts).
    """

    def __init__(self, n_tokens: int, hidden: int, parts: int, centroids: int = 256, spread: float = 0.02) -> None:
        super().__init__()
        self.centroids = centroids
        self.register_buffer("codes", torch.randint(centroids, (n_tokens, parts)).to(torch.uint8))
        self.books = nn.Parameter(torch.randn(parts * centroids, hidden // parts) * spread)

    def _places(self, codes: Tensor) -> Tensor:
        """Rows of `books` for codes of shape (…, parts)."""
        return codes.long() + self.centroids * torch.arange(codes.shape[-1], device=codes.device)

    @property
    def weight(self) -> Tensor:
        """The whole table, shape (n_tokens, hidden)."""
        return nn.functional.embedding(self._places(self.codes), self.books).flatten(-2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors of tokens of any shape: that shape with `hidden` behind it."""
        return nn.functional.embedding(self._places(self.codes[tokens]), self.books).flatten(-2)

    @torch.no_grad()
    def set_codes(self, codes: Tensor, books: Tensor) -> None:
        """Take codes and codebooks found elsewhere.

        Args:
            codes: Shape (n_tokens, parts), each below `centroids`.
            books: Shape (parts, centroids, hidden / parts).

        Raises:
            BadParameter: If the shapes or the codes do not fit.
        """
        books = books.flatten(0, 1)
        if codes.shape != self.codes.shape or books.shape != self.books.shape or int(codes.max()) >= self.centroids:
            raise BadParameter(
                f"This table takes codes of shape {tuple(self.codes.shape)} below {self.centroids} and codebooks of "
                f"shape {tuple(self.books.shape)}, not {tuple(codes.shape)} and {tuple(books.shape)}."
            )
        self.codes.copy_(codes)
        self.books.copy_(books)


def check_table(table: str, hidden: int, rank: int, parts: int, centroids: int) -> None:
    """Say what is wrong with the description of a table.

    Raises:
        BadParameter: If its kind is unknown or a number is out of range.
    """
    if table not in TABLES:
        raise BadParameter(f"table is {table!r}; choose one of: {', '.join(TABLES)}.")
    if table == "factorised" and not 1 <= rank <= hidden:
        raise BadParameter(f"rank is {rank}; a factorised table takes one from 1 to the width of the model ({hidden}).")
    if table == "coded" and (parts < 1 or hidden % parts or not 2 <= centroids <= 256):
        raise BadParameter(
            f"A coded table needs parts that divide the width of the model ({hidden}) and 2 to 256 centroids, not "
            f"{parts} and {centroids}."
        )
