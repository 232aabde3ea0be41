# Everything a fresh machine needs is Python >= 3.11 and make; the rest goes into .venv/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two steps of set-up: what runs PETra, and on top of it what checks it.
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
PIP := $(BIN)/pip --quiet --disable-pip-version-check
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --quiet

.PHONY: help demo test soak-meter check format bench bench-ledger bench-meter bench-bidstore soak-bidstore soak-operating soak-chaos privacy fuzz artifacts \
	forge slither lock clean

help:
	@echo "make demo       one trading day of a microgrid, from homes to bills (out/demo/report.html)"
	@echo "make test       the whole test suite"
	@echo "make soak-meter a day of a meter killed 200 times: journal, notes, bills (6 to 15 min)"
	@echo "make check      ruff, format, mypy --strict, import-linter, contract-artifact drift"
	@echo "make bench      timings beside a named reference"
	@echo "make bench-ledger  gas, speed and homes served (needs npm ci in contracts/)"
	@echo "make bench-meter  private statements and meters beside a named reference (minutes)"
	@echo "make bench-bidstore  the bid store beside numpy and HiGHS"
	@echo "make soak-bidstore   20 000 orders by 200 clients on three replicas that are killed (minutes)"
	@echo "make soak-operating  docs/operating.md line by line, a trade by hand, tors that are killed (minutes)"
	@echo "make soak-chaos      a village in which everything goes wrong, and its audit; SEED=N repeats a run (minutes)"
	@echo "make privacy    a day of 18 homes, and whether adversaries link its notes better than the gate"
	@echo "make fuzz       random transactions to both ledgers, for longer; SEED=N repeats a run"
	@echo "make format     ruff's fixes and format, in place"
	@echo "make artifacts  recompile contracts/src (needs Node and npm)"
	@echo "make forge      property tests of the contract in Solidity (needs Node and npm)"
	@echo "make slither    static analysis of contracts/src (needs Node and npm)"
	@echo "make lock       re-pin requirements/ (needs uv)"

# Modules are compiled when first imported, which halves the set-up; so let Python keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

$(RUN): requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "PETra needs Python >= 3.11; say make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-compile --no-deps --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(RUN)

$(DEV): requirements/dev.txt $(RUN)
	$(PIP) install --no-compile --no-deps --require-hashes -r requirements/dev.txt
	@touch $(DEV)

demo: $(RUN)
	@$(BIN)/petra simulate --ledger evm --seed 3 --out out/demo

test: $(DEV)
	$(BIN)/python -m pytest -n auto -m "not soak" --durations=20

soak-meter: $(DEV)
	$(BIN)/python -m pytest -m soak tests/smartmeter tests/e2e/test_meter_killed.py

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.compile --check

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)
	$(BIN)/python -m benchmarks

bench-ledger: $(DEV)
	$(BIN)/python -m benchmarks.ledger

bench-meter: $(DEV)
	$(BIN)/python -m benchmarks meter

privacy: $(RUN)
	@$(BIN)/petra simulate --ledger spec --seed 3 --out out/privacy
	@$(BIN)/petra privacy measure out/privacy

bench-bidstore: $(DEV)
	$(BIN)/python -m benchmarks bidstore

SOAK_ORDERS ?= 20000
SOAK_CLIENTS ?= 200

soak-bidstore: $(DEV)
	PETRA_SOAK_ORDERS=$(SOAK_ORDERS) PETRA_SOAK_CLIENTS=$(SOAK_CLIENTS) $(BIN)/python -m pytest -s \
		tests/bidstore/service/test_replicas.py -k long_run

SEED ?= $(shell date +%s)
STEPS ?= 20000

fuzz: $(DEV)
	@echo "SEED=$(SEED) STEPS=$(STEPS)"
	PETRA_FUZZ=$(SEED) PETRA_FUZZ_STEPS=$(STEPS) $(BIN)/python -m pytest -n auto tests/differential

soak-operating: $(DEV)
	$(BIN)/python -m pytest -m soak tests/e2e/test_operating.py tests/e2e/test_wallet_trade.py tests/e2e/test_tor_keeper.py

soak-chaos: $(DEV)
	@echo "SEED=$(SEED)"
	PETRA_CHAOS_SEED=$(SEED) $(BIN)/python -m pytest -s -m soak tests/e2e/test_chaos.py

artifacts: $(DEV)
	$(BIN)/python -m contracts.compile --write

FORGE := contracts/node_modules/.bin/forge

$(FORGE): contracts/package-lock.json
	cd contracts && npm ci --no-audit --no-fund
	@touch $(FORGE)

forge: $(FORGE)
	cd contracts && node_modules/.bin/forge test

# Slither pins other versions than PETra does, so it has an environment of its own.
SLITHER := build/slither/bin/slither
SLITHER_VERSION := 0.11.6

$(SLITHER):
	$(PYTHON) -m venv build/slither
	build/slither/bin/pip install --quiet --disable-pip-version-check slither-analyzer==$(SLITHER_VERSION)

slither: $(SLITHER) $(FORGE)
	cd contracts && PATH=$$PWD/node_modules/.bin:$$PATH ../$(SLITHER) . --config-file slither.json --fail-low

lock:
	$(LOCK) --extra evm --extra homes --extra report --extra build -o requirements/run.txt
	$(LOCK) --all-extras -c requirements/run.txt -o requirements/dev.txt

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
