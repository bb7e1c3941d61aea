# Two commands for a fresh machine: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export MUJOCO_GL ?= egl

.PHONY: demo test check results clean

demo: $(VENV)/.demo
	@$(BIN)/vlp run "put the red cube in the green bowl" --world tabletop --seed 11 --change "4: no, put it on the white plate" --out runs/demo --force
	@echo "Open runs/demo/report.html, or watch runs/demo/run.mp4."

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile
	$(MAKE) --no-print-directory check

check: $(VENV)/.dev
	$(BIN)/ruff check src tests examples
	$(BIN)/pyright src

$(VENV)/.demo: pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh $(VENV) robot,sim,models,view
	@touch $@

$(VENV)/.dev: pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh $(VENV) dev
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) runs
