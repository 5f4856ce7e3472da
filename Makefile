# make demo       train a tiny model from scratch and see execution accuracy rise (8 minutes)
# make demo-verl  the same, with verl for the reinforcement learning
# make test       the whole suite
# make check      the fast inner loop: lint, types, import rules, unit and property tests
#
# The first run makes .venv and installs into it; later runs start at once. A machine without an
# NVIDIA GPU gets PyTorch's CPU build; a torch that is in .venv already is kept. JOBS test files run at a time.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
TORCH ?= torch==2.13.0
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
SOURCES := sql_env rewards trainers benchmarks tests docs

.PHONY: demo demo-verl test check lint docs format lock clean
.PHONY: notice

demo: notice $(VENV)/.train
	$(PY) -m trainers.demo $(ARGS)

demo-verl: notice $(VENV)/.verl
	$(PY) -m trainers.demo --backend verl $(ARGS)

notice:
	@test -e $(VENV)/.train || echo "about 2.5 GB are downloaded and installed into $(VENV) (more with an \
NVIDIA GPU), once; then the demo takes about 8 minutes on two idle cores, or 20 with verl"

test: $(VENV)/.dev lint
	$(PY) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: $(VENV)/.dev lint
	$(PY) -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(ARGS)

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check $(SOURCES)
	$(VENV)/bin/ruff format --check $(SOURCES)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix $(SOURCES)
	$(VENV)/bin/ruff format $(SOURCES)

docs: $(VENV)/.dev
	$(PY) -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lock: $(VENV)/.dev
	$(PIP) install --quiet -e '.[trl,verl,bench,eval]' --group dev
	{ sed -n '/^#/p;/^torch==/p' constraints.txt; $(PIP) freeze --exclude-editable --exclude torch; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "making a virtual environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'

$(VENV)/.torch: | $(PY)
	@if $(PY) -c 'import torch' 2>/dev/null; then echo "keeping the torch that is installed"; \
	elif command -v nvidia-smi >/dev/null 2>&1; then \
	  echo "an NVIDIA GPU: installing $(TORCH)"; $(PIP) install --quiet '$(TORCH)'; \
	else \
	  echo "no NVIDIA GPU: installing the CPU build of $(TORCH)"; \
	  $(PIP) install --quiet --no-deps --retries 1 --timeout 20 --extra-index-url $(TORCH_CPU_INDEX) '$(TORCH)'; \
	fi
	@touch $@

$(VENV)/.train: pyproject.toml constraints.txt $(VENV)/.torch
	@echo "installing sql-env and what training needs (a minute or two, once)"
	$(PIP) install --quiet -c constraints.txt -e '.[trl]'
	@touch $@

$(VENV)/.verl: pyproject.toml constraints.txt $(VENV)/.torch
	@echo "installing sql-env and what training with verl needs (a few minutes, once)"
	$(PIP) install --quiet -c constraints.txt -e '.[trl,verl]'
	@touch $@ $(VENV)/.train

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.torch
	@echo "installing sql-env, what training with TRL and verl needs, and the development tools (a few minutes, once)"
	$(PIP) install --quiet -c constraints.txt -e '.[trl,verl,bench,eval]' --group dev
	@touch $@ $(VENV)/.train $(VENV)/.verl
