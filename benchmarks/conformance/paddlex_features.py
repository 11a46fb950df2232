"""PaddleX's features of some pictures by some exported models.

Runs in PaddleX's environment, for `paddlex.py`:

    python -m benchmarks.conformance.paddlex_features --inside RESULT.npz --models DIR ... \
        --images FILE ...
"""

import argparse
from pathlib import Path

import numpy as np
import yaml


def main() -> int:
    """Stores one matrix a model, under the model's place in the list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("result", type=Path)
    parser.add_argument("--models", nargs="+", type=Path, required=True)
    parser.add_argument("--images", nargs="+", type=Path, required=True)
    arguments = parser.parse_args()
    import paddlex

    features = {}
    for number, folder in enumerate(arguments.models):
        document = yaml.safe_load((folder / "inference.yml").read_text(encoding="utf-8"))
        name = document["Global"]["model_name"]
        model = paddlex.create_model(name, model_dir=str(folder), device="cpu")
        # One by one: since 3.5 a result's feature is the matrix of its whole batch.
        results = [next(iter(model.predict(str(file), batch_size=1))) for file in arguments.images]
        rows = [np.asarray(result["feature"], dtype=np.float64).reshape(-1) for result in results]
        features[str(number)] = np.stack(rows)
    np.savez(arguments.result, allow_pickle=False, **features)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
