"""Writes what TensorFlow-slim itself has: names and shapes of variables, and a thin network.

Run in the environment that `python -m benchmarks.conformance.oracles` makes, from the checkout:

    output/conformance/oracles/bin/python -m tests.cards.golden.write_slim_variables

`slim_variables.json.gz` has model -> variable -> shape. `thin_inception_v2.ckpt` is a checkpoint of
Inception v2 a sixteenth as wide, with ten classes, and `thin_inception_v2.npz` what TensorFlow
computes with it for the images of `benchmarks/conformance/seeded.py` with 64 pixels.
"""

import gzip
import json
from pathlib import Path

import numpy as np

from benchmarks.conformance.oracles import _slim_networks as networks
from benchmarks.conformance.oracles._tf_slim import import_network
from benchmarks.conformance.seeded import seeded_images

FOLDER = Path(__file__).parent


def main() -> None:
    import tensorflow

    from toolkit.cards.tensorflow_slim import SLIM_MODELS

    tf = tensorflow.compat.v1
    found = {}
    for model in SLIM_MODELS.values():
        with tf.Graph().as_default():
            networks._build(model, tf.placeholder(tf.float32, [1, model.side, model.side, 3]))
            shapes = {one.op.name: one.shape.as_list() for one in tf.global_variables()}
            found[model.name] = dict(sorted(shapes.items()))
    text = json.dumps(found, separators=(",", ":"))
    (FOLDER / "slim_variables.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    write_thin(tf)


def write_thin(tf) -> None:
    slim, module = import_network("inception_v2")
    images = seeded_images(side=64)
    with tf.Graph().as_default(), tf.Session() as session:
        given = tf.placeholder(tf.float32, [None, 64, 64, 3])
        with slim.arg_scope(module.inception_v2_arg_scope()):
            logits, ends = module.inception_v2(
                given, 10, is_training=False, depth_multiplier=1 / 16, min_depth=1
            )
        variables = tf.global_variables()
        values = {
            one.initializer.inputs[1]: networks._values(one.op.name, tuple(one.shape), 1.0)
            for one in variables
        }
        session.run([one.initializer for one in variables], values)
        saver = tf.train.Saver(write_version=tf.train.SaverDef.V1)
        path = str(FOLDER / "thin_inception_v2.ckpt")
        saver.save(session, path, write_meta_graph=False, write_state=False)
        last = tf.reduce_mean(ends["Mixed_5c"], [1, 2])
        feature, classes = session.run([last, logits], {given: images.transpose(0, 2, 3, 1)})
    np.savez(FOLDER / "thin_inception_v2.npz", AvgPool_1a=feature, Logits=classes)


if __name__ == "__main__":
    main()
