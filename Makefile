# Sets up, checks and runs the sensor. Everything here works on a fresh Debian machine and is quick the second time: a step
# is done again only when what it is made from changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
# Tests at once. More than the cores of a small machine only wait for each other.
WORKERS ?= 2
# Seconds that each fuzz target runs: a look while working, a search in CI.
FUZZ_SECONDS ?= $(if $(CI),10,2)
# What `make bench` passes on, for example BENCH="--mix small --runs 3".
BENCH ?=

BIN := .venv/bin
DONE := .build/done
CORE := sensor/_core.abi3.so
CARGO := cd sensor/core && cargo
CORE_SOURCES := $(shell find sensor/core -path '*/target' -prune -o -path '*/fuzz' -prune -o \
	\( -name '*.rs' -o -name 'Cargo.*' \) -print)

.PHONY: help
help: ## print this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# ---- setting up

$(DONE):
	@mkdir -p $@

$(DONE)/packages-%: deploy/setup/debian-packages deploy/setup/install.sh | $(DONE)
	@bash deploy/setup/install.sh $*
	@touch $@

# A second mail server for the tests, beside Postfix.
$(DONE)/sendmail: deploy/setup/unpack.sh $(DONE)/packages-test
	@bash deploy/setup/unpack.sh .build/beside sendmail-bin sendmail-cf
	@touch $@

$(DONE)/rust: sensor/core/Cargo.toml deploy/setup/check_rust.sh | $(DONE)
	@bash deploy/setup/check_rust.sh
	@touch $@

$(DONE)/venv: pyproject.toml deploy/setup/constraints.txt $(DONE)/packages-build
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --constraint deploy/setup/constraints.txt pip
	@$(BIN)/python -m pip install --quiet --constraint deploy/setup/constraints.txt --group dev $$( \
		$(BIN)/python deploy/setup/run_time_dependencies.py)
	@touch $@

$(CORE): $(CORE_SOURCES) $(DONE)/venv $(DONE)/rust
	@# pip runs inside: it is to keep to the same versions and to say no more than needed.
	PIP_CONSTRAINT=deploy/setup/constraints.txt PIP_QUIET=1 $(BIN)/maturin develop --quiet --release --locked
	@touch $@

.PHONY: build
build: $(CORE) ## build the core and install the package into .venv

# ---- checking

.PHONY: lint
lint: lint-python lint-rust ## check form, types and who imports whom

.PHONY: lint-python
lint-python: $(DONE)/venv
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: lint-rust
lint-rust: $(DONE)/rust
	$(CARGO) fmt --check
	$(CARGO) clippy --quiet --workspace --all-targets --locked -- -D warnings
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check

.PHONY: test
test: lint test-rust fuzz test-python ## everything: lint, Rust tests, fuzzing, Python tests

.PHONY: test-rust
test-rust: $(DONE)/rust
	$(CARGO) test --quiet --workspace --locked

.PHONY: test-python
test-python: $(CORE) $(DONE)/packages-test $(DONE)/sendmail
	@mkdir -p .build
	$(BIN)/pytest --numprocesses $(WORKERS) | tee .build/pytest.log
	@echo "How often the classifier is right (docs/confusion.md):"
	@$(BIN)/python -m tests.classify.casework --matrix

.PHONY: fuzz
fuzz: $(DONE)/rust $(DONE)/packages-fuzz ## run every fuzz target for FUZZ_SECONDS
	@bash sensor/core/fuzz/run.sh $(FUZZ_SECONDS)

# ---- running

.PHONY: demo
demo: $(CORE) ## the main job: read every capture in pcaps/ and print who forwards
	@# Some captures are damaged on purpose, so "read with damage" (3) is the answer expected here.
	@status=0; $(BIN)/mailsensor replay pcaps/ || status=$$?; [[ $$status == 0 || $$status == 3 ]]

.PHONY: install
install: ## install the service on this Debian (root); INSTALL="--interface eth1" passes options
	bash deploy/install.sh $(INSTALL)

.PHONY: bench
bench: $(CORE) $(DONE)/packages-test ## measure the whole job beside other tools; BENCH="..." passes options
	$(BIN)/python -m benchmarks.whole_job $(BENCH)

.PHONY: bench-detection
bench-detection: $(CORE) ## measure what detectors find in simulated mail; BENCH="..." passes options
	$(BIN)/python -m benchmarks.detection $(or $(BENCH),--seeds 1..5)

.PHONY: captures
captures: $(DONE)/venv ## make the crafted captures anew
	$(BIN)/python -m pcaps.craft

.PHONY: lab
lab: $(DONE)/packages-test $(DONE)/packages-lab ## record the captures of real servers anew (root, Debian)
	/usr/bin/python3 pcaps/lab/make.py

.PHONY: reference
reference: $(CORE) ## write docs/reference from the core's own lists
	$(BIN)/python docs/make_reference.py

.PHONY: dashboards
dashboards: $(DONE)/venv ## write grafana/dashboards from grafana/boards
	$(BIN)/python -m grafana.make

.PHONY: clean
clean: ## remove what was built; the virtual environment too
	rm -rf .build .venv sensor/_core*.so sensor/core/target sensor/core/fuzz/target \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find sensor tests pcaps benchmarks docs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
