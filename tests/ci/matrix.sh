#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The whole story in short (pytest marker "matrix") with every supported ansible-core but the newest, which all other
# tests use; the oldest core also gets the oldest libraries that meta/ee-requirements.txt promises. Without arguments: every file of tests/requirements/matrix.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"
if [ $# -eq 0 ]; then
    for file in tests/requirements/matrix/core-*.txt; do
        name=${file##*/}
        set -- "$@" "${name%.txt}"
    done
fi
"$ROOT/tests/ci/bootstrap.sh" --system "$@"

one() {
    local bin=$WORK/venv/$1/bin status=0
    # A core of its own state: what one version caches or leaves in ANSIBLE_HOME must not meet another version.
    env PATH="$bin:$PATH" ANSIBLE_HOME="$WORK/ansible-home-$1" "$bin/python" -m pytest -q -m matrix tests/integration || status=$?
    # 5: no test carries the marker.
    [ "$status" -ne 5 ] || { echo "no test carries the marker 'matrix'" >&2; return 1; }
    return "$status"
}
for name in "$@"; do
    run "$name ($("$WORK/venv/$name/bin/python" -c 'import platform; from ansible.release import __version__ as v; print("ansible-core", v, "Python", platform.python_version())'))" one "$name"
done
finish
