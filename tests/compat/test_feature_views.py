"""Neighbours, clusters and planes of vectors that a person can check."""

import numpy as np
import pytest

from toolkit.compat.feature_views import cluster, nearest_neighbours, plane


def at_angles(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_neighbours_by_angle_whatever_the_length():
    vectors = at_angles(0, 50, 10, 90, 20) * np.array([[1], [9], [5], [2], [3]], np.float32)
    scores, rows = nearest_neighbours(vectors, 0, 3)
    assert rows.tolist() == [2, 4, 1]
    np.testing.assert_allclose(scores, np.cos(np.deg2rad([10, 20, 50])), atol=1e-6)


def test_no_more_neighbours_than_there_are():
    assert nearest_neighbours(at_angles(0, 5), 1, 9)[1].tolist() == [0]
    assert nearest_neighbours(at_angles(0), 0, 3)[1].tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_clusters_far_apart_are_found_largest_first(seed):
    vectors = at_angles(1, 91, 2, 181, 92, 3)
    labels = cluster(vectors, 3, np.random.default_rng(seed))
    assert labels.tolist() == [0, 1, 0, 2, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_equal_vectors_and_as_many_clusters_as_vectors(count):
    labels = cluster(at_angles(0, 0, 0, 0), count, np.random.default_rng(0))
    assert len(labels) == 4
    assert set(labels) <= set(range(count))
    own = cluster(at_angles(0, 90, 180, 270)[:count], count, np.random.default_rng(0))
    assert sorted(own) == list(range(count))


@pytest.mark.parametrize(("n", "d"), [(50, 6), (6, 50), (2, 3), (1, 4), (5, 1)])
def test_the_plane_of_most_variance(n, d):
    vectors = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    points = plane(vectors)
    assert points.shape == (n, 2)
    # numpy's singular values are the lengths of the columns.
    values = np.linalg.svd(vectors - vectors.mean(0), compute_uv=False)
    wanted = np.pad(values, (0, 2))[:2]
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), wanted, atol=1e-4)


def test_the_plane_keeps_its_sides():
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_allclose(plane(vectors)[::-1], plane(vectors[::-1]), atol=1e-6)
