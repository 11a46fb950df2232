import pytest

from toolkit.errors import VectorIndexError
from toolkit.index.planner import memory_mib, plan
from toolkit.index.similarity import Similarity

FLOATS, BITS = Similarity("cosine", 512), Similarity("hamming", 512)
LOTS = 1 << 30


@pytest.mark.parametrize(
    ("count", "memory", "recall", "kind"),
    [
        (0, LOTS, 0.95, "flat"),
        (50_000, LOTS, 0.95, "flat"),
        (1_000_000, LOTS, 0.95, "hnsw"),
        (1_000_000, 2100, 0.95, "ivf"),
        (1_000_000, 700, 0.95, "sq8"),
        (1_000_000, 200, 0.95, "ivf_pq"),
        (1_000_000, 75, 0.95, "binary"),
        (1_000_000, LOTS, 1.0, "flat"),
        (10_000_000, LOTS, 0.95, "ivf"),
    ],
)
def test_a_plan_is_the_quickest_kind_that_fits(count, memory, recall, kind):
    chosen = plan(count, FLOATS, memory=memory, recall=recall)
    assert chosen.kind == kind
    assert chosen.memory_mib <= memory
    assert kind in chosen.describe()


def test_bits_are_never_packed_again():
    kinds = {plan(n, BITS, memory=LOTS).kind for n in (10, 10**6, 10**7)}
    assert kinds == {"flat", "hnsw", "ivf"}


@pytest.mark.parametrize(("memory", "recall"), [(10, 0.95), (200, 0.99), (600, 1)])
def test_what_does_not_fit_is_told_with_what_it_needs(memory, recall):
    with pytest.raises(VectorIndexError, match=r"take at least .* MiB and Index.memory_mib is"):
        plan(1_000_000, FLOATS, memory=memory, recall=recall)


def test_a_kind_that_is_asked_for_is_taken():
    assert plan(10, FLOATS, memory=1, kind="ivf_pq").kind == "ivf_pq"


def test_memory_is_what_the_specification_of_the_field_says():
    """2 KiB a vector of 512 floats, 256 bytes more for HNSW32, 64 + 8 for PQ64."""
    million = 1_000_000 / (1 << 20)
    assert memory_mib("flat", 1_000_000, FLOATS) == pytest.approx(2048 * million, rel=0.02)
    assert memory_mib("hnsw", 1_000_000, FLOATS) == pytest.approx(2304 * million, rel=0.02)
    assert memory_mib("ivf_pq", 1_000_000, FLOATS) == pytest.approx(81 * million, rel=0.12)
