#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# molecule.sh [SUBCOMMAND [ARGUMENTS...]]: the scenario "default" on real separate hosts; without arguments the full test.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" --system test
PATH=$WORK/venv/test/bin:$PATH
# Molecule's own choice depends only on the name of the clone's directory: two clones would share it.
export MOLECULE_EPHEMERAL_DIRECTORY=$WORK/molecule
# Molecule sets ANSIBLE_CONFIG itself and reads its project relative to the working directory.
unset ANSIBLE_CONFIG
export NO_COLOR=1
mkdir -p "$MOLECULE_EPHEMERAL_DIRECTORY"
cd "$ROOT"
[ $# -gt 0 ] || set -- test
subcommand=$1
shift
exec molecule "$subcommand" --no-command-borders "$@"
