"""Independent implementations of the networks that PaddleClas lacks, one file a family.

Each module names what it needs from PyPI (``PEER``), which lines the tests keep (``GOLDEN``), and
prints its lines into a table (``compare``). Modules whose name begins with an underscore are
shared between them.
"""
