"""Counting in the scores of a query, in loops that a compiler turns into machine code.

To know how many gallery rows stand before each of m given ones, the scores need not be sorted: the
m keys are, and each score is looked up among them. A table over equal steps of the score says
between which keys it falls, mostly at once, else by halving what is left.
"""

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional

numba = import_optional("numba", purpose="Ranking with compiled loops")

Lines = NDArray[np.float32]
Keys = NDArray[np.uint64]
Counts = NDArray[np.int64]
Table = NDArray[np.int32]

# Steps of a table: many a key, as long as the table stays in a core's cache.
_FEWEST_STEPS, _MOST_STEPS = 2048, 32768
_STEPS_A_KEY = 16
# Scores that go through all loops while they are in the fastest cache.
_CHUNK = 1024
# No score is NaN, so the compiler may take the vector instructions for minima.
_NUMBERS = {"nnan", "nsz"}


@numba.njit(nogil=True, cache=True)
def find(
    lines: Lines, first_row: int, rows: Counts, starts: Counts, keys: Keys, found: Counts
) -> None:
    """Builds the keys of the wanted rows that are in this tile and have a score.

    Args:
        lines: [q, tile] scores, -inf for a row that is left out.
        first_row: the gallery row of the first column.
        rows: wanted rows, query after query, ascending in each.
        starts: [q + 1] where in `rows` and `keys` a query begins.
        keys: written from each query's start, behind what was found before.
        found: [q] how many keys a query has; brought up to date.
    """
    for query in range(lines.shape[0]):
        line, bits = lines[query], lines[query].view(np.int32)
        place = starts[query] + found[query]
        for entry in range(starts[query], starts[query + 1]):
            column = rows[entry] - first_row
            if 0 <= column < line.shape[0] and line[column] > -np.inf:
                keys[place] = _key(bits[column], rows[entry])
                place += 1
        found[query] = place - starts[query]


@numba.njit(nogil=True, cache=True)
def count(
    lines: Lines,
    first_row: int,
    marks: tuple[Keys, Counts, Counts],
    edges: Keys,
    sums: tuple[Counts, Counts, Counts],
    best: Keys,
) -> int:
    """Counts the rows of a tile that stand before marks and above edges, and keeps the best.

    Args:
        lines: [q, tile] scores, -inf for a row that is left out.
        first_row: the gallery row of the first column.
        marks: keys, ascending for each query; [q] where a query's begin; [q] how many it has.
        edges: keys of (edge, row 0), ascending: a score equal to an edge is not above it.
        sums: [marks] rows before each, added to; [e] pairs above each edge, added to; [e] marks
            above each edge, added to when the tile is the first.
        best: [q, k] keys of the first rows, ascending; brought up to date.

    Returns:
        How many pairs have a score.
    """
    keys, starts, found = marks
    before, above, marks_above = sums
    most = found.max() if found.shape[0] else 0
    scores, falls = np.empty(most, np.float32), np.empty(most + 1, np.int64)
    edge_scores, edge_falls = np.empty(len(edges), np.float32), np.zeros(len(edges) + 1, np.int64)
    mark_falls = np.zeros(len(edges) + 1, np.int64)
    table, edge_table = np.empty(_MOST_STEPS + 1, np.int32), np.empty(_MOST_STEPS + 1, np.int32)
    for edge in range(len(edges)):
        edge_scores[edge] = _score(edges[edge])
    if len(edges):
        _tabulate(edge_scores, edge_table)
    ranked = 0
    for query in range(lines.shape[0]):
        line, size, start = lines[query], found[query], starts[query]
        ranked += _keep_best(line, first_row, best[query])
        for place in range(size):
            scores[place] = _score(keys[start + place])
        if size:
            _tabulate(scores[:size], table)
            falls[: size + 1] = 0
            _fall(line, first_row, keys[start : start + size], scores[:size], table, falls)
            _add_up(falls[:size], before[start : start + size])
        if len(edges):
            _fall(line, first_row, edges, edge_scores, edge_table, edge_falls)
            if first_row == 0:
                _fall(scores[:size], 0, edges, edge_scores, edge_table, mark_falls)
    _add_up(edge_falls[: len(edges)], above)
    _add_up(mark_falls[: len(edges)], marks_above)
    return ranked


@numba.njit(nogil=True, cache=True)
def rank(before: Counts, starts: Counts, found: Counts, ranks: Counts) -> None:
    """Writes the ranks, query after query: rows that were left out leave gaps in `before`."""
    filled = 0
    for query in range(found.shape[0]):
        for place in range(starts[query], starts[query] + found[query]):
            ranks[filled] = before[place] + 1
            filled += 1


