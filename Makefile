# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The logic is in tests/ci/*.sh; this file only names it.

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs generate locks sanity unit integration molecule agents newest matrix bench soak clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## the whole story on this machine in a throw-away home: dry run, rollout, real reply, uninstall
	@tests/ci/demo.sh

test: ## every test there is; installs what it needs (as root on Debian), prints each part's time
	@tests/ci/test.sh

lint: ## ruff, mypy, yamllint, shellcheck, ansible-lint, documentation and changelog
	@tests/ci/lint.sh

generate: ## the sections of README.md and docs/ that the code dictates, and the pictures
	@tests/ci/generate.sh

locks: ## what the registries have published of each pinned agent, after a version was pinned
	@.work/venv/test/bin/python -m tests.ci.locks

docs: ## the documentation site, in .work/docs/html
	@tests/ci/docs.sh

sanity: ## ansible-test sanity on a copy of the tracked tree
	@tests/ci/sanity.sh

unit: ## plain Python tests, and those of the simulated workspace and of the CLI stand-in
	@tests/ci/pytest.sh -m "not soak" tests/unit tests/workspace tests/databricks_cli

integration: ## real Ansible runs against this machine and against test hosts (podman)
	@tests/ci/pytest.sh --system -m "not soak" tests/hosts tests/integration

molecule: ## every Molecule scenario, on real separate hosts
	@tests/ci/molecule.sh

agents: ## the real command-line agents against the simulated workspace
	@tests/ci/pytest.sh -m "not soak" tests/agents

newest: ## the newest version of each agent, as tests/agents/test_newest_versions.py lists them: the first answer, HTTP 429 and 404
	@tests/ci/pytest.sh tests/agents/test_newest_versions.py

matrix: ## unit, rollout, bad input, secrets, Molecule with every supported ansible-core
	@tests/ci/matrix.sh

bench: ## measure ratios: rollout against ping, token helper against an empty Python
	@tests/ci/bench.sh

soak: ## long property and crash runs
	@HYPOTHESIS_PROFILE=soak tests/ci/pytest.sh --timeout=0 -m soak tests

clean: ## remove what the targets made in this clone and the test hosts it left; the download cache stays
	@tests/ci/clean.sh
