#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every test there is. All parts run even when one fails; then come the times, and as the very last line pytest's summary.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"
mkdir -p "$WORK/logs"

TIMES=()
SUMMARY=
part() {
    local name=$1 budget=$2 begin=$SECONDS status=0 result=ok
    shift 2
    say "part: $name"
    "$@" 2>&1 | tee "$WORK/logs/$name.log" || status=$?
    [ "$status" -eq 0 ] || { result=FAILED; FAILED+=("$name"); }
    TIMES+=("$(printf '%-10s %-7s %4d s   (budget %d s)' "$name" "$result" "$((SECONDS - begin))" "$budget")")
}

begin=$SECONDS
part setup 300 "$ROOT/tests/ci/bootstrap.sh" --system test lint
part lint 180 "$ROOT/tests/ci/lint.sh"
part sanity 180 "$ROOT/tests/ci/sanity.sh"
part molecule 600 "$ROOT/tests/ci/molecule.sh"
part matrix 700 "$ROOT/tests/ci/matrix.sh" --ci
part demo 240 "$ROOT/tests/ci/demo.sh"
# One pytest for the rest, so that its summary counts every test: unit, workspace, hosts, integration, agents.
# Two files at a time: many tests wait, for a token to end or a host to answer. In their order, agents and integration first: those take
# longest, and one file alone at the end would keep a processor waiting.
part pytest 1800 "$ROOT/tests/ci/pytest.sh" -m "not soak" --durations=15 --numprocesses=2 --dist=loadfile --no-loadscope-reorder

printf '\n'
printf '%s\n' "${TIMES[@]}"
printf 'all        %-7s %4d s\n\n' "$([ ${#FAILED[@]} -eq 0 ] && echo ok || echo FAILED)" "$((SECONDS - begin))"
SUMMARY=$(grep -aE '^=+ .*(passed|failed|error|no tests ran|skipped|deselected).* =+$' "$WORK/logs/pytest.log" | tail -n 1 || true)
printf '%s\n' "${SUMMARY:-pytest printed no summary: see $WORK/logs/pytest.log}"
[ ${#FAILED[@]} -eq 0 ]
