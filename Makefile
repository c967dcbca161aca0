# The table of contents: `make help` lists what this repository can do.
# Needs git, make and Python 3.11 to 3.13; everything else goes into .venv.

#: SCALE=default          smoke (minutes) | default (30 minutes on 2 cores) | paper (for a GPU)
#: DEVICE=auto            auto | cpu | cuda
#: ARGS=                  overrides for Hydra, e.g. ARGS="train.learning_rate=1e-4 scale.seeds=3"
#: EXPERIMENTS=...        which experiments, by comma or space; all of them unless said
#: OUTPUTS=outputs        the folder that runs and the report go to
#: COMMIT=                the commits of the rows that `make results` shows, where they are not the checkout's
#: PYTHON=python3         the Python (3.11 to 3.13) that .venv is made from
SCALE ?= default
DEVICE ?= auto
ARGS ?=
MAIN := gaussian equitability
ASIDE := accuracy comparison dimension# hours of it: targets of their own
EXPERIMENTS ?= $(MAIN) $(filter-out $(MAIN) $(ASIDE),$(sort $(basename $(notdir $(wildcard configs/experiment/*.yaml)))))
OUTPUTS ?= outputs
COMMIT ?=
PYTHON ?= python3

VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.installed
LOG := $(VENV)/install.log
comma := ,
# OUTPUTS as one word for the shell and as one value for Hydra, whatever its characters are.
quoted = '$(subst ','\'',$(1))'
FOLDER := $(call quoted,$(value OUTPUTS))
PLAIN := $(shell printf %s $(FOLDER) | LC_ALL=C grep -Ex '[A-Za-z0-9_./-]+')
HYDRA_OUTPUTS := $(call quoted,outputs=$(if $(PLAIN),$(PLAIN),'$(subst ',\',$(value OUTPUTS))'))
space := $() $()
SUPPORTED := (3, 11) <= sys.version_info[:2] <= (3, 13)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install test test-all faults lint docs smoke reproduce benchmark-accuracy comparison dimension figures report results status bench dependence conditional verdict growth time-to-accuracy cuda scale-out dist ray clean clean-all lock

help: ## show this list
	@echo "make <target> [VARIABLE=value ...]"
	@echo
	@sed -nE 's/^([a-z][a-z-]*):[^#]*## (.*)$$/\1|\2/p' Makefile | awk -F'|' '{printf "  %-20s %s\n", $$1, $$2}'
	@echo
	@sed -nE 's/^#: /  /p' Makefile

install: $(READY) ## make .venv and install the locked dependencies and the package

test: $(READY) ## the tests but the slow ones (minutes)
	$(RUN) -m pytest -n 2

test-all: $(READY) ## every test, the slow ones too
	$(RUN) -m pytest -n 2 -m "not faults"

faults: $(READY) ## kill, starve and corrupt real runs; a table of what they lost
	$(RUN) -m pytest -m faults tests/faults

lint: $(READY) ## style, formatting and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports --no-cache --no-logo

docs: $(READY) ## build the site into docs/_build/html; a warning is an error
	$(RUN) -m sphinx -n -W --keep-going -q -b html docs docs/_build/html
	@echo "Site: docs/_build/html/index.html"

smoke: $(READY) ## reproduce at SCALE=smoke: the whole way through, in minutes
	@$(call reproduce_at,smoke)

reproduce: $(READY) ## run EXPERIMENTS at SCALE, then the figures, claims and report
	@$(call reproduce_at,$(SCALE))

benchmark-accuracy: $(READY) ## every method on the tasks that auto was developed on: docs/accuracy-tables.md
	$(RUN) -m experiments experiment=accuracy scale=$(SCALE) device=$(DEVICE) $(HYDRA_OUTPUTS) $(ARGS)
	@$(RUN) -m experiments.suite.report.accuracy_page --outputs $(FOLDER) --scale $(SCALE) > $(FOLDER)/accuracy-tables.md
	@echo "Tables:" $(FOLDER)/accuracy-tables.md

comparison: $(READY) ## the 40 tasks of Beyond Normal beside other estimators: docs/comparison.md
	$(RUN) -m experiments experiment=comparison scale=$(SCALE) device=$(DEVICE) $(HYDRA_OUTPUTS) $(ARGS)
	@$(RUN) -m experiments.suite.report.comparison_page --outputs $(FOLDER) --scale $(SCALE)

dimension: $(READY) ## four laws in 8 to 64 columns, up to 12 nats, beside printed runs: docs/dimension.md
	$(RUN) -m experiments experiment=dimension scale=$(SCALE) device=$(DEVICE) $(HYDRA_OUTPUTS) $(ARGS)
	@$(RUN) -m experiments.suite.report.dimension_page --outputs $(FOLDER) --scale $(SCALE)

figures: $(READY) ## draw the figures again, from the rows alone
	$(RUN) -m experiments.suite.report --outputs $(FOLDER) --scale "$(SCALE)" --figures-only

report: $(READY) ## write figures, claims, results.csv and the report, from the rows alone
	$(RUN) -m experiments.suite.report --outputs $(FOLDER) --scale "$(SCALE)"

results: $(READY) ## docs/results, and the tables of the results pages, of a whole run in OUTPUTS
	@$(RUN) -m experiments.suite.report.results --outputs $(FOLDER) --scale "$(SCALE)" --commit $(COMMIT) --without $(ASIDE)

status: $(READY) ## every run with its state, cells done, pace and time left
	@$(RUN) -m experiments.suite.report.status --outputs $(FOLDER)

bench: $(READY) ## microseconds per network-step against three baselines
	$(RUN) -m benchmarks $(ARGS)
	$(RUN) -m benchmarks.checkpointing

dependence: $(READY) ## how often intervals and p-values err on rows that hang together (an hour; it resumes)
	$(RUN) -m benchmarks.dependence --out "$(OUTPUTS)/dependence/rows.csv" $(ARGS)

conditional: $(READY) ## how often conditional p-values see what is not there (ten minutes; it resumes)
	$(RUN) -m benchmarks.conditional --out "$(OUTPUTS)/conditional/rows.csv" $(ARGS)

verdict: $(READY) ## how often the verdict on an estimate is right (half an hour; it resumes)
	$(RUN) -m benchmarks.verdict --out "$(OUTPUTS)/verdict/rows.csv" $(ARGS)

growth: $(READY) ## cost and memory as rows, columns, networks and pairs grow (half an hour; it resumes)
	$(RUN) -m benchmarks.growth --out $(FOLDER)/growth $(ARGS)

time-to-accuracy: $(READY) ## seconds until the error stays small, beside two plain loops (ten minutes; it resumes)
	$(RUN) -m benchmarks.time_to_accuracy --out $(FOLDER)/time_to_accuracy $(ARGS)

cuda: $(READY) ## what must hold on a GPU, how fast it is, and the panels at scale paper (8 minutes)
	$(RUN) -m benchmarks.cuda --out $(FOLDER)/cuda $(ARGS)

scale-out: $(READY) ## what a grid gains from 1 to 1,000 workers, simulated from measured costs
	$(RUN) -m benchmarks.scale_out --out $(FOLDER)/scale_out $(ARGS)

dist: $(READY) ## build the wheel and the source distribution into dist/, and check both
	rm -rf dist
	$(RUN) -m build --no-isolation --outdir dist .
	$(RUN) -m twine check --strict dist/*

# Ray's launcher wants cloudpickle below 3, and so an older joblib and boto's dateutil.
ray: ## make .venv-ray, for sweeps with hydra/launcher=ray
	$(call check_python)
	$(PYTHON) -m venv .venv-ray
	grep -vE '^(cloudpickle|joblib|python-dateutil)==' constraints.txt > .venv-ray/constraints.txt
	.venv-ray/bin/python -m pip install -c .venv-ray/constraints.txt setuptools hatchling editables
	.venv-ray/bin/python -m pip install -c .venv-ray/constraints.txt --no-build-isolation -e ".[experiments,ray]"

clean: ## remove OUTPUTS and the caches; .venv stays
	@case $(FOLDER) in \
	  */* | *..*) refused=1 ;; \
	  outputs*) refused= ;; \
	  *) refused=1 ;; \
	esac; \
	if [ -n "$$refused" ]; then \
	  echo 'expected OUTPUTS to be a folder here whose name begins with "outputs", got '$(FOLDER)': remove it by hand' >&2; \
	  exit 2; \
	fi
	rm -rf $(FOLDER) multirun build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

clean-all: clean ## remove .venv too
	rm -rf $(VENV) .venv-ray .lock-venv

lock: ## renew constraints.txt with the newest versions that pyproject.toml allows
	$(call check_python)
	rm -rf .lock-venv
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install setuptools hatchling editables
	.lock-venv/bin/python -m pip install --no-build-isolation -e ".[all]"
	{ sed -n '/^#/p' constraints.txt; \
	  .lock-venv/bin/python -m pip freeze --all --exclude-editable \
	  | grep -vE '^(pip|triton|nvidia-[a-z0-9-]*|cuda-[a-z0-9-]*)==' | sed -E 's/\+[A-Za-z0-9.]+$$//' \
	  | LC_ALL=C sort -f; } > constraints.new
	mv constraints.new constraints.txt
	rm -rf .lock-venv

# .installing is there from the first step to the last: where it is found at the start, the last set-up was
# cut short (a package may be half there), and .venv is made anew.
$(READY): pyproject.toml constraints.txt
	@if [ -e $(VENV)/.installing ] || ! $(RUN) -c 'import pip, sys; sys.exit(not $(SUPPORTED))' 2>/dev/null; then \
	  $(call check_python) && \
	  echo "Setting up $(VENV): a few minutes the first time; pip's log is $(LOG)" && \
	  rm -rf $(VENV) && mkdir $(VENV) && touch $(VENV)/.installing && \
	  $(PYTHON) -m venv $(VENV); \
	fi
	@touch $(VENV)/.installing
	@$(install_packages)
	@touch $(READY) && rm $(VENV)/.installing

# pip has hundreds of lines: they go to LOG, and a terminal shows the newest step in one line.
# A pipe has the exit status of its last part, so pip's own goes through a file.
define install_packages
terminal=; if [ -t 1 ]; then terminal=1; fi; \
{ { $(RUN) -m pip install -c constraints.txt setuptools hatchling editables && \
    $(RUN) -m pip install -c constraints.txt --no-build-isolation -e ".[all]"; \
  } 2>&1; echo $$? > $(VENV)/.pip-status; } | \
  awk -v log_file=$(LOG) -v terminal="$$terminal" 'BEGIN { printf "" > log_file } \
    { print > log_file; fflush() } \
    terminal && /^ *(Collecting|Downloading|Processing|Building|Installing) / { \
      printf "\r\033[K%s", substr($$0, 1, 78); fflush() } \
    END { if (terminal) printf "\r\033[K" }'; \
status=$$(cat $(VENV)/.pip-status || echo 1); rm -f $(VENV)/.pip-status; \
if [ "$$status" -ne 0 ]; then \
  tail -n 5 $(LOG) >&2; \
  echo "setting up $(VENV) failed: pip ended with exit status $$status; its whole log is $(LOG)" >&2; \
  exit "$$status"; \
fi
endef

check_python = { $(PYTHON) -c 'import sys; sys.exit(not $(SUPPORTED))' 2>/dev/null || \
  { echo "expected Python 3.11, 3.12 or 3.13, got $$($(PYTHON) --version 2>&1 || true) from '$(PYTHON)':" \
    "install one of them and name it, e.g. make install PYTHON=python3.12" >&2; exit 2; }; }

# A sweep over the experiments, which goes on past one that fails; the report is written from the rows that there
# are, and the status says whether all went well. `set -f`: [256,256] in ARGS is a list for Hydra, not a pattern of
# file names. The report draws the figures, in the runs' folders too. First it says how long all will take, but
# for smoke, of which that would be a large part.
sweep = $(RUN) -m experiments -m experiment=$(subst $(space),$(comma),$(strip $(subst $(comma), ,$(EXPERIMENTS)))) \
  scale=$(1) device=$(DEVICE) $(HYDRA_OUTPUTS) figures=false $(ARGS)
define reproduce_at
set -f; trap 'exit 130' INT; trap 'exit 143' TERM; status=0; \
if [ "$(1)" != smoke ]; then $(call sweep,$(1)) --forecast || [ $$? -le 128 ] || exit 130; fi; \
$(call sweep,$(1)) || status=1; \
$(RUN) -m experiments.suite.report --outputs $(FOLDER) --scale "$(1)" || status=1; \
if [ -f $(FOLDER)/report.html ]; then echo "Report:" $(FOLDER)/report.html; fi; \
exit $$status
endef
