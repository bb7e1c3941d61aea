# Two commands for a fresh machine: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CODE := src tests examples recipes tools
export MUJOCO_GL ?= egl

.PHONY: demo quick soak dependencies test tests test-all test-serving check docs clean

# The main job with one change of mind midway, on the embedded model; the scene is of the test split.
DEMO := "put the red cube in the green bowl" --seed 20009802 --change "4: no, put it in the orange bowl"

demo: $(VENV)/.demo
	@$(BIN)/vlp run $(DEMO) --out runs/demo --force; status=$$?; \
	echo "The whole story: runs/demo/report.html. The film: runs/demo/run.mp4. As data: runs/demo/result.json."; \
	exit $$status

# What to run while you work: under a minute on two cores, without torch and mujoco. Types are checked in changed files only.
CHANGED = $(shell git diff --name-only --diff-filter=d HEAD -- '*.py')
QUICK := tests/core tests/journal tests/policy tests/primitives tests/prompt tests/understanding/test_stopping.py \
	tests/robot/test_arguments.py tests/robot/test_conformance.py tests/robot/test_fake.py tests/data/test_store.py tests/data/test_import.py \
	tests/cli/test_cli_main.py tests/cli/test_cli_policy.py tests/docs/test_listed.py tests/test_architecture.py tests/test_version.py

quick: $(VENV)/.dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(if $(CHANGED),$(BIN)/pyright --pythonpath $(BIN)/python $(CHANGED))
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'not slow' $(QUICK)

# The checks run beside the tests, which wait for a third of their time.
test: $(VENV)/.dev
	$(MAKE) --no-print-directory -j 2 tests check

# Two processes of one thread each: with two threads each they wait for one another, and a training takes twice as long.
# Those marked as long are left to `make test-all`: whole guides, clusters, kills by the hundred, bodies at work.
TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder
tests: $(VENV)/.dev
	$(TESTS) -m 'not long'

test-all: $(VENV)/.dev
	$(MAKE) --no-print-directory check
	$(TESTS)

# Installs vLLM in an environment of its own (6 GB) and serves nano with it; takes minutes, so `make test` leaves it out.
VLLM_VENV ?= .venv-vllm
test-serving: $(VENV)/.dev $(VLLM_VENV)/.done
	VLP_VLLM_PYTHON=$(abspath $(VLLM_VENV))/bin/python $(BIN)/python -m pytest -q tests/serving

$(VLLM_VENV)/.done: tools/install_vllm.sh
	PYTHON="$(PYTHON)" sh tools/install_vllm.sh $(VLLM_VENV)
	@touch $@

# The long form of what docs/safety.md promises; bounded in time, goes on where it stopped.
soak: $(VENV)/.dev
	MUJOCO_GL=egl $(BIN)/python recipes/soak.py --minutes $(or $(MINUTES),60)

# A bill of materials of the development environment, and known advisories (ASK=all: of every package in it).
dependencies: $(VENV)/.dev .venv-audit/.done
	$(BIN)/python tools/dependencies.py --tools .venv-audit/bin --ask $(or $(ASK),direct) > docs/results/dependencies.md

.venv-audit/.done:
	"$(PYTHON)" -m venv .venv-audit
	.venv-audit/bin/pip install -q "cyclonedx-bom>=7" "pip-audit>=2.9"
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.dev
	$(BIN)/python tools/write_reference.py
	$(BIN)/mkdocs build --strict -q -d build/site

$(VENV)/.demo: pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh $(VENV) robot,sim,models,view
	@touch $@

$(VENV)/.dev: pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh $(VENV) dev
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) $(VLLM_VENV) .venv-audit runs build
