"""docs/extending.md is done to a copy of the toolkit, word for word, and the result is run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

USE = """
import numpy as np
from toolkit.config.load import load_config
from toolkit.registry import TRANSFORMS

config = load_config("c.yaml", ["Data.train_transforms.0.RandGrey.prob=1.0"])
part = config.Data.train_transforms[0]
grey = TRANSFORMS.build(part.name, **part.options)(
    np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.random.default_rng(0)
)
assert (grey[..., 0] == grey[..., 2]).all(), grey
try:
    load_config("c.yaml", ["Data.train_transforms.0.RandGrey.prob=2.0"])
except Exception as error:
    print(error)
"""


def test_the_page_works(repository: Path, tmp_path: Path) -> None:
    text = (repository / "docs/extending.md").read_text(encoding="utf-8")
    code, line, entry = re.findall(r"```(?:python|yaml)\n(.*?)```", text, flags=re.DOTALL)
    shutil.copytree(
        repository / "toolkit", tmp_path / "toolkit", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "toolkit/data/transforms/grey.py").write_text(code, encoding="utf-8")
    registry = tmp_path / "toolkit/registry/parts.py"
    source = registry.read_text(encoding="utf-8")
    before, table, after = source.partition('TRANSFORMS = Registry(\n    "transform",\n    {\n')
    assert table
    registry.write_text(before + table + line + after, encoding="utf-8")
    (tmp_path / "c.yaml").write_text(
        "Global: {model: SmallResNet_rec}\nData:\n  sampler: {name: UniformSampler}\n"
        f"  train_transforms:\n    {entry.strip()}\n    - NormalizeImage\n    - ToCHWImage\n"
        "  eval_transforms: [ResizeImage: {size: 8}, NormalizeImage, ToCHWImage]\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-c", USE],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = re.search(r"`(Data\.train_transforms\.0\..*?)`", text)
    assert expected is not None
    assert expected[1] in done.stdout
