import numpy as np
import paddle

from toolkit.kernels.memory import array_of, dense, empty


def test_an_array_is_the_tensors_own_memory():
    tensor = paddle.arange(6, dtype="float32").reshape([2, 3])
    array = array_of(tensor)
    np.testing.assert_array_equal(array, [[0, 1, 2], [3, 4, 5]])
    array[1, 0] = 9
    assert tensor.numpy()[1, 0] == 9


def test_a_part_of_a_tensor_begins_where_it_begins():
    part = paddle.arange(12, dtype="float32").reshape([3, 4])[1:]
    np.testing.assert_array_equal(array_of(dense(part)), part.numpy())


def test_a_transposed_tensor_is_laid_out_anew():
    tensor = paddle.arange(6, dtype="float32").reshape([2, 3]).transpose([1, 0])
    np.testing.assert_array_equal(array_of(dense(tensor)), [[0, 3], [1, 4], [2, 5]])


def test_new_memory_is_float32_of_the_shape():
    tensor = empty(2, 3)
    assert (tensor.dtype, tensor.shape) == (paddle.float32, [2, 3])
