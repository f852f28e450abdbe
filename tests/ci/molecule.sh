#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# molecule.sh [SUBCOMMAND [ARGUMENTS...]]: the scenario "default" on real separate hosts; without arguments the full test.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" --system "$TEST_VENV"
PATH=$WORK/venv/$TEST_VENV/bin:$PATH
# Molecule's own choice depends only on the name of the clone's directory: two clones would share it.
export MOLECULE_EPHEMERAL_DIRECTORY=$WORK/molecule-$TEST_VENV
# Molecule sets ANSIBLE_CONFIG itself and reads its project relative to the working directory.
unset ANSIBLE_CONFIG
export NO_COLOR=1
mkdir -p "$MOLECULE_EPHEMERAL_DIRECTORY"
cd "$ROOT"
[ $# -eq 0 ] || exec molecule "$1" --no-command-borders "${@:2}"
log=$MOLECULE_EPHEMERAL_DIRECTORY.log
molecule test --no-command-borders 2>&1 | tee "$log"
# Nothing that we use may be on its way out of ansible-core; what Molecule uses to begin with is not ours.
! sed -n '/^PLAY \[/,$p' "$log" | grep -a -A 3 'DEPRECATION WARNING' || die "the scenario was warned of a deprecation, see above"
