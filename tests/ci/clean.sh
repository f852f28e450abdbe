#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Remove what the targets made in this clone: first the test hosts that it still knows, then .work.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"
if [ -x "$WORK/venv/test/bin/python" ] && have podman; then
    "$WORK/venv/test/bin/python" -m tests.hosts down --all || true
fi
rm -rf "$WORK" tests/output
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
