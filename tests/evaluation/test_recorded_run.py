"""Runs as they are read back from their folders, and folders that hold none."""

from pathlib import Path

import pytest
from run_folders import write_config, write_evaluated, write_trained

from toolkit.errors import RunError
from toolkit.evaluation.recorded_run import read_run, run_names
from toolkit.fingerprint import fingerprint_file
from toolkit.storage import read_json, write_json, write_text

QUERIES = [("q/a.png", "x", 1, 1.0), ("q/b.png", "x", 4, 0.25), ("q/c.png", "y", 0, 0.0)]


def test_what_an_evaluation_left(tmp_path):
    run = read_run(write_evaluated(write_config(tmp_path), QUERIES), "one")
    assert run.metrics == {"recall1": 0.5, "mAP": 0.625}
    assert run.intervals == {"recall1": (0.4, 0.6)}
    assert run.settings["Global.model"] == "Tiny_rec"
    assert [(q.key, q.first_rank, q.right) for q in run.queries] == [
        (("q/a.png", "x", 1), 1, True),
        (("q/b.png", "x", 1), 4, False),
        (("q/c.png", "y", 1), 0, False),
    ]
    assert run.facts["evaluated"] == "3 queries against 5 gallery pictures"
    assert run.rows == []


def test_what_a_training_left(tmp_path):
    run = read_run(write_trained(write_config(tmp_path), metrics={"recall1": 0.25}), "one")
    assert run.metrics == {"recall1": 0.25}
    assert run.queries is None
    assert run.facts["trained"] == "4 steps, 32 pictures in 1:15 min"
    assert len(run.rows) == 6


def test_the_evaluation_counts_more_than_the_training(tmp_path):
    folder = write_trained(write_config(tmp_path), metrics={"recall1": 0.25})
    assert read_run(write_evaluated(folder, QUERIES), "one").metrics["recall1"] == 0.5


def test_an_evaluation_that_failed_leaves_the_training(tmp_path):
    folder = write_trained(write_config(tmp_path), metrics={"recall1": 0.25})
    write_evaluated(folder, QUERIES)
    write_json(folder / "evaluate_result.json", {"done_flag": False, "err_msg": "no list"})
    run = read_run(folder, "one")
    assert (run.metrics, run.queries) == ({"recall1": 0.25}, None)


def test_weights_that_changed_after_the_evaluation_are_told(tmp_path):
    folder = write_evaluated(write_config(tmp_path), QUERIES)
    weights = folder / "best_model/best_model.pdparams"
    write_text(weights, "newer")
    assert "changed after it was evaluated" in read_run(folder, "one").notes[0]
    result = read_json(folder / "evaluate_result.json")
    result["fingerprint"] = fingerprint_file(weights)
    write_json(folder / "evaluate_result.json", result)
    assert read_run(folder, "one").notes == []


def test_a_query_that_is_listed_twice_is_two(tmp_path):
    run = read_run(write_evaluated(write_config(tmp_path), [QUERIES[0], QUERIES[0]]), "one")
    assert [query.key[2] for query in run.queries] == [1, 2]


@pytest.mark.parametrize("root", ["/data/grocery", "../grocery"])
def test_queries_are_known_by_their_place_in_the_dataset(tmp_path, root):
    folder = write_evaluated(write_config(tmp_path, root=root), QUERIES, root=root)
    assert read_run(folder, "one").queries[0].key == ("q/a.png", "x", 1)


def test_queries_of_a_list_with_a_root_of_its_own(tmp_path):
    folder = write_config(tmp_path, Data={"lists": {"query": {"image_root": "/p/pictures"}}})
    write_evaluated(folder, QUERIES, root="/p/pictures")
    assert read_run(folder, "one").queries[1].key[0] == "q/b.png"


class TestFoldersThatAreNone:
    def test_no_folder(self, tmp_path):
        with pytest.raises(RunError, match=r"is not there; Compare\.runs takes"):
            read_run(tmp_path / "none", "one")

    def test_a_folder_of_something_else(self, tmp_path):
        write_text(tmp_path / "notes.txt", "mine")
        with pytest.raises(RunError, match=r"holds no train_result\.json"):
            read_run(tmp_path, "one")

    def test_a_training_that_is_not_finished(self, tmp_path):
        folder = write_trained(write_config(tmp_path), metrics={"recall1": 0.25})
        (folder / "train_result.json").unlink()
        with pytest.raises(RunError, match=r"not finished.*Train\.resume_path"):
            read_run(folder, "one")
        # what was evaluated of it can be compared
        assert read_run(write_evaluated(folder, QUERIES), "one").metrics["recall1"] == 0.5

    def test_a_training_that_failed(self, tmp_path):
        write_config(tmp_path)
        write_json(tmp_path / "train_result.json", {"done_flag": False, "err_msg": "nan!"})
        with pytest.raises(RunError, match="did not come to its end: nan!"):
            read_run(tmp_path, "one")

    def test_a_training_that_was_stopped(self, tmp_path):
        write_config(tmp_path)
        result = {"done_flag": False, "interrupted_by": "SIGTERM"}
        write_json(tmp_path / "train_result.json", result)
        with pytest.raises(RunError, match="did not come to its end: interrupted by SIGTERM"):
            read_run(tmp_path, "one")

    def test_a_training_without_metrics(self, tmp_path):
        with pytest.raises(RunError, match=r"no metrics.*Global\.mode=evaluate"):
            read_run(write_trained(write_config(tmp_path)), "one")

    @pytest.mark.parametrize("text", [None, "a: [", "Global:\n\tmodel: x\n"])
    def test_a_configuration_that_cannot_be_read(self, tmp_path, text):
        write_evaluated(tmp_path, QUERIES)
        if text is not None:
            write_text(tmp_path / "config.yaml", text)
        with pytest.raises(RunError, match=r"config\.yaml cannot be read"):
            read_run(tmp_path, "one")

    @pytest.mark.parametrize("table", ["", "a,b\n1,2\n", "query,label,relevant\nx,y,many\n"])
    def test_a_table_of_something_else(self, tmp_path, table):
        write_evaluated(write_config(tmp_path), QUERIES)
        write_text(tmp_path / "evaluate/queries.csv", table)
        if not table:
            assert read_run(tmp_path, "one").queries == []
            return
        with pytest.raises(RunError, match="not a table that evaluate wrote"):
            read_run(tmp_path, "one")

    def test_a_result_that_is_not_json(self, tmp_path):
        write_evaluated(write_config(tmp_path), QUERIES)
        write_text(tmp_path / "evaluate_result.json", "{")
        with pytest.raises(RunError, match="is not JSON"):
            read_run(tmp_path, "one")


def test_names_are_what_differs():
    assert run_names([Path("out/a"), Path("out/b")]) == ["a", "b"]
    assert run_names([Path("one/x"), Path("two/x")]) == ["one/x", "two/x"]
