"""PAI's names of measures, and ours."""

from toolkit.serving.problems import Kind, Problem

_OURS = {
    "cosine": "cosine",
    "l2": "l2",
    "ip": "inner_product",
    "innerproduct": "inner_product",
}
_PAIS = {"cosine": "Cosine", "l2": "L2", "inner_product": "IP"}


def our_metric(said: object) -> str:
    """Returns our name of a measure, in any spelling that is usual.

    Raises:
        Problem: there is no such measure.
    """
    name = str(said).lower().replace("_", "")
    if name not in _OURS:
        raise Problem(Kind.WRONG_VALUE, f"The metric is {said!r:.80}; expected Cosine, L2 or IP.")
    return _OURS[name]


def pai_metric(ours: str) -> str:
    """Returns PAI's name of a measure."""
    return _PAIS.get(ours, ours)
