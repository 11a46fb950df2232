"""Any order of calls beside a plain dict."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tests.index.database.conftest import make_vectors, oracle_scores
from tests.index.stores import NO_MILVUS, Folder, Milvus, has_milvus
from toolkit.errors import RecordExistsError

_NAMES = st.sampled_from([f"n{number}" for number in range(8)])
_LABELS = st.sampled_from(["a", "b"])


class Beside(RuleBasedStateMachine):
    names = Bundle("names")
    store_of = Folder

    @initialize(data=st.data())
    def begin(self, data):
        self.folder = Path(tempfile.mkdtemp())
        self.store = self.store_of(self.folder / "store")
        self.metric = data.draw(st.sampled_from(self.store.metrics))
        self.model, self.seed = {}, 0
        self.index = self.store.create(dimension=16, metric=self.metric)

    def teardown(self):
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)

    def _vectors(self, n):
        self.seed += 1
        return make_vectors(self.metric, n, seed=self.seed)

    @rule(names=st.lists(_NAMES, max_size=4), label=_LABELS)
    def upsert(self, names, label):
        vectors = self._vectors(len(names))
        self.index.upsert(names, vectors, [{"label": label}] * len(names))
        for name, vector in zip(names, vectors, strict=True):
            self.model.pop(name, None)
            self.model[name] = (vector, label)

    @rule(name=_NAMES, label=_LABELS)
    def add(self, name, label):
        vectors = self._vectors(1)
        if name in self.model:
            with pytest.raises(RecordExistsError):
                self.index.add([name], vectors, [{"label": label}])
        else:
            self.index.add([name], vectors, [{"label": label}])
            self.model[name] = (vectors[0], label)

    @rule(names=st.lists(_NAMES, max_size=3))
    def remove(self, names):
        assert self.index.remove(names) == len(set(names) & self.model.keys())
        for name in names:
            self.model.pop(name, None)

    @rule(label=_LABELS)
    def remove_where(self, label):
        gone = [name for name, (_, its) in self.model.items() if its == label]
        assert self.index.remove_where({"label": label}) == len(gone)
        for name in gone:
            del self.model[name]

    @rule()
    def reopen(self):
        self.index.close()
        self.index = self.store.open()

    @rule(label=st.one_of(st.none(), _LABELS), k=st.integers(1, 9))
    def search(self, label, k):
        query = self._vectors(1)
        where = None if label is None else {"label": label}
        kept = [(n, v) for n, (v, its) in self.model.items() if label in (None, its)]
        hits = self.index.search(query, k, where=where)[0]
        assert len({hit.id for hit in hits}) == len(hits) == min(k, len(kept))
        if kept:
            scores = oracle_scores(self.metric, query[0], np.array([v for _, v in kept]))
            best = sorted(scores, reverse=True)[:k]
            assert [hit.score for hit in hits] == pytest.approx(best, abs=2e-6)

    @invariant()
    def same_records(self):
        if not hasattr(self, "index"):
            return
        assert [(e.id, e.record["label"]) for e in self.index.entries()] == [
            (name, label) for name, (_, label) in self.model.items()
        ]
        assert self.index.count() == len(self.model)


Beside.TestCase.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
TestBeside = Beside.TestCase


class BesideMilvus(Beside):
    store_of = staticmethod(lambda folder: Milvus(folder.with_suffix(".db")))


BesideMilvus.TestCase.settings = settings(max_examples=3, stateful_step_count=15, deadline=None)
TestBesideMilvus = pytest.mark.slow(
    pytest.mark.skipif(not has_milvus, reason=NO_MILVUS)(BesideMilvus.TestCase)
)
