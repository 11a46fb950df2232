"""Scores of a block of queries against a tile of the gallery."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.index.budget import Span, Workers
from toolkit.index.fixed_point import WholeRows
from toolkit.index.row_sets import RowSets
from toolkit.index.scratch import Scratch

Lines = NDArray[np.float32]
_Matrix = NDArray[np.float64]

# Columns of one matrix product: its float64 operands and its result take some 50 MiB at most.
_COLUMNS = 4096


class Scorer:
    """Scores queries against a gallery, exactly.

    Each call writes over what the one before returned. A gallery that fits into the memory for it
    is rounded once, a larger one for every block of queries.

    Args:
        queries: the vectors to look up.
        gallery: the vectors to find.
        left_out: gallery rows that each query must not see.
        workers: do all but the matrix product, which has numpy's own threads.
        memory: bytes that a rounded gallery may take.
    """

    def __init__(
        self,
        queries: WholeRows,
        gallery: WholeRows,
        left_out: Sequence[RowSets],
        workers: Workers,
        *,
        memory: int,
    ) -> None:
        self._queries, self._gallery, self._left_out = queries, gallery, left_out
        self._workers = workers
        self._scratch = Scratch()
        self._kept: _Matrix | None = None
        if len(gallery) * gallery.dimension * np.dtype(np.float64).itemsize <= memory:
            self._kept = self._rounded("kept", gallery, Span(0, len(gallery)))

    def lines(self, block: Span, tile: Span) -> Lines:
        """Scores a block of queries against a tile.

        Returns:
            float32 [queries, rows], the exact inner products of the rounded vectors, rounded once;
            -inf for rows that a query must not see.
        """
        lines: Lines = self._scratch.array("lines", (len(block), len(tile)), np.float32)
        queries = self._rounded("queries", self._queries, block)
        # Powers of two: the products are the scores now, and still exact.
        queries /= self._queries.scale * self._gallery.scale
        for columns in tile.cut(_COLUMNS):
            part = lines[:, columns.start - tile.start : columns.stop - tile.start]
            self._multiply(queries, self._gallery_rows(columns), part)
        for line, query in zip(lines, range(block.start, block.stop), strict=True):
            for sets in self._left_out:
                rows = sets.of(query)
                line[rows[(rows >= tile.start) & (rows < tile.stop)] - tile.start] = -np.inf
        return lines

    def _multiply(self, queries: _Matrix, gallery: _Matrix, out: Lines) -> None:
        product = self._scratch.array("product", out.shape, np.float64)
        np.matmul(queries, gallery.T, out=product)

        def round_once(piece: Span) -> None:
            out[piece.start : piece.stop] = product[piece.start : piece.stop]

        self._workers.share(len(out), round_once)

    def _gallery_rows(self, rows: Span) -> _Matrix:
        if self._kept is not None:
            return self._kept[rows.start : rows.stop]
        return self._rounded("gallery", self._gallery, rows)

    def _rounded(self, name: str, vectors: WholeRows, rows: Span) -> _Matrix:
        whole: _Matrix = self._scratch.array(name, (len(rows), vectors.dimension), np.float64)

        def write(piece: Span) -> None:
            start, stop = rows.start + piece.start, rows.start + piece.stop
            vectors.rounded(start, stop, whole[piece.start : piece.stop])

        self._workers.share(len(rows), write)
        return whole
