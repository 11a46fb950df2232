"""Side by side with a peer: speed, memory and parity.

``benchmarks.run`` measures the areas (`results.AREAS`), each a module with ``measure(options)``;
``make bench`` runs all in under 30 minutes, ``make bench-quick`` in 5, ``make bench-inference`` one
of them. What all share stands in `measure` (sides in turn, a row), `machine` (where it ran),
`pictures` (what it ran on), `results` (results.json) and `tables` (how it is printed).
``benchmarks.conformance`` asks whether networks and exports compute what their peers compute;
``benchmarks.costs`` counts parameters and multiply-adds.
"""

import os

# Both sides choose the matrix code for this processor themselves, as on the machine of a person;
# where it is set, as on servers that have to reproduce digits, it would slow one of them down.
for _name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
    del os.environ[_name]
