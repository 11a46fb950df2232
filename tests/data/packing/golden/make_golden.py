"""Writes the files of this folder with other libraries; golden.md says which, and how to run it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import webdataset

HERE = Path(__file__).parent
PICTURES = [bytes([255, 216, number, 255, 217]) for number in range(3)]


def features() -> list[dict[str, list]]:
    """Every kind of feature, and the least that a record of a picture has."""
    return [
        {
            "image/encoded": [PICTURES[0]],
            "image/format": [b"jpeg"],
            "image/class/label": [7],
            "image/filename": ["苹果/red apple.jpg".encode()],
            "numbers": [0, -1, 127, 128, 2**63 - 1, -(2**63)],
            "scores": [0.5, -1.25, float(np.float32(1e-30))],
            "texts": [b"", b"two"],
        },
        {"image/encoded": [PICTURES[1]]},
        {"image/encoded": [PICTURES[2] * 100], "image/class/label": [-1]},
    ]


def example(values: dict[str, list]) -> bytes:
    message = tf.train.Example()
    for name, entries in values.items():
        feature = message.features.feature[name]
        kinds = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}
        kinds[type(entries[0])].value.extend(entries)
    return message.SerializeToString(deterministic=True)


def in_json(values: list) -> list:
    return [value.hex() if isinstance(value, bytes) else value for value in values]


def main() -> None:
    with tf.io.TFRecordWriter(str(HERE / "tensorflow.tfrecord")) as writer:
        for values in features():
            writer.write(example(values))
    # A process of its own: TensorFlow and tfrecord both want to define tf.train.Example.
    tool = [sys.executable, "-m", "tfrecord.tools.tfrecord2idx"]
    subprocess.run([*tool, "tensorflow.tfrecord", "tensorflow.tfrecord.idx"], cwd=HERE, check=True)
    plain = [{name: in_json(values) for name, values in record.items()} for record in features()]
    (HERE / "tensorflow.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    buffer = io.BytesIO()
    with webdataset.TarWriter(buffer, mtime=0) as shard:
        for number, picture in enumerate(PICTURES):
            sample = {"__key__": f"some/folder/{number:04d}", "jpg": picture, "cls": number + 5}
            shard.write({**sample, "json": {"filename": f"{number}.jpg"}} if number else sample)
    (HERE / "webdataset.tar").write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
