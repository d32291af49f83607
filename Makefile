# One command for each thing; continuous integration runs these and nothing else.
#
#   make demo    train on real digits, leave a model and pictures in demo/
#   make test    all tests, compared with the newest Keras, which goes into .venv-oracle
#   make backends  PyTorch, TensorFlow and PyTensor beside JAX and NumPy, so that make test tests them too; TORCH, TENSORFLOW name the builds
#   make check   format, lint, types, imports, fast tests: under a minute
#   make bench   a step of fit and a call of predict on each backend beside the peers, which go into .venv-peers; start, memory, the goals: half an hour
#                and more on a quiet machine; QUICK=1 a part of it, within 10 minutes; MNIST=mnist.npz real digits
#   make kernels hot operations beside the engine's own forms and the floor
#   make ops     what is checked of every op, in a table
#   make walk    what is checked of every layer, loss, metric and optimizer, in a table; WALK=tests/layers for these alone
#   make names   names, arguments and members beside Keras's, in a table
#   make lines   lines per folder

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ORACLE := .venv-oracle
PEERS := .venv-peers
MNIST ?= $(firstword $(wildcard $(CORNU_DATA)/datasets/mnist.npz $(HOME)/.keras/datasets/mnist.npz))
WALK ?= tests/layers tests/losses tests/metrics tests/optimizers tests/saving
SOURCES := $(shell find cornu -type f ! -name '*.pyc')
SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile
PIP := -m pip --disable-pip-version-check install --quiet

TORCH ?= torch==2.13.0
TENSORFLOW ?= tensorflow-cpu

.PHONY: demo test backends check types quick bench kernels ops walk names format lines clean

demo: $(VENV)/.installed
	$(BIN)/python examples/demo.py demo

test: $(VENV)/.tools $(ORACLE)/.installed
	CORNU_ORACLE=$(abspath $(ORACLE))/bin/python $(BIN)/python -m pytest $(SIDE)

backends: $(VENV)/.tools
	$(BIN)/python $(PIP) '$(TORCH)' '$(TENSORFLOW)' pytensor
	$(BIN)/python -m pip uninstall --quiet --yes keras  # TensorFlow brings it; the tests ask Keras in .venv-oracle

check: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/check_imports.py
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target types quick

types:
	$(BIN)/pyright --pythonpath $(BIN)/python

quick:
	CORNU_ORACLE=none $(BIN)/python -m pytest --fast

format: $(VENV)/.tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.tools $(PEERS)/.installed
	$(BIN)/python benchmarks/fit.py --oracle $(PEERS) $(if $(MNIST),--mnist $(MNIST)) $(if $(QUICK),--quick)
	$(if $(QUICK),,$(BIN)/python benchmarks/start.py --oracle $(PEERS))
	$(if $(QUICK),,$(BIN)/python benchmarks/memory.py --oracle $(PEERS))
	$(BIN)/python benchmarks/goals.py $(if $(QUICK),fit_quick)

kernels: $(VENV)/.tools $(PEERS)/.installed
	$(BIN)/python benchmarks/ops.py --oracle $(PEERS)
	$(BIN)/python benchmarks/ops_traps.py

ops: $(VENV)/.tools $(ORACLE)/.installed
	CORNU_ORACLE=$(abspath $(ORACLE))/bin/python $(BIN)/python tools/ops_table.py

walk: $(VENV)/.tools $(ORACLE)/.installed
	CORNU_ORACLE=$(abspath $(ORACLE))/bin/python $(BIN)/python tools/walk_table.py $(WALK)

names: $(VENV)/.tools $(ORACLE)/.installed
	CORNU_ORACLE=$(abspath $(ORACLE))/bin/python $(BIN)/python tools/names_table.py

lines:
	$(PYTHON) tools/lines.py

clean:
	rm -rf $(VENV) $(ORACLE) $(PEERS) build dist demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(SOURCES) pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) '.[plot]'
	touch $@

$(VENV)/.tools: pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) --editable '.[dev]'
	touch $@ $(VENV)/.installed

$(ORACLE)/.installed:
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python $(PIP) --upgrade keras jax pillow
	touch $@

$(PEERS)/.installed: benchmarks/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python $(PIP) '$(TORCH)' '$(TENSORFLOW)' --requirement benchmarks/requirements.txt
	touch $@
