"""Processes are started, ended together, and say why."""

import multiprocessing
import os

import failing_work
import pytest
from test_two_processes import in_group

from toolkit.distributed.launch import _shared_cores
from toolkit.errors import DatasetError, ProcessError


def none_is_left():
    return not multiprocessing.active_children()


@pytest.mark.slow
def test_what_one_refuses_is_raised_as_it_is(tmp_path):
    with pytest.raises(DatasetError, match=r"^there is no list$"):
        in_group(failing_work.refused, [], tmp_path)
    assert none_is_left()
    assert "DatasetError: there is no list" in (tmp_path / "process_1.log").read_text()


@pytest.mark.slow
def test_one_that_fails_ends_all_with_its_own_traceback(tmp_path):
    with pytest.raises(RuntimeError) as caught:
        in_group(failing_work.failed, [], tmp_path)
    message = str(caught.value)
    assert message.startswith("Process 1 of 2 failed and all were ended. Its log: ")
    assert "ZeroDivisionError" in message
    assert "failing_work.py" in message
    assert none_is_left()


@pytest.mark.slow
def test_one_that_is_killed_ends_all(tmp_path):
    with pytest.raises(ProcessError, match="Process 1 of 2 was ended by signal 9"):
        in_group(failing_work.killed, [], tmp_path)
    assert none_is_left()


@pytest.mark.slow
def test_one_that_leaves_without_a_word_ends_all(tmp_path):
    with pytest.raises(RuntimeError, match="ended"):
        in_group(failing_work.left, [], tmp_path)
    assert none_is_left()


@pytest.mark.slow
def test_the_first_may_be_as_late_as_it_likes(tmp_path):
    # gloo's own operations give up after 30 seconds; there is no other way to see that ours wait.
    assert in_group(failing_work.late, [35], tmp_path) == 2.0


def test_the_cores_are_shared_out(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 5, 6}, raising=False)
    monkeypatch.setattr("toolkit.distributed.launch.cores_allowed", lambda: 5)
    assert _shared_cores(2) == ((0, 1), (2, 5))
    assert _shared_cores(7) == ((0,), (1,), (2,), (5,), (6,), (0,), (1,))
    monkeypatch.setattr("toolkit.distributed.launch.cores_allowed", lambda: 2)  # of a container
    assert _shared_cores(2) == ((0,), (1,))
