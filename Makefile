# Every task a person or CI runs; `make help` lists them.
PYTHON ?= python3
PEERS ?= ../shared/peers
AGAINST ?= HEAD
SEED ?= 0
COUNT ?= 10000
FILES ?=
VENV := .venv
BIN := $(VENV)/bin
MUTATION := .mutation
export PYTHONPATH := $(CURDIR):$(CURDIR)/src
# With it every process of a test compiles what it imports: pytest alone takes 15 s of CPU to collect instead of 8.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help dev test test-containers unit lint format chaos chaos-report mutation containers simulate bench bench-quick bench-peers bench-record contracts boards screenshots demo lock clean

help:  ## List these tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/dev-stamp: requirements-dev.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

dev: $(VENV)/dev-stamp  ## Only make .venv, with pytest and all that the tests and checks need

test: $(VENV)/dev-stamp lint  ## Lint, types, import contracts and every test but chaos, on real servers (under ten minutes)
	# Three files at a time, each with servers of its own (the files that share the whole stack go one after another):
	# two cores wait for two, and four are no faster.
	# What fails beside the others is run once more alone.
	$(BIN)/python -m pytest tests --ignore=tests/chaos --ignore=tests/containers -n 3 --dist loadfile --no-loadscope-reorder \
	  || $(BIN)/python -m pytest tests --ignore=tests/chaos --ignore=tests/containers --last-failed --last-failed-no-failures none

chaos-report: $(VENV)/dev-stamp  ## A page of docs/chaos from the report of a chaos run (DIR=...; needs chromium)
	$(BIN)/python -m tests.shop.support.chaos_report $(DIR)

$(MUTATION)/stamp: requirements-mutation.lock
	test -x $(MUTATION)/bin/python || $(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutation.lock
	touch $@

mutation: $(VENV)/dev-stamp $(MUTATION)/stamp  ## Change one decision of the core at a time: a test has to fail (FILES=src/ordersaga/...; docs/CHAOS.md; hours)
	$(MUTATION)/bin/python -m tests.mutation.make $(FILES) > $(MUTATION)/mutants.jsonl
	rm -f $(MUTATION)/results.jsonl
	$(BIN)/python -m tests.mutation.judge $(MUTATION)/results.jsonl < $(MUTATION)/mutants.jsonl
	$(BIN)/python -m tests.mutation.report $(MUTATION)/results.jsonl

test-containers: $(VENV)/dev-stamp  ## The same tests on the images of compose.yaml (needs a Docker engine; docs/GUARANTEES.md)
	TEST_SERVERS=containers $(BIN)/python -m pytest tests --ignore=tests/chaos --ignore=tests/containers -n 2 --dist loadfile --no-loadscope-reorder

unit: $(VENV)/dev-stamp  ## Only the tests that need no server
	$(BIN)/python -m pytest tests/library/unit tests/shop/unit

lint: $(VENV)/dev-stamp  ## ruff, mypy --strict, the import contracts, and the messages' contracts against AGAINST=HEAD
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	! git rev-parse -q --verify HEAD >/dev/null 2>&1 || $(BIN)/python -m ordersaga.cli --app shop:services contracts check --against $(AGAINST)

format: $(VENV)/dev-stamp  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(VENV)/dev-stamp  ## Long torture runs on real servers
	$(BIN)/python -m pytest tests/chaos --timeout=1800

containers: $(VENV)/dev-stamp  ## compose.yaml on a Docker engine: from nothing to nothing, and a cluster that loses nodes (ten minutes)
	$(BIN)/python -m pytest tests/containers -rA --timeout=1800

simulate: $(VENV)/dev-stamp  ## COUNT=10000 schedules from SEED=0 on, in a simulation of the servers (docs/SIMULATION.md)
	$(BIN)/python -m tests.simulation --seed $(SEED) --count $(COUNT) $(if $(KIND),--kind $(KIND))

bench: $(VENV)/dev-stamp  ## Every figure beside its reference of the same run (at most ten minutes; docs/BENCHMARKS.md)
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/dev-stamp  ## The same with fewer rounds and rows, and without the read side (about a minute)
	$(BIN)/python -m benchmarks --quick

bench-peers: $(VENV)/dev-stamp  ## What a user would pick instead, and ours, in one harness (PEERS=DIR; QUICK=1: the sagas once)
	$(BIN)/python -m benchmarks.peers --peers $(PEERS) $(if $(QUICK),--quick) $(if $(SECTIONS),--sections $(SECTIONS))

bench-record: $(VENV)/dev-stamp  ## All figures and plots that the documents show, on a quiet machine (an hour; QUICK=1: half)
	$(BIN)/python -m benchmarks --baseline
	$(BIN)/python -m benchmarks.steady --keep
	$(BIN)/python -m benchmarks.overload --keep
	# Without the harness the figures of the peers stay; wrong ones are written too, and fail the task.
	status=0; if test -d $(PEERS); then $(BIN)/python -m benchmarks.peers --peers $(PEERS) --keep $(if $(QUICK),--quick) \
	  || status=$$?; else echo "There is no $(PEERS): name the peers' harness with PEERS=DIR." >&2; fi; \
	$(BIN)/python -m benchmarks.report && exit $$status

contracts: $(VENV)/dev-stamp  ## AsyncAPI and JSON Schemas of the contracts in docs/contracts, from the code
	$(BIN)/python -m ordersaga.cli --app shop:services contracts asyncapi --out docs/contracts
	$(BIN)/python -m ordersaga.cli --app shop:services contracts schemas --out docs/contracts

boards: $(VENV)/dev-stamp  ## The Grafana boards in observability/grafana/boards, from observability/boards.py
	$(BIN)/python -m observability.boards

screenshots: $(VENV)/dev-stamp  ## Pictures of the dashboard in docs/screenshots (needs chromium, takes some minutes)
	$(BIN)/python -m tests.shop.support.screenshots

demo:  ## The whole saga, from nothing, with a verdict
	./ordersaga demo

lock: $(VENV)/dev-stamp  ## Compile the lock files again (needs uv)
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --all-extras --group shop pyproject.toml -o requirements.lock
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --all-extras --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --group mutation -o requirements-mutation.lock

clean:  ## Remove the virtual environments and all state of the default stack
	rm -rf $(VENV) $(MUTATION) .ordersaga
