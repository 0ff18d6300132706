# `make run` shows everything running on this machine; `make test` runs every test. Both install what they need first.
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests run test wheel chaos flash-cuts chip image lint bench lock clean
PYTHON := .venv/bin/python
# Let Python cache bytecode: tests start programs hundreds of times.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

setup: ## Install what is missing (into .venv and .cache; Debian packages by apt-get)
	@.ci/setup

setup-tests:
	@.ci/setup --tests

run: setup ## Run broker, bridge and three simulated consoles with busy people; Ctrl-C ends it
	@.venv/bin/trivox run

lint: setup ## Check style, types and import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy --platform win32 --cache-dir .mypy_cache/win32 -p bridge
	.venv/bin/pyright --project firmware/pyright-esp32.json
	.venv/bin/pyright --project firmware/pyright-rp2.json
	PYTHONPATH=firmware .venv/bin/lint-imports

test: setup-tests ## Check style, types and import rules, and run every test (TRIVOX_SEED=N draws other random cases)
	@.ci/check

wheel: setup ## Build what is installed on other machines, and a list of the versions it was tested with, into build/wheel
	@mkdir -p build/wheel
	@.venv/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir build/wheel .
	@grep -oE '^[a-z0-9-]+==[^ ;]+' .ci/lock/host.txt >build/wheel/constraints.txt
	@ls build/wheel/*

chaos: setup-tests ## Break everything and prove that nothing is lost: with all saved seeds, or with SEED= (MINUTES=, CONSOLES=, PICOS=)
	$(if $(SEED),,$(PYTHON) -m tests.chaos.virtual --seeds 300)
	$(PYTHON) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
	  $(if $(CONSOLES),--consoles $(CONSOLES)) $(if $(PICOS),--picos $(PICOS))

flash-cuts: setup-tests ## Cut the power in each flash operation of outbox, flashing and updates (an hour), and simulate thirty busier days
	TRIVOX_EVERY_CUT=1 .venv/bin/pytest -n 3 --dist worksteal -k operation tests/bridge/ops/flash/test_pulled_cable.py \
	  tests/system/test_update_power_cuts.py tests/firmware/test_power_cuts.py
	TRIVOX_EVERY_CUT=1 .venv/bin/pytest tests/firmware/test_thirty_days.py

chip: ## Put the console through its day on an emulated RP2040, and print its figures (first builds MicroPython for it)
	@.ci/setup --tests --image
	.venv/bin/pytest -v -n $(or $(WORKERS),2) --dist worksteal tests/chip -o python_files="test_*.py scenario_*.py"

image: ## Build MicroPython's image for a Pico, with the firmware frozen in, into build/image
	@.ci/setup --image
	python3 firmware/image/build.py build/image

bench: ## Measure performance; each figure has a limit, often measured in the same run
	@.ci/setup --tests --image
	$(PYTHON) -m tests.benchmarks

lock: ## Write the lock files again (needs pip-tools on PATH)
	pip-compile -q --strip-extras --generate-hashes --allow-unsafe --no-header --no-emit-index-url \
	  --no-emit-find-links --no-emit-trusted-host --extra dev -o .ci/lock/host.txt pyproject.toml
	for board in esp32 rp2; do echo "micropython-$$board-stubs" | pip-compile -q --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o .ci/lock/stubs-$$board.txt -; done

clean: ## Remove everything that setup and builds have made
	rm -rf .venv .cache build tests/chip/emulator/node_modules ./*.egg-info
