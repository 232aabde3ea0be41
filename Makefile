# Everything a fresh machine needs is Python >= 3.11 and make; the rest goes into .venv/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check format bench artifacts lock clean

help:
	@echo "make demo       one trading day of a microgrid, from homes to bills (out/demo/report.html)"
	@echo "make test       the whole test suite"
	@echo "make check      ruff, format, mypy --strict, import-linter, contract-artifact drift"
	@echo "make bench      timings beside a named reference"
	@echo "make format     ruff's fixes and format, in place"
	@echo "make artifacts  recompile contracts/src (needs Node and npm)"
	@echo "make lock       re-pin requirements/ (needs uv)"

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "PETra needs Python >= 3.11; say make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/petra simulate --ledger evm --seed 3 --out out/demo

test: $(READY)
	$(BIN)/python -m pytest -n auto

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.compile --check

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m benchmarks

artifacts: $(READY)
	$(BIN)/python -m contracts.compile --write

lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements/dev.txt

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
