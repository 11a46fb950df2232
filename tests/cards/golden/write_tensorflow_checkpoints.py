"""Writes the checkpoints beside this file with TensorFlow itself; run where that is installed.

    python tests/cards/golden/write_tensorflow_checkpoints.py

`tensorflow_v1.ckpt` is the old format, `tensorflow_v2.ckpt.*` the new one. Both hold the variables
of `variables()`. `snappy.json` holds what cramjam's Snappy makes of some texts.
"""

import base64
import json
import os
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
TEXTS = [
    "",
    "a",
    "abcabcabcabcabcabc",
    "x" * 5000,
    "".join(f"line {n} of many\n" for n in range(200)),
]


def variables() -> dict[str, np.ndarray]:
    counted = np.arange(24)
    return {
        "Net/Conv/weights": (counted / 7).astype(np.float32).reshape(2, 3, 4),
        "Net/Conv/BatchNorm/beta": np.zeros(300, np.float32),
        "Net/doubles": np.linspace(-1, 1, 5),
        "Net/whole": np.array([[-(2**31), -1, 0], [1, 2, 2**31 - 1]], np.int32),
        "Net/bytes": np.array([0, 1, 255], np.uint8),
        "Net/empty": np.zeros((0, 3), np.float32),
        "global_step": np.int64(12345678901),
    }


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import cramjam
    import tensorflow

    tf = tensorflow.compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in variables().items():
            tf.get_variable(name, initializer=value)
        session.run(tf.global_variables_initializer())
        for version, number in ((tf.train.SaverDef.V1, 1), (tf.train.SaverDef.V2, 2)):
            saver = tf.train.Saver(write_version=version)
            path = str(FOLDER / f"tensorflow_v{number}.ckpt")
            saver.save(session, path, write_meta_graph=False, write_state=False)
    compressed = {
        text: base64.b64encode(bytes(cramjam.snappy.compress_raw(text.encode()))).decode()
        for text in TEXTS
    }
    (FOLDER / "snappy.json").write_text(json.dumps(compressed), encoding="utf-8")


if __name__ == "__main__":
    main()
