.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
REAL := tests/browser tests/integration tests/e2e  # on real parts; two workers, one of them for the browser

# The newest Python from 3.11 to 3.13 whose command really starts (a version manager's shim may only print a complaint).
FIND_PYTHON = for p in python3 python3.13 python3.12 python3.11; do \
	  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; exit; }; done

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## .venv/ with everything pinned in constraints.txt; nothing to do when up to date

$(STAMP): pyproject.toml constraints.txt
	@python="$$($(FIND_PYTHON))"; \
	  [ -n "$$python" ] || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found on PATH." >&2; exit 1; }; \
	  [ -x $(PY) ] || { echo "making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV); }
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[stack,dev]'
	@$(PY) -m compileall -q services deploy  # once, not by ten processes at once when they first start
	@touch $@

.PHONY: up
up: install ## start the local stack and the services; returns when all are ready
	@$(PY) -m deploy.stack up

.PHONY: down
down: install ## stop what `up` started; WIPE=1 removes its data too
	@$(PY) -m deploy.stack down

.PHONY: status
status: install ## what runs, on which port, and whether it is well
	@$(PY) -m deploy.stack status

.PHONY: demo
demo: install ## one simulated day of traffic on the local stack, and a table; ONCE=1 stops what it started
	@$(PY) -m deploy.demo

.PHONY: format
format: install ## write the format and the safe fixes
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

.PHONY: check
check: install ## format, lint, types, unit and contract tests
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m pytest -q --numprocesses 2 --dist worksteal tests/unit tests/contract

.PHONY: contracts
contracts: install ## write JSON Schemas and AsyncAPI from the models
	@$(PY) -m services.common.contracts

.PHONY: lifecycle
lifecycle: install ## write deploy/lifecycle.md, the guide, from the code and the stories
	@$(PY) -m deploy.lifecycle

.PHONY: figures
figures: install ## write deploy/figures.md, what each figure means, from services/reporting/figures/definitions.yaml
	@$(PY) -m deploy.figures

.PHONY: train
train: install ## make the classifier's model and its report anew from services/routing/training/; about 3 minutes
	@$(PY) -m services.routing train

.PHONY: test
test: install ## every test that is no long run; says on which broker and database it stands
	@$(PY) -m pytest --numprocesses 2 --dist worksteal tests/unit tests/contract
	@$(PY) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations=25 -m "not faults and not long" $(REAL)
	@$(PY) -m pytest --durations=5 -m "faults and not long" $(REAL)

.PHONY: test-long
test-long: install ## what takes minutes: the outage, chaos, patience and a recorded day of WhatsApp on the whole stack, the image without an engine, a city's history
	@$(PY) -m pytest --timeout 1800 -m long $(REAL)

.PHONY: coverage
coverage: install ## the same with coverage in the tests' own processes; slower
	@$(PY) -m pytest --cov --cov-report= --numprocesses 2 --dist worksteal tests/unit tests/contract
	@$(PY) -m pytest --cov --cov-append --cov-report=term --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not faults and not long" $(REAL)

.PHONY: bench
bench: bench-tools ## how fast it is, each figure beside its peer: intake, routing, journey, projector; about 10 minutes (Go)
	@$(PY) -m tests.bench $(SUBJECTS)

.PHONY: soak
soak: bench-tools ## 100 requests/s on everything for half an hour: each process's memory, and what is behind (Go)
	@$(PY) -m tests.bench.soak

.PHONY: bench-tools
bench-tools: install .cache/vegeta/vegeta .cache/bench-peers/.installed ## the load tool (Go) and the peers' packages, apart from ours

.cache/vegeta/vegeta:
	@GOBIN="$(CURDIR)/.cache/vegeta" go install github.com/tsenart/vegeta/v12@v12.13.0

.cache/bench-peers/.installed: tests/bench/peers.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .cache/bench-peers --requirement $<
	@touch $@

.PHONY: bench-desk
bench-desk: up ## how long a suggestion takes at the operator's desk, in Chromium; the limit is 150 ms
	@$(PY) -m tests.bench.desk_suggest --run-dir "$${RUN_DIR:-.run}"

.PHONY: secantusd-rs
secantusd-rs: ## build the faster local database once, about 15 minutes (Rust, CMake); MONGO=secantusd-rs then uses it
	@cargo install secantus-mdb@0.5.3-beta.196 --ignore-rust-version --root .cache/secantus-mdb-0.5.3-beta.196

.PHONY: verify
verify: install ## do topics and reporting agree on every request of every day? FROM=day TO=day
	@$(PY) -m deploy.verify $(if $(FROM),--from "$(FROM)") $(if $(TO),--to "$(TO)")

.PHONY: backup
backup: install ## copy the running system's state into a new folder: TO=folder
	@[ -n "$(TO)" ] || { echo "TO=folder is needed: a new one, for this backup alone" >&2; exit 2; }
	@$(PY) -m deploy.backup "$(TO)"

.PHONY: restore
restore: install ## a new stack (RUN_DIR=folder) from a backup: FROM=folder; then verify
	@[ -n "$(FROM)" ] || { echo "FROM=folder is needed: one that make backup made" >&2; exit 2; }
	@$(PY) -m deploy.restore secrets "$(FROM)"
	@$(PY) -m deploy.stack start-infra
	@$(PY) -m deploy.restore load "$(FROM)"
	@$(PY) -m deploy.stack up
	@$(PY) -m deploy.verify --patience 120

.PHONY: bench-notify
bench-notify: install ## how fast messages go through ledger and outbox, and how soon a provider is called
	@$(PY) -m tests.bench.notify_outbox

.PHONY: bench-reports
bench-reports: install ## every figure of a million invented requests over HTTP, the list and the exports; about 8 minutes
	@$(PY) -m tests.bench.reports

.PHONY: faults
faults: install ## every fault on three brokers under load, then the account (Apache Kafka); SEED=1; about 15 minutes
	@$(PY) -m tests.faults.suite --requests 20000 --minutes 10 --seed $(or $(SEED),1)

.PHONY: faults-chaos
faults-chaos: install ## providers that time out, fail and say things twice; notify killed ten times (Apache Kafka); about 5 minutes
	@$(PY) -m tests.faults.chaos --transitions 2000 --kills 10

.PHONY: faults-short
faults-short: install ## kill intake, routing, notify and projector under load, then count (Apache Kafka); about 2 minutes
	@$(PY) -m tests.faults.kill_matrix --requests 1500 --rate 25 --kills 2

.PHONY: faults-outage
faults-outage: install ## Kafka stopped under load, intake killed meanwhile; a full spool; two instances at once (Apache Kafka)
	@$(PY) -m tests.faults.outage

.PHONY: faults-alarms
faults-alarms: install ## 10,000 alarms due in one second, routing killed meanwhile: each goes off once (Apache Kafka); about 6 minutes
	@$(PY) -m tests.faults.alarms

.PHONY: faults-backlog
faults-backlog: install ## emergencies over HTTP while routing works off 10,000 requests; about 3 minutes
	@$(PY) -m tests.faults.backlog
