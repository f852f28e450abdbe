#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# demo.sh: the whole story on this machine in a throw-away home. Needs Python 3.11+, Node with npm and make; no root.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
for program in node npm; do
    have "$program" || die "$program is needed: the demonstration installs the real agents (https://nodejs.org, or: sudo apt-get install -y nodejs npm)"
done
"$ROOT/tests/ci/bootstrap.sh" test
cd "$ROOT"
PATH=$WORK/venv/test/bin:$PATH
exec python -m tests.demo "$@"
