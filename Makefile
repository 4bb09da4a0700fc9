# Each recipe says what it does; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-broker test-faults test-cluster test-mutants images lint format benchmark benchmark-pair benchmark-split benchmark-scaling benchmark-sizing benchmark-rivals benchmark-detector benchmark-audit evaluate clean

help: ## List the recipes
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

setup: $(READY) ## Install everything into .venv

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("groundcam needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8,<1"
	@echo "installing groundcam and what it needs; torch alone is gigabytes, so the first time takes minutes"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable '.[dev]'
	@touch $@
	@echo "done: try $(BIN)/groundcam --help"

demo: $(READY) ## Show the whole path on this machine, with the model in the box (ARGS="--seconds 60")
	$(BIN)/groundcam demo $(ARGS)

test: $(READY) ## Run linters, types and every test tier that this machine can run
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-unit: $(READY) ## Run the tests that need nothing but Python
	$(BIN)/pytest tests/unit tests/properties

test-broker: $(READY) ## Run the tests on Apache Kafka
	$(BIN)/pytest tests/broker

test-faults: $(READY) ## End workers and brokers again and again, as often as the README says (hours)
	GROUNDCAM_TEST_FAULTS=all $(BIN)/pytest tests/faults

test-cluster: $(READY) ## Install the chart on the Kubernetes of KUBECONFIG and try everything (see CONTRIBUTING.md)
	$(BIN)/pytest tests/cluster -s

test-mutants: $(READY) ## Change the code that decides, one thing at a time; the tests must notice (hours; ARGS="policy --survivors")
	$(BIN)/python tests/mutants/run.py $(ARGS)

images: ## Build both images (BASE=..., TORCH_INDEX=..., TAG=dev)
	docker build --target producer -t groundcam/producer:$(or $(TAG),dev) $(if $(BASE),--build-arg BASE=$(BASE)) .
	docker build --target worker -t groundcam/worker:$(or $(TAG),dev) $(if $(BASE),--build-arg BASE=$(BASE)) $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) .

lint: $(READY) ## Run linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(READY) ## Measure the worker's own cost on Apache Kafka (ARGS="--rounds 3 --json FILE")
	$(BIN)/python benchmarks/pipeline.py $(ARGS)

benchmark-split: $(READY) ## Measure whether polling and decoding in a process of their own pays
	$(BIN)/python benchmarks/process_split.py $(ARGS)

benchmark-pair: $(READY) ## Measure the worker against that of another checkout, in turns (ARGS="FOLDER --rounds 3")
	$(BIN)/python benchmarks/pair.py $(ARGS)

benchmark-scaling: $(READY) ## Measure four workers against one, and how cameras spread over partitions
	$(BIN)/python benchmarks/scaling.py $(ARGS)

benchmark-sizing: $(READY) ## Measure what producers and workers take, beside what `groundcam size` says
	$(BIN)/python benchmarks/sizing.py $(ARGS)

benchmark-rivals: $(READY) .venv-rivals/.ready ## Measure the same job on Quix Streams and on FastStream
	$(BIN)/python benchmarks/rivals.py $(ARGS)

.venv-rivals/.ready: benchmarks/rivals/requirements.txt $(READY)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-rivals
	$(BIN)/uv pip install --quiet --python .venv-rivals/bin/python --requirement $<
	@touch $@

benchmark-detector: $(READY) ## Measure the detector against transformers' own way (ARGS="--quick --count --json FILE")
	$(BIN)/python benchmarks/detector.py $(ARGS)

benchmark-audit: $(READY) ## Feed the auditor a week of cameras without Kafka: memory, rate, and whether it is right (ARGS="--days 0.1")
	$(BIN)/python benchmarks/audit_week.py $(ARGS)

evaluate: $(READY) ## Measure the model in the box on scenes that it has not seen
	$(BIN)/python -m training.evaluate $(ARGS)

clean: ## Remove what was installed and cached
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
