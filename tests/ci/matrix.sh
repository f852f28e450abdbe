#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# matrix.sh [--short | --ci] [CORE...]: what depends on ansible-core, with each version of it that is supported, such as 2.20.
#
#   in full   the unit tests, the Molecule scenario "default", rollout, bad input, secrets; sanity with the stable ones
#   --short   only the tests that carry pytest's marker "matrix"
#   --ci      what `make test` leaves over: the oldest in full, the newest in short with Molecule, two files of tests at a time; not the
#             one that all other parts of it use, and not those between the ends
#
# Without a CORE: all. The oldest core also gets the oldest libraries that meta/ee-requirements.txt promises. A core that cannot
# be had here is skipped, and the table says so; in CI, or when it was asked for by name, it is a failure.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

mode=full
workers=0
case ${1:-} in
    --short | --ci)
        mode=${1#--}
        [ "$mode" = short ] || workers=2
        shift
        ;;
esac
# The environment "test" is the newest stable core.
STABLE=$(sed -n 's/^ansible-core==\([0-9]*\.[0-9]*\)\..*/\1/p' tests/requirements/ansible.txt | sort -V | tail -n 1)
environment_of() { if [ "$1" = "$STABLE" ]; then echo test; else echo "core-$1"; fi; }
mapfile -t ALL < <({ sed -n "s/^ansible-core==\([0-9]*\.[0-9]*\)\..*/\1/p" tests/requirements/matrix/*.txt && echo "$STABLE"; } | sort -V)
named=$#
[ "$named" -gt 0 ] || set -- "${ALL[@]}"

OUT=$WORK/matrix
rm -rf "$OUT" && mkdir -p "$OUT"

tests() {
    local core=$1 part=$2
    shift 2
    "$ROOT/tests/ci/pytest.sh" -q --numprocesses="$workers" --dist=loadfile -o junit_family=xunit1 --junitxml="$OUT/$core/$part.xml" "$@"
}

# It tests our test equipment, which knows nothing of Ansible and needs the newest databricks-sdk.
EQUIPMENT=--ignore=tests/unit/workspace

# Unit tests that use nothing of Ansible see only another Python; what runs on hosts is run with every Python there is by
# test_host_pythons.py. In CI they are left to the environment "test".
unit_tests() {
    if [ "$mode" = ci ]; then
        grep -lE '^(from|import) (ansible\.|.*\<control_node\>|.*\<plugins\.(action|lookup|modules)\>)' tests/unit/test_*.py
    else
        printf '%s\n' tests/unit "$EQUIPMENT"
    fi
}

full() {
    local core=$1 unit
    mapfile -t unit < <(unit_tests)
    run "ansible-core $core: unit tests" tests "$core" unit -m "not soak" "${unit[@]}"
    run "ansible-core $core: rollout, bad input, secrets" tests "$core" integration -m "not soak" \
        tests/integration/test_{rollout,bad_input,secrets,matrix}*.py
    run "ansible-core $core: Molecule" molecule_test "$core"
    # A pre-release's sanity tests are not yet settled.
    [ "$core" = "${ALL[-1]}" ] || [ "$core" = "$STABLE" ] || run "ansible-core $core: sanity" "$ROOT/tests/ci/sanity.sh"
}
short() { run "ansible-core $1: what can differ" tests "$1" short -m matrix tests/unit tests/integration "$EQUIPMENT"; }
newest() {
    short "$1"
    run "ansible-core $1: Molecule" molecule_test "$1"
}
molecule_test() { "$ROOT/tests/ci/molecule.sh" default && touch "$OUT/$1/molecule-ok"; }

available() {
    "$ROOT/tests/ci/bootstrap.sh" --system "$TEST_VENV" || return 1
    "$WORK/venv/$TEST_VENV/bin/python" -c \
        'import platform; from ansible.release import __version__ as v; print(v, platform.python_version())' >"$OUT/$1/versions"
    # The environment "test" follows the Python that there is, and an older Python gets an older core.
    grep -q "^${1//./\\.}\." "$OUT/$1/versions" ||
        die "ansible-core $1 needs a newer Python than there is here. Name one: make PYTHON=/path/to/python3 ... (pyenv install 3.13)"
}

for core in "$@"; do
    TEST_VENV=$(environment_of "$core")
    export TEST_VENV
    how=$mode
    if [ "$mode" = ci ]; then
        case $core in
            "$STABLE") continue ;;
            "${ALL[0]}") how=full ;;
            "${ALL[-1]}") how=newest ;;
            *) continue ;;
        esac
    fi
    mkdir -p "$OUT/$core"
    if ! (available "$core") 2> >(tee "$OUT/$core/skipped" >&2); then
        if in_ci || [ "$named" -gt 0 ]; then FAILED+=("ansible-core $core is not to be had here"); fi
        continue
    fi
    rm -f "$OUT/$core/skipped"
    begin=$SECONDS
    "$how" "$core"
    echo "$how $((SECONDS - begin))" >"$OUT/$core/time"
done
python3 tests/ci/matrix_table.py "$OUT" || FAILED+=("the table")
[ -n "$(find "$OUT" -name time)" ] || FAILED+=("no ansible-core could be run")
finish
