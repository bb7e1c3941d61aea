# Two commands for a fresh machine: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export MUJOCO_GL ?= egl

.PHONY: demo test test-serving check clean

# The main job with one change of mind midway, on the embedded model; the scene is of the test split.
DEMO := "put the red cube in the green bowl" --seed 20009802 --change "4: no, put it in the orange bowl"

demo: $(VENV)/.demo
	@$(BIN)/vlp run $(DEMO) --out runs/demo --force; status=$$?; \
	echo "The whole story: runs/demo/report.html. The film: runs/demo/run.mp4. As data: runs/demo/result.json."; \
	exit $$status

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile
	$(MAKE) --no-print-directory check

# Installs vLLM in an environment of its own (6 GB) and serves nano with it; takes minutes, so `make test` leaves it out.
VLLM_VENV ?= .venv-vllm
test-serving: $(VENV)/.dev $(VLLM_VENV)/.done
	VLP_VLLM_PYTHON=$(abspath $(VLLM_VENV))/bin/python $(BIN)/python -m pytest -q tests/serving

$(VLLM_VENV)/.done: tools/install_vllm.sh
	PYTHON="$(PYTHON)" sh tools/install_vllm.sh $(VLLM_VENV)
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff check src tests examples recipes
	$(BIN)/pyright --pythonpath $(BIN)/python src

$(VENV)/.demo: pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh $(VENV) robot,sim,models,view
	@touch $@

$(VENV)/.dev: pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh $(VENV) dev
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) $(VLLM_VENV) runs
