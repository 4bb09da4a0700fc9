# Each recipe says what it does; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Where nothing keeps what Python has compiled, each of a test run's hundreds of processes compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-broker test-faults test-cluster test-clients test-mutants images dist release-notes check-release sbom base-image pins notice audit-licences audit-vulnerabilities lint format benchmark benchmark-pair benchmark-split benchmark-scaling benchmark-sizing benchmark-starting benchmark-rivals benchmark-serving benchmark-console benchmark-detector benchmark-cpu benchmark-audit benchmark-tracker benchmark-tracking evaluate site clean

help: ## List the recipes
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

setup: $(READY) ## Install everything into .venv

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("groundcam needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt
	@echo "installing groundcam and what it needs; torch alone is gigabytes, so the first time takes minutes"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --build-constraints constraints.txt --require-build-hashes --editable .
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

test-faults: $(READY) ## End workers and brokers again and again, as often as docs/promises.md says, and run what takes minutes (hours)
	GROUNDCAM_TEST_FAULTS=all $(BIN)/pytest -m "faults or long"

test-cluster: $(READY) ## Install the chart on the Kubernetes of KUBECONFIG and try everything (see CONTRIBUTING.md)
	$(BIN)/pytest tests/cluster -s

test-clients: $(READY) .venv-clients/.ready ## Run real clients of other systems against the service (they are fetched into .venv-clients, a gigabyte)
	GROUNDCAM_TEST_CLIENTS=.venv-clients/bin/python $(BIN)/pytest tests/clients $(ARGS)

.venv-clients/.ready: tests/clients/requirements.txt $(READY)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-clients
	$(BIN)/uv pip install --quiet --python .venv-clients/bin/python --requirement $<
	@touch $@

test-mutants: $(READY) ## Change the code that decides, one thing at a time; the tests must notice (hours; ARGS="policy --survivors")
	$(BIN)/python tests/mutants/run.py $(ARGS)

# The tag that the chart takes by default, too; what is built is told by the labels.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
TAG ?= $(VERSION)
REVISION ?= $(shell git describe --always --abbrev=40 --dirty --exclude '*' 2>/dev/null || echo unknown)
IMAGES ?= producer worker serve events
ENGINE ?= docker
BUILD ?= DOCKER_BUILDKIT=1 $(ENGINE) build

images: ## Build the images (TAG=, BASE=, TORCH_INDEX=, CA=certificates.pem, IMAGES=producer, ENGINE=podman)
	@$(if $(BASE),,grep -q '^ARG BASE=.*@sha256:' Dockerfile || echo "the base image is named by a tag alone: make base-image fixes its digest")
	@set -e; for image in $(IMAGES); do \
	    echo "building groundcam/$$image:$(TAG), version $(VERSION), revision $(REVISION)"; \
	    $(BUILD) --target $$image --tag groundcam/$$image:$(TAG) \
	        --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	        $(if $(BASE),--build-arg BASE=$(BASE)) $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) \
	        $(if $(CA),--secret id=ca$(comma)src=$(CA)) $(BUILD_ARGS) .; \
	done

comma := ,

dist: $(READY) ## Make wheel, sdist, chart package, the wheel's bill of materials and SHA256SUMS in dist/, always the same bytes
	@$(BIN)/python -m supply_chain.distribution $(ARGS)

check-release: $(READY) ## Do package, chart, images, compose and changelog name one version? (TAG=v1.2.3)
	@$(BIN)/python -m supply_chain.release check $(if $(filter command environment,$(origin TAG)),--tag $(TAG)) $(ARGS)

release-notes: $(READY) ## Print what the changelog says of a version, its links made absolute (TAG=v1.2.3)
	@$(BIN)/python -m supply_chain.release notes $(if $(filter command environment,$(origin TAG)),--tag $(TAG)) $(ARGS)

sbom: $(READY) ## Write what the images hold to out/*.cdx.json (CycloneDX) and check their licence labels (TAG=, IMAGES=, ENGINE=)
	@set -e; for image in $(IMAGES); do \
	    $(BIN)/python -m supply_chain.sbom groundcam/$$image:$(TAG) --engine $(ENGINE) --output out/$$image.cdx.json; \
	done

base-image: $(READY) ## Write the digest of today's base image into Dockerfile and compose.yaml (ARGS="--tag python:3.13-slim-trixie")
	@$(BIN)/python -m supply_chain.base_image --engine $(ENGINE) $(ARGS)

pins: $(READY) ## Write constraints.txt anew, with hashes; versions stay (ARGS="--upgrade-package NAME", ARGS=--upgrade)
	$(BIN)/uv pip compile --quiet --universal --all-extras --group build --generate-hashes --no-annotate --custom-compile-command "make pins" --output-file constraints.txt $(ARGS) pyproject.toml

notice: $(READY) ## Write NOTICE and the images' licence labels from what the wheels hold (ARGS=--check)
	@$(BIN)/python -m supply_chain.notice $(ARGS)

