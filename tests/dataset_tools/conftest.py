import sys
from pathlib import Path

# The tools are scripts beside the package, not a part of it.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
