"""Many pictures in few files: TFRecords and tar shards, written and read without TensorFlow."""
