"""Which kind of structure suits: from the number of vectors, the memory, and the recall wanted."""

from dataclasses import dataclass

from toolkit.errors import VectorIndexError
from toolkit.index.kinds.ivf import lists_for
from toolkit.index.kinds.making import LEAST_TO_TRAIN
from toolkit.index.similarity import Similarity

# Comparing so many takes some milliseconds a query.
_FLAT_IS_QUICK = 50_000
# A graph of more takes hours to build; lists of more take long to read.
_MOST_IN_A_GRAPH = 5_000_000
_LINKS = 32
_MIB = 1 << 20


@dataclass(frozen=True)
class Plan:
    """What will be built, and why.

    Attributes:
        kind: of the structure.
        memory_mib: about how much memory it takes.
        reason: in words.
    """

    kind: str
    memory_mib: float
    reason: str

    def describe(self) -> str:
        """Returns the plan as one line."""
        return f"kind {self.kind}, about {self.memory_mib:,.0f} MiB: {self.reason}"


def memory_mib(kind: str, count: int, similarity: Similarity) -> float:
    """Returns about how much memory a structure takes, in MiB."""
    number = similarity.bytes_per_vector
    code = max(similarity.dimension // 8, 1)
    # Rows and what is alive take nine bytes; lists keep eight for the position.
    each = (
        9
        + {
            "flat": number,
            "hnsw": number + 2 * _LINKS * 4 + 24,
            "ivf": number + 8 + (number if similarity.is_binary else 0),
            "ivf_pq": code + 8,
            "sq8": similarity.dimension,
            "binary": number if similarity.is_binary else code,
        }[kind]
    )
    fixed = lists_for(count) * number if kind.startswith("ivf") else 0
    return (count * each + fixed) / _MIB


def plan(
    count: int, similarity: Similarity, *, memory: float, recall: float = 0.95, kind: str = "auto"
) -> Plan:
    """Chooses a kind.

    Args:
        count: of vectors, as many as there will be.
        similarity: of the index.
        memory: that the structure may take, in MiB.
        recall: of the true ten nearest, that searches should find.
        kind: that is wanted, or ``auto``.

    Raises:
        VectorIndexError: nothing that fits finds that many.
    """
    if kind != "auto":
        return Plan(kind, memory_mib(kind, count, similarity), "as Index.kind says.")
    for name, reason in _candidates(count, similarity, recall):
        needs = memory_mib(name, count, similarity)
        if needs <= memory:
            return Plan(name, needs, f"{count:,} vectors, {memory:,.0f} MiB: {reason}")
    least = min(
        memory_mib(name, count, similarity) for name, _ in _candidates(count, similarity, recall)
    )
    raise VectorIndexError(
        f"{count:,} vectors of {similarity.dimension} with recall {recall:g} take at least "
        f"{least:,.0f} MiB and Index.memory_mib is {memory:,.0f}. Give more memory, ask for less "
        "recall, or use a server (docs/index.md)."
    )


def _candidates(count: int, similarity: Similarity, recall: float) -> list[tuple[str, str]]:
    """Returns kinds that find enough, the best first, and what speaks for each."""
    flat = ("flat", "every vector is compared, so nothing is missed.")
    if count <= max(_FLAT_IS_QUICK, LEAST_TO_TRAIN) or recall >= 1:
        return [flat]
    graph = ("hnsw", "the graph answers fastest and fits.")
    lists = ("ivf", "lists are built quickly and take little more than the vectors.")
    if similarity.is_binary:
        return [graph, lists, flat] if count <= _MOST_IN_A_GRAPH else [lists, flat]
    kinds = [graph, lists] if count <= _MOST_IN_A_GRAPH else [lists]
    kinds += [flat, ("sq8", "a byte a number; what is found is compared with the vectors.")]
    if recall <= 0.98:
        kinds.append(("ivf_pq", "short codes; what is found is compared with the vectors."))
        kinds.append(("binary", "a bit a number; what is found is compared with the vectors."))
    return kinds
