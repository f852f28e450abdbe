#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# generate.sh [--check]: write the generated sections of README.md and docs/, or say which are stale.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" test
cd "$ROOT"
exec "$WORK/venv/test/bin/python" tests/ci/generate_docs.py "$@"
