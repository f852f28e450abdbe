#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# pytest.sh ARGUMENTS...: pytest in the environment of the tests; --system first when containers or ssh are needed.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
system=()
if [ "${1:-}" = --system ]; then
    system=(--system)
    shift
fi
"$ROOT/tests/ci/bootstrap.sh" ${system[@]+"${system[@]}"} "$TEST_VENV"
cd "$ROOT"
PATH=$WORK/venv/$TEST_VENV/bin:$PATH
exec python -m pytest "$@"
