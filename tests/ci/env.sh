# shellcheck shell=bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced by every script here: where things are, an environment without surprises, and the few words they share.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$ROOT/.work
# Outside the clone, so that a fresh clone on the same machine does not download everything again.
CACHE=${FMAPI_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fmapi-coding-agents-tests}
# The virtual environment whose programs the tests use; matrix.sh names others.
TEST_VENV=${TEST_VENV:-test}
export ROOT WORK CACHE TEST_VENV FMAPI_TEST_CACHE=$CACHE

# A pyenv shim named python3.X exists even when that version is not chosen, and then answers 127. Ansible's interpreter
# discovery and ansible-test both fall for it, so nothing that we start may see the shims.
clean_path() {
    local part cleaned=
    local IFS=:
    for part in $PATH; do
        case $part in
            */.pyenv/shims | */.pyenv/shims/) ;;
            *) cleaned=${cleaned:+$cleaned:}$part ;;
        esac
    done
    printf '%s\n' "$cleaned"
}
PATH=$(clean_path)
export PATH

# The developer's own Ansible settings and an older installed copy of this collection must not take part.
export ANSIBLE_CONFIG=$ROOT/tests/ci/ansible.cfg
# What one ansible-core caches must not meet another version.
export ANSIBLE_HOME=$WORK/ansible-home-$TEST_VENV
export ANSIBLE_COLLECTIONS_PATH=$WORK/collections
# Unix sockets have about 100 bytes for their path, and a clone may lie deep.
export ANSIBLE_SSH_CONTROL_PATH_DIR=$CACHE/cp
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
export CONTAINERS_CONF=$ROOT/tests/hosts/containers.conf
export PYTHONPYCACHEPREFIX=$WORK/pycache
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

# ansible-core insists on a UTF-8 locale, which a bare machine may lack; Python itself always has C.UTF-8.
if ! locale charmap 2>/dev/null | grep -qi utf-8; then
    export LC_ALL=C.UTF-8
fi

say() { printf '\n==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
in_ci() { [ "${CI:-}" = true ]; }

# run TITLE COMMAND...: one check of several; remembers a failure instead of stopping at the first.
FAILED=()
run() {
    local title=$1
    shift
    say "$title"
    if ! "$@"; then
        FAILED+=("$title")
        printf 'FAILED: %s\n' "$title" >&2
    fi
}
finish() {
    if [ ${#FAILED[@]} -gt 0 ]; then
        printf '\nFAILED: %s\n' "${FAILED[@]}" >&2
        exit 1
    fi
}