audit-licences: $(READY) ## Is every licence of what is installed, and of what wheels bundle, permitted?
	@$(BIN)/python -m supply_chain.licence_audit $(ARGS)

audit-vulnerabilities: $(READY) ## Has any pinned package a known vulnerability? Asks a database (ARGS="--vulnerability-service pypi")
	@$(BIN)/python -m supply_chain.vulnerability_audit $(ARGS)

lint: $(READY) ## Run linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(READY) ## Measure the worker's own cost on Apache Kafka (ARGS="--rounds 3 --json FILE")
	$(BIN)/python benchmarks/pipeline.py $(ARGS)

benchmark-tracker: $(READY) ## Measure what a tracker costs, without Kafka (ARGS="--cameras 500 --json FILE")
	$(BIN)/python benchmarks/tracker.py $(ARGS)

benchmark-split: $(READY) ## Measure whether polling and decoding in a process of their own pays
	$(BIN)/python benchmarks/process_split.py $(ARGS)

benchmark-pair: $(READY) ## Measure the worker against that of another checkout, in turns (ARGS="FOLDER --rounds 3")
	$(BIN)/python benchmarks/pair.py $(ARGS)

benchmark-scaling: $(READY) ## Measure four workers against one, and how cameras spread over partitions
	$(BIN)/python benchmarks/scaling.py $(ARGS)

benchmark-sizing: $(READY) ## Measure what producers and workers take, beside what `groundcam size` says
	$(BIN)/python benchmarks/sizing.py $(ARGS)

benchmark-starting: $(READY) ## Measure how long many cameras take until all are online
	$(BIN)/python benchmarks/starting.py $(ARGS)

benchmark-rivals: $(READY) .venv-rivals/.ready ## Measure the same job on Quix Streams and on FastStream
	$(BIN)/python benchmarks/rivals.py $(ARGS)

benchmark-console: $(READY) ## Measure the console with a wall in a real browser, and with many viewers (ARGS="--minutes 30 --json FILE")
	$(BIN)/python benchmarks/console.py $(ARGS)

benchmark-serving: $(READY) .rivals-serving/.ready ## Measure what the HTTP service adds, and the bundled model behind it, LitServe and FastAPI
	$(BIN)/python benchmarks/serving.py $(ARGS)

# Beside our own packages: torch and transformers are the same for all three.
.rivals-serving/.ready: benchmarks/rivals/serving.txt $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target .rivals-serving --no-deps --requirement $<
	@touch $@

.venv-rivals/.ready: benchmarks/rivals/requirements.txt $(READY)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-rivals
	$(BIN)/uv pip install --quiet --python .venv-rivals/bin/python --requirement $<
	@touch $@

benchmark-detector: $(READY) ## Measure the detector against transformers' own way (ARGS="--quick --count --json FILE")
	$(BIN)/python benchmarks/detector.py $(ARGS)

benchmark-cpu: $(READY) .venv-openvino/.ready ## Measure the network on this CPU: transformers, OpenVINO, ours, ours compiled (minutes; ARGS="--quick --json FILE")
	$(BIN)/python benchmarks/cpu.py $(ARGS)

.venv-openvino/.ready: benchmarks/openvino.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv-openvino --requirement $<
	@touch $@

benchmark-roofline: $(READY) ## Model how long a pass takes on a GPU, beside what one measured (seconds, no GPU; ARGS="--batch 8 --tokens 256")
	$(BIN)/python benchmarks/roofline.py $(ARGS)

gpu: $(READY) ## Check and measure the GPU of this machine, at most ten minutes (ARGS="--json FILE", ARGS=--dry without one)
	$(BIN)/python benchmarks/gpu.py $(ARGS)

benchmark-audit: $(READY) ## Feed the auditor a week of cameras without Kafka: memory, rate, and whether it is right (ARGS="--days 0.1")
	$(BIN)/python benchmarks/audit_week.py $(ARGS)

benchmark-tracking: $(READY) .venv-tracking/.ready ## Measure trackers at few frames a second, minutes (ARGS="--rates 2,5 --seeds 0-3 --json FILE")
	OMP_NUM_THREADS=1 PYTHONPATH=benchmarks:events .venv-tracking/bin/python -m tracking $(ARGS)

.venv-tracking/.ready: benchmarks/tracking/requirements.txt benchmarks/tracking/truth.txt $(READY)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-tracking
	$(BIN)/uv pip install --quiet --python .venv-tracking/bin/python --requirement $<
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --dest .venv-tracking/wheels --requirement benchmarks/tracking/truth.txt
	@touch $@

evaluate: $(READY) ## Measure the model in the box on scenes that it has not seen
	$(BIN)/python -m training.evaluate $(ARGS)

site: $(READY) ## Build the documents as a site in out/site; a broken link or anchor is an error
	$(BIN)/python docs/site/gather.py out/site-sources
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "out/site/index.html; with search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory out/site"

clean: ## Remove what was installed and cached
	rm -rf $(VENV) .venv-clients .venv-tracking .venv-openvino .pytest_cache .mypy_cache .ruff_cache .hypothesis
