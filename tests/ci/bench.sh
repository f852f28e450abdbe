#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench.sh [ARGUMENTS...]: the benchmarks, as ratios measured in one run on hosts of its own making. Never part of a test.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" --system test bench
cd "$ROOT"
PATH=$WORK/venv/test/bin:$PATH
# Editing, tokens and the relay need no hosts; they are measured when everything is.
[ $# -gt 0 ] || { python -m tests.benchmarks.editing && python -m tests.benchmarks.tokens && python -m tests.benchmarks.relay; }
exec python -m tests.benchmarks "$@"
