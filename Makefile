# make demo   a voice agent calls three providers through the sidecar, before your eyes
# make test   the tests
# make check  formatting, lint, types
# make bench  the sidecar beside nginx and a minimal proxy
# make image-check  what the Dockerfile says, done without an engine, and the image tried; needs root and debootstrap
# make lock   the newest allowed versions of what goes into the image; UV_OPTIONS=--upgrade renews all of them
# All of them set up .venv first; PYTHON=python3.12 chooses the interpreter, PYTEST=… adds options for pytest.

PYTHON ?= python3
PYTEST ?=
UV_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: demo test check bench image-check lock clean

demo: $(VENV)/.demo
	@$(BIN)/python -m sidecar.lab.demo

test: $(VENV)/.test $(VENV)/.helm
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(PYTEST)

check: $(VENV)/.test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: $(VENV)/.test
	@command -v nginx >/dev/null && command -v wrk >/dev/null || { echo "make bench needs nginx and wrk: apt-get install nginx-light wrk"; exit 1; }
	$(BIN)/python -m tests.benchmarks $(BENCH)

image-check: $(VENV)/.test
	@$(BIN)/python -m tests.image

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-annotate \
  --custom-compile-command "make lock" $(UV_OPTIONS)

lock: $(BIN)/python
	@$(PIP) --quiet "uv>=0.9,<1"
	$(LOCK) --output-file deploy/k8s/image/requirements.lock --extra redis pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | $(LOCK) --output-file deploy/k8s/image/build.lock -

$(VENV)/.demo: $(BIN)/python pyproject.toml
	@echo "Installing agent-sidecar, speech engines and the agent's SDKs into $(VENV): about 300 MB, a minute or two"
	@$(PIP) --editable ".[lab]"
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	@echo "Installing what the tests need into $(VENV): engines, SDKs and tools, about 400 MB"
	@$(PIP) --editable ".[lab,sdks,dev]"
	@touch $@

$(VENV)/.helm: $(BIN)/python tests/deploy/helm.txt tests/deploy/getting_helm.py
	@echo "Putting helm 3 and 4 into $(VENV), for the tests of the chart: 120 MB"
	@$(BIN)/python -m tests.deploy.getting_helm $(BIN)
	@touch $@

# Debian keeps a part of Python's venv in a package of its own. Its pip is too old to find its way through the SDKs'
# requirements in less than an hour, hence the newer one.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "agent-sidecar needs Python 3.11 or later; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		[ `id -u` = 0 ] && command -v apt-get >/dev/null && echo "Installing python3-venv" && apt-get update -qq && apt-get install -qq -y python3-venv; \
	} || { echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) && $(PIP) --quiet --upgrade "pip>=25" || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) build/image .mypy_cache .pytest_cache .ruff_cache .hypothesis
