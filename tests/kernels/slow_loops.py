"""Convolution and batch norm as anyone would write them down, in float64."""

import itertools

import numpy as np


def convolve(images, weight, stride, padding, groups=1):
    """images [b, c, h, w], weight [o, c / groups, k, k] -> [b, o, oh, ow], product by product."""
    images, weight = images.astype(np.float64), weight.astype(np.float64)
    padded = np.pad(images, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    outputs, shared, side, _ = weight.shape
    sizes = [(size + 2 * padding - side) // stride + 1 for size in images.shape[2:]]
    out = np.zeros((len(images), outputs, *sizes))
    for image, output, row, column in np.ndindex(*out.shape):
        first = output // (outputs // groups) * shared
        top, left = row * stride, column * stride
        window = padded[image, first : first + shared, top : top + side, left : left + side]
        out[image, output, row, column] = (window * weight[output]).sum()
    return out


def pull_convolution(images, weight, stride, padding, gradient, groups=1):
    """The gradients of images and weight, product by product."""
    images, weight = images.astype(np.float64), weight.astype(np.float64)
    padded = np.pad(images, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    back, of_weight = np.zeros_like(padded), np.zeros_like(weight)
    outputs, shared, side, _ = weight.shape
    for image, output, row, column in np.ndindex(*gradient.shape):
        value = float(gradient[image, output, row, column])
        first = output // (outputs // groups) * shared
        rows = slice(row * stride, row * stride + side)
        columns = slice(column * stride, column * stride + side)
        part = (image, slice(first, first + shared), rows, columns)
        back[part] += value * weight[output]
        of_weight[output] += value * padded[part]
    height, width = images.shape[2:]
    return back[:, :, padding : padding + height, padding : padding + width], of_weight


def normalise(images, weight, bias, epsilon):
    """Batch norm by the definition; also the moments."""
    images = images.astype(np.float64)
    out = np.empty_like(images)
    moments = []
    for channel in range(images.shape[1]):
        values = images[:, channel]
        mean, variance = values.mean(), values.var()
        moments.append((mean, variance))
        out[:, channel] = (values - mean) / np.sqrt(variance + epsilon)
        out[:, channel] = out[:, channel] * weight[channel] + bias[channel]
    return out, np.array(moments).T


def slope_by_difference(function, values, gradient, places, step=1e-5):
    """d sum(gradient * function(values)) / d values at some places, by central differences."""
    found = []
    for place in places:
        ends = []
        for sign in (1, -1):
            moved = values.astype(np.float64).copy()
            moved[place] += sign * step
            ends.append((gradient * function(moved)).sum())
        found.append((ends[0] - ends[1]) / (2 * step))
    return np.array(found)


def all_places(shape):
    """Every index of an array."""
    return list(itertools.product(*map(range, shape)))