@numba.njit(nogil=True, cache=True, fastmath=_NUMBERS)
def _fall(
    line: Lines, first_row: int, keys: Keys, scores: Lines, table: Table, falls: Counts
) -> None:
    """Counts for each key how many rows stand before it and not before the key in front of it.

    Args:
        line: [tile] scores.
        first_row: the gallery row of the first.
        keys: [m], ascending, one or more.
        scores: [m] their scores.
        table: what `_tabulate` wrote of them.
        falls: [m + 1] added to; the last counts the rows that stand behind all keys.
    """
    scale, bits = _scale(scores), line.view(np.int32)
    chunk, unsure = np.empty(_CHUNK, np.int32), np.empty(_CHUNK, np.int32)
    for start in range(0, line.shape[0], _CHUNK):
        size = min(_CHUNK, line.shape[0] - start)
        _steps(line[start : start + size], scale, chunk)
        open_rows = 0
        for entry in range(size):
            step = chunk[entry]
            place = table[step]
            is_open = place < table[step + 1]
            falls[place] += 1 - is_open
            # Written in any case, and kept where the count goes on: a jump would cost more.
            unsure[open_rows] = entry
            open_rows += is_open
        for entry in range(open_rows):
            step, column = chunk[unsure[entry]], start + unsure[entry]
            place, end = table[step], table[step + 1]
            key = _key(bits[column], first_row + column)
            if end - place == 1:
                place += keys[place] <= key
            else:
                while place < end:
                    middle = (place + end) >> 1
                    if keys[middle] <= key:
                        place = middle + 1
                    else:
                        end = middle
            falls[place] += 1


@numba.njit(nogil=True, cache=True)
def _add_up(falls: Counts, before: Counts) -> None:
    """Adds to the rows before each key all that fell before it or one in front of it."""
    total = 0
    for place in range(falls.shape[0]):
        total += falls[place]
        before[place] += total


@numba.njit(nogil=True, cache=True)
def _scale(scores: Lines) -> tuple[np.float32, np.float32, np.float32, int]:
    """Returns the highest and the lowest score, steps for half a score, and the number of steps."""
    high, low = scores[0], scores[scores.shape[0] - 1]
    steps = _FEWEST_STEPS
    while steps < _MOST_STEPS and steps < _STEPS_A_KEY * scores.shape[0]:
        steps *= 2
    # Halves, for the difference of two scores may be more than float32 holds.
    between = high * np.float32(0.5) - low * np.float32(0.5)
    per_half = np.float32(steps) / between if between > 0 else np.float32(0)
    return high, low, per_half if per_half < np.float32(3e38) else np.float32(0), steps


@numba.njit(nogil=True, cache=True, fastmath=_NUMBERS)
def _steps(
    line: Lines, scale: tuple[np.float32, np.float32, np.float32, int], steps: Table
) -> None:
    """Writes the step of each score: never a lower one for a lower score, whatever is rounded."""
    high, low, per_half, count = scale
    top, last = high * np.float32(0.5), np.float32(count - 1)
    for entry in range(line.shape[0]):
        # Written out, for the compiler makes no vector code of min and max.
        score = line[entry]
        score = low if score < low else score
        score = high if score > high else score
        fall = (top - score * np.float32(0.5)) * per_half
        steps[entry] = np.int32(last if fall > last else fall)


@numba.njit(nogil=True, cache=True)
def _tabulate(scores: Lines, table: Table) -> None:
    """Writes for each step of the score where its keys begin, and behind them how many there are.

    Args:
        scores: [m] of the keys, falling; one or more.
        table: written.
    """
    scale, filled = _scale(scores), 0
    steps = np.empty(scores.shape[0], np.int32)
    _steps(scores, scale, steps)
    for place in range(scores.shape[0]):
        while filled <= steps[place]:
            table[filled] = place
            filled += 1
    table[filled : scale[3] + 1] = scores.shape[0]


@numba.njit(nogil=True, cache=True, fastmath=_NUMBERS)
def _keep_best(line: Lines, first_row: int, best: Keys) -> int:
    """Puts the rows that belong there among the best, and returns how many rows have a score."""
    bits, k, ranked = line.view(np.int32), best.shape[0], 0
    worst = _score(best[k - 1]) if k else np.float32(np.inf)
    for start in range(0, line.shape[0], _CHUNK):
        part = line[start : start + _CHUNK]
        with_score, better = np.int32(0), np.int32(0)
        for entry in range(part.shape[0]):
            with_score += np.int32(part[entry] > -np.inf)
            better += np.int32(part[entry] > worst)
        ranked += int(with_score)
        if not better:
            continue
        for entry in range(part.shape[0]):
            if part[entry] > worst:
                _keep(best, _key(bits[start + entry], first_row + start + entry))
                worst = _score(best[k - 1])
    return ranked


@numba.njit(nogil=True, cache=True)
def _keep(best: Keys, key: np.uint64) -> None:
    """Puts a key that is better than the last into its place."""
    place = best.shape[0] - 1
    while place > 0 and best[place - 1] > key:
        best[place] = best[place - 1]
        place -= 1
    best[place] = key


@numba.njit(nogil=True, cache=True, inline="always")
def _key(bits: np.int32, row: int) -> np.uint64:
    """Builds the key of a score, given as its bits, and a row, as order_keys.pack does."""
    if bits == np.int32(-0x80000000):  # -0.0, which is equal to 0.0
        bits = np.int32(0)
    turned = bits ^ (~(bits >> np.int32(31)) & np.int32(0x7FFFFFFF))
    return (np.uint64(np.uint32(turned)) << np.uint64(32)) | np.uint64(row)


@numba.njit(nogil=True, cache=True, inline="always")
def _score(key: np.uint64) -> np.float32:
    """Returns the score of a key."""
    bits = np.int32(np.uint32(key >> np.uint64(32)))
    turned = bits ^ (~(bits >> np.int32(31)) & np.int32(0x7FFFFFFF))
    return np.int32(turned).view(np.float32)
