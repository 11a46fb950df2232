"""Processes that end in every way there is."""

import os
import signal

import paddle

from toolkit.distributed.group import meet, process_rank
from toolkit.errors import DatasetError


def _others_wait():
    if process_rank() == 0:
        meet()
        paddle.distributed.all_reduce(paddle.ones([1]))


def refused():
    _others_wait()
    raise DatasetError("there is no list")


def failed():
    _others_wait()
    return 1 // 0


def killed():
    _others_wait()
    os.kill(os.getpid(), signal.SIGKILL)


def left():
    _others_wait()
    os._exit(0)


def late(seconds):
    """The first process comes when gloo alone would have given up."""
    import time

    if process_rank() == 0:
        time.sleep(seconds)
    meet()
    total = paddle.ones([1])
    paddle.distributed.all_reduce(total)
    return total.item()
