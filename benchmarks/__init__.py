"""Side by side with a peer: speed, memory and parity.

``benchmarks.run`` measures the areas (`results.AREAS`), each a module with ``measure(options)``;
``make bench`` runs all in under 30 minutes, ``make bench-quick`` in 5, ``make bench-inference`` one
of them. What all share stands in `measure` (sides in turn, a row), `machine` (where it ran),
`pictures` (what it ran on), `results` (results.json) and `tables` (how it is printed).
``benchmarks.conformance`` asks whether networks and exports compute what their peers compute;
``benchmarks.costs`` counts parameters and multiply-adds.
"""

import toolkit  # noqa: F401 - before numpy, as in a run: see toolkit/processor.py
