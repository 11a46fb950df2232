# The commands of this project; README.md says what each is for.
# On a machine with Python 3.10+ and make, `make demo` and `make test` set up all they need.

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.runtime
TOOLS := .venv/.tools
SLOW := .venv/.slow
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Tests share the cores; a network per core beats a network on all cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

.PHONY: help demo test check test-all fix bench bench-quick conformance docs lock clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 22

demo: $(RUNTIME)  ## the whole path on drawn pictures: check, train, evaluate, export, predict, search
	$(BIN)/python dataset_tools/run_demo.py

test: check  ## what CI runs: format, lint, types, import rules, fast tests
	$(PYTEST)

check: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-all: check $(SLOW)  ## also the slow tests
	$(PYTEST) -m "not gpu and not network"

fix: $(TOOLS)  ## format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(RUNTIME)  ## both sides of every measurement in turn; writes benchmarks/results.json
	$(BIN)/python -m benchmarks.run

bench-quick: $(RUNTIME)  ## the same with few repeats, for a look
	$(BIN)/python -m benchmarks.run --quick

bench-%: $(RUNTIME)
	$(BIN)/python -m benchmarks.run $*

conformance: $(RUNTIME)  ## networks against PaddleClas, TF-slim and Keras; exports against PaddleX; ONNX
	$(BIN)/python -m benchmarks.conformance.paddleclas
	$(BIN)/python -m benchmarks.conformance.oracles
	$(BIN)/python -m benchmarks.conformance.paddlex
	$(BIN)/python -m benchmarks.conformance.onnx
	$(BIN)/python -m benchmarks.conformance.easycv

docs: $(RUNTIME)  ## write the generated pages of docs/
	$(BIN)/python -m docs.generate

lock:  ## choose versions anew (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.10 --extra cpu --extra parquet \
	  --extra onnxruntime --extra openvino --extra kernels --extra service --extra ray --extra object-store \
	  --extra milvus --group dev --group slow --no-annotate --custom-compile-command "make lock" --output-file constraints.txt

clean:  ## remove the environment and all outputs
	rm -rf .venv output build dist *.egg-info

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is " + sys.version if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv .venv

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --upgrade pip setuptools
	# setuptools warns that this folder will be imported as it stands; that is what is wanted.
	PYTHONWARNINGS=ignore $(INSTALL) --no-build-isolation --editable ".[cpu,parquet,onnxruntime,openvino,kernels,service]"
	touch $@

$(TOOLS): $(RUNTIME)
	$(INSTALL) --group dev
	touch $@

# What only the slow tests use: a cluster, an object store and a Milvus on this machine.
$(SLOW): $(TOOLS)
	PYTHONWARNINGS=ignore $(INSTALL) --no-build-isolation --group slow --editable ".[ray,object-store,milvus]"
	touch $@
