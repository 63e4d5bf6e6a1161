# The project's commands; each sets up what it needs. See README.md.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench

.PHONY: demo test faults fuzz lint bench bench-accuracy bench-compress evidence venv clean wheel-check

demo: venv  ## the whole pipeline on the sample data
	$(BIN)/mtkd run quickstart

test: venv  ## the tests
	$(BIN)/python -m pytest

faults: venv  ## runs killed 40 times at random moments, and failed writes; long
	$(BIN)/python -m tests.faults --kills 40

fuzz: venv  ## every reader of files from elsewhere, 10 minutes each, one a core at a time
	$(BIN)/python -m tests.fuzz --seconds 600

lint: venv  ## style, types, and the order of the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCH_STAMP)  ## beside peers, into benchmarks/results/; on real rows with GLUE=glue_data
	$(BIN)/python -m benchmarks.run $(if $(GLUE),--glue $(GLUE))

bench-accuracy: $(STAMP)  ## does speed cost accuracy? hours; GLUE=glue_data
	$(BIN)/python -m benchmarks.accuracy $(or $(GLUE),$(error GLUE=DIR: a glue_data folder))

bench-compress: $(STAMP)  ## does distilling an encoder pay, and each loss? hours; GLUE=glue_data
	$(BIN)/python -m benchmarks.ablation $(or $(GLUE),$(error GLUE=DIR: a glue_data folder))

evidence: $(STAMP)  ## the protocol of benchmarks/evidence/, into docs/evidence.md; hours; GLUE=glue_data
	$(BIN)/python -m benchmarks.evidence $(or $(GLUE),$(error GLUE=DIR: a glue_data folder)) $(ARGS)

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $(BENCH_STAMP)

wheel-check: venv  ## a wheel in an empty environment, used from another directory
	PYTHON=$(BIN)/python bash .ci/wheel-check

venv: $(STAMP)  ## .venv with mtkd and all that it needs, at the versions of constraints.txt

$(STAMP): setup.cfg pyproject.toml constraints.txt
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[quickstart,test]'
	touch $(STAMP)

clean:  ## everything that these commands made, runs/ excepted
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
