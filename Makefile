# Everything a person does with this project; `make` alone lists it.
# A cluster of your own: add CONTEXT=<kubeconfig context> to up, demo, status, shell and down.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Python that makes .venv; any from 3.11 on.
PYTHON ?= python3
# The machine's own certificates: behind a proxy that signs anew, uv's built-in ones know nobody.
export UV_SYSTEM_CERTS ?= true
# Fifteen seconds once; without it, where Python may not write bytecode, every command compiles what it imports.
export UV_COMPILE_BYTECODE ?= 1
CONTEXT ?=
MONITORING ?=
SCALE ?= 1
STACK ?= local
# Of `make preview` and `make review`: the revision a change is compared with, and by how much a month may become dearer, in percent.
BASE ?=
# Not empty: stand in for AWS also where there are credentials.
OFFLINE ?=
COST_RISE ?= 20
PREVIEWS ?= preview
# Of `make soak`: names of faults; all where there is none.
FAULTS ?=

BIN := .venv/bin
INSTALLED := .venv/installed
# `STACK` has a default for `plan`; a preview is of all stacks unless one was asked for.
ON_STACK = $(if $(filter file,$(origin STACK)),,--stack '$(STACK)')
ON_CONTEXT = $(if $(CONTEXT),--context '$(CONTEXT)')

.PHONY: help plan preview review up demo status shell down clean check scan test soak format lock venv stacks promote deploy drift drift-issue summary comment passed sbom audit

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

plan: venv ## Show what would be deployed, with the reason of each number; needs no cluster (STACK=local)
	@$(BIN)/fleet plan -s '$(STACK)'

preview: venv ## Show what a change does to every stack, by the real engine; needs no cluster and no account (STACK=prod BASE=main)
	@$(BIN)/python -m ops preview --out '$(PREVIEWS)' $(ON_STACK) $(if $(BASE),--base '$(BASE)') $(if $(OFFLINE),--imagined)

review: venv ## Judge the previews: one comment in preview/comment.md, the gates' verdict as exit code (COST_RISE=20)
	@$(BIN)/python -m stacks.review '$(PREVIEWS)'/*/preview.json --out '$(PREVIEWS)/comment.md' --cost-rise '$(COST_RISE)'

up: venv ## Start the sandbox (or use CONTEXT=name), deploy the fleet, wait until it is ready; resumes when interrupted (MONITORING=1: with a Prometheus)
	@$(BIN)/python -m ops up $(strip $(ON_CONTEXT) $(if $(filter 1,$(MONITORING)),--monitoring))

demo: venv ## Send a realistic mix and watch the pods come and go (SCALE=1)
	@$(BIN)/python -m ops demo --scale '$(SCALE)' $(ON_CONTEXT)

status: venv ## Show queues, messages, pods and waits once
	@$(BIN)/python -m ops status $(ON_CONTEXT)

shell: venv ## Open a shell in which pulumi, kubectl, celery and fleet work against the fleet
	@$(BIN)/python -m ops shell $(ON_CONTEXT)

down: venv ## Stop everything and leave nothing behind but caches
	@$(BIN)/python -m ops down $(ON_CONTEXT)

clean: venv ## Stop everything and drop the caches and .venv too
	@$(BIN)/python -m ops clean $(ON_CONTEXT)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

check: venv ## Format, lint, types, import contracts and fast tests: under a minute
	@.ci/check $(BIN)

scan: venv ## Hold all that would be made against checkov, schemas and an account in memory; offline
	@$(BIN)/python -m ops scan

test: check scan ## The checks and the scan, then the tests on the real engine and a real cluster
	@$(BIN)/python -m ops test

soak: venv ## Strike a fleet under load with every fault and count its tasks: forty minutes (FAULTS='child_killed …')
	@$(BIN)/python -m bench.soak $(FAULTS)

format: venv ## Format the code and sort its imports
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix --select I .

# What the workflows run (.github/workflows); what a workflow knows reaches them by the environment.
stacks: venv ## List the stacks as JSON: those in CLOUD='["dev"]', looked at in their AWS account, and the others
	@$(BIN)/python -m ops.pipeline stacks

promote: venv ## Have a stack run the images in IMAGES='{"web": ..., "worker": ...}'; without, those that it runs (STACK=prod)
	@$(BIN)/python -m ops.pipeline promote --stack '$(STACK)'

deploy: venv ## Update a stack on EKS, held against the policy pack (STACK=dev)
	@$(BIN)/python -m ops.pipeline deploy --stack '$(STACK)'

drift: venv ## Tell what in a stack's account is not what its state says (STACK=prod)
	@$(BIN)/python -m ops.pipeline drift --stack '$(STACK)'

drift-issue: venv ## Open, rewrite or close the one issue that tells of drift; in a workflow
	@$(BIN)/python -m ops.pipeline drift-issue

summary: venv ## Show a preview's comment in the summary of the run; in a workflow
	@$(BIN)/python -m ops.pipeline summary

comment: venv ## Post the comment that a pull request's preview left; in a workflow
	@$(BIN)/python -m ops.pipeline comment

sbom: venv ## Write sbom.cdx.json: what the images consist of
	@$(BIN)/python -m ops.pipeline sbom

audit: venv ## Ask for known vulnerabilities of what is pinned for the images and the program; needs the network
	@$(BIN)/python -m ops.pipeline audit

passed: venv ## Fail when a job in NEEDS did; in a workflow
	@$(BIN)/python -m ops.pipeline passed

lock: venv ## Pin every dependency anew, with hashes, in requirements/
	@for group in app infra dev; do \
	  echo "requirements/$$group.txt"; \
	  $(call UV) pip compile --quiet pyproject.toml --group $$group --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-header --no-emit-index-url --no-emit-find-links --no-emit-package celery-fleet -o requirements/$$group.txt; \
	done
	@echo "requirements/scan.txt"
	@$(call UV) pip compile --quiet requirements/scan.in --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-header --no-emit-index-url --no-emit-find-links -o requirements/scan.txt

venv: $(INSTALLED) ## Install what the other commands need into .venv; they do it by themselves

# uv of the machine where it works, else the one that pip puts into .venv.
UV = $(shell if uv --version >/dev/null 2>&1; then echo uv; else echo $(BIN)/uv; fi)

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: $(PYTHON) is missing or older than Python 3.11; name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing the Python packages into .venv (once)" >&2
	@if [ ! -x $(BIN)/python ]; then \
	  if uv --version >/dev/null 2>&1; then uv venv --quiet --python "$$(command -v $(PYTHON))" .venv; \
	  else $(PYTHON) -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; \
	    echo "make: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }; fi; fi
	@uv --version >/dev/null 2>&1 || [ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(INSTALLED)
