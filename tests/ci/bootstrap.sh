#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bootstrap.sh [--system] [test] [lint] [core-2.18 ...]
#
# Makes what the other scripts stand on, each thing once:
#   - the collection tree .work/collections/ansible_collections/fmapi/coding_agents (a link to this clone);
#   - the named virtual environments, in the cache, linked as .work/venv/NAME;
#   - with --system, the programs that come from the distribution (podman and its parts, ssh, shellcheck).

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"

PACKAGES=(
    podman runc netavark iptables nftables iproute2 uidmap fuse-overlayfs mmdebstrap debian-archive-keyring
    openssh-client shellcheck ca-certificates strace acl busybox zsh fish man-db faketime jq desktop-file-utils
)

system_packages() {
    local package missing=()
    have dpkg-query || {
        in_ci && die "CI needs a Debian machine for the test hosts (no dpkg-query here)"
        say "not a Debian machine: tests that need containers will be skipped"
        return 0
    }
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        in_ci && die "missing: ${missing[*]}. Run: sudo apt-get install -y ${missing[*]}"
        say "missing: ${missing[*]} (tests that need them will be skipped). Run: sudo apt-get install -y ${missing[*]}"
        return 0
    fi
    say "installing from the distribution: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A Python that a current ansible-core runs on and that can make environments. pyenv's are taken by path, never by shim.
usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}
find_python() {
    local version candidate
    for version in ${1:-3.13 3.12 3.14 3.11}; do
        for candidate in ${PYTHON:+"$PYTHON"} "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/"python$version" \
            /usr/local/bin/"python$version" /opt/homebrew/bin/"python$version"; do
            if usable_python "$candidate"; then
                command -v "$candidate"
                return 0
            fi
        done
    done
    return 1
}

# One step of the preference is enough: only when there is no usable Python may the distribution's parts be added.
require_python() {
    local found
    if found=$(find_python "${1:-}"); then
        printf '%s\n' "$found"
        return 0
    fi
    if [ "$(id -u)" -eq 0 ] && have apt-get; then
        say "installing python3-venv from the distribution"
        DEBIAN_FRONTEND=noninteractive apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
        find_python "${1:-}" && return 0
    fi
    die "no usable Python ${1:-3.11 or newer} (with the venv module) found. On Debian: sudo apt-get install -y python3-venv." \
        "Another version: pyenv install ${1%% *}, or actions/setup-python. Or name one: make PYTHON=/path/to/python3 ..."
}

# The clone need not lie under .../ansible_collections/fmapi/coding_agents: this link does.
collection_tree() {
    local tree=$WORK/collections/ansible_collections/fmapi
    mkdir -p "$tree" "$WORK/venv" "$ANSIBLE_SSH_CONTROL_PATH_DIR"
    [ "$(readlink "$tree/coding_agents" || true)" = "$ROOT" ] || ln -sfn "$ROOT" "$tree/coding_agents"
}

environment() {
    local name=$1 requirements=$ROOT/tests/requirements relay=$ROOT/plugins/plugin_utils/relay_requirements.txt file python path pythons=""
    case $name in
        test) set -- "$relay" "$requirements"/{ansible,control,test,molecule,packaging}.txt ;;
        lint) set -- "$relay" "$requirements"/{ansible,control,test,lint,packaging}.txt ;;
        bench) set -- "$requirements"/bench.txt ;;
        core-*)
            file=$requirements/matrix/$name.txt
            [ -f "$file" ] || die "no ansible-core '${name#core-}' in tests/requirements/matrix"
            pythons=$(sed -n 's/^# python: //p' "$file")
            set -- "$relay" "$file" "$requirements"/{test,molecule}.txt
            grep -q '^databricks-sdk' "$file" || set -- "$@" "$requirements"/control.txt
            ;;
        *) die "unknown environment '$name' (known: test, lint, bench, and core-X.Y as in tests/requirements/matrix)" ;;
    esac
    python=$(require_python "$pythons")
    path=$("$python" "$ROOT/tests/ci/venv.py" "$CACHE" "$name" "$@")
    ln -sfn "$path" "$WORK/venv/$name"
}

collection_tree
for argument in "$@"; do
    case $argument in
        --system) system_packages ;;
        *) environment "$argument" ;;
    esac
done
