#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# molecule.sh [SCENARIO...]: the full test of these scenarios on real separate hosts. Without a name: of all; in CI, of "default" and of
# one other, another each day; MOLECULE_SCENARIO names it.
# FLEET_HOSTS is the number of hosts of the scenario "fleet": 20, in CI 8.
# molecule.sh SCENARIO -- SUBCOMMAND [ARGUMENTS...]: one step of a scenario.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" --system "$TEST_VENV"
PATH=$WORK/venv/$TEST_VENV/bin:$PATH
# Molecule sets ANSIBLE_CONFIG itself and reads its project relative to the working directory.
unset ANSIBLE_CONFIG
export NO_COLOR=1
if in_ci; then
    export FLEET_HOSTS=${FLEET_HOSTS:-8}
fi
cd "$ROOT"
run_molecule() {
    # Whoever keeps hosts of one scenario goes on with another one.
    export MOLECULE_EPHEMERAL_DIRECTORY=$WORK/molecule-$TEST_VENV/$1
    mkdir -p "$MOLECULE_EPHEMERAL_DIRECTORY"
    if grep -qs tests.releases "molecule/$1/prepare.yml"; then
        # The vendors' archives are stand-ins there: the collection under test has those in its lock.
        local known
        known=$(python -m tests.releases collections "$WORK/molecule-$TEST_VENV-collections/$1")
        local -x ANSIBLE_COLLECTIONS_PATH=$known
    fi
    molecule --base-config "$ROOT/molecule/shared/base.yml" "$2" --scenario-name "$1" --no-command-borders "${@:3}"
}

others=()
for file in molecule/*/molecule.yml; do
    name=$(basename "$(dirname "$file")")
    [ "$name" = default ] || others+=("$name")
done
if [ "${2:-}" = -- ]; then
    run_molecule "$1" "${@:3}"
    exit
fi
if [ $# -gt 0 ]; then
    scenarios=("$@")
elif in_ci; then
    today=$((10#$(date +%j) % ${#others[@]}))
    scenarios=(default "${MOLECULE_SCENARIO:-${others[$today]}}")
else
    scenarios=(default "${others[@]}")
fi
say "scenarios: ${scenarios[*]}"
for name in "${scenarios[@]}"; do
    log=$WORK/molecule-$TEST_VENV-$name.log
    say "scenario: $name"
    run_molecule "$name" test 2>&1 | tee "$log"
    # Nothing that we use may be on its way out of ansible-core; what Molecule uses to begin with is not ours.
    ! sed -n '/^PLAY \[/,$p' "$log" | grep -a -A 3 'DEPRECATION WARNING' || die "the scenario was warned of a deprecation, see above"
done
