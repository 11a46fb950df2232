"""What is compared with PaddleClas: one file a family, each with `compare(table, arch)`.

`GOLDEN` of a file names the lines of the table whose outputs the tests keep.
"""
