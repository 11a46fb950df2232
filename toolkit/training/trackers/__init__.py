"""Where the numbers of a run go beside metrics.jsonl: one service or file format a module."""
