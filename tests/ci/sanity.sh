#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-test sanity on a copy of what Git tracks, without ignore files.
#
# A copy, because ansible-test follows no link: the collection must really lie under ansible_collections/NAMESPACE/NAME.
# One Python for everything, and the oldest Python of a host for the two tests that depend on it, when it is here.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" "$TEST_VENV"

PYTHON_BIN=$(cd "$WORK/venv/$TEST_VENV/bin" && pwd -P)
VERSION=$("$PYTHON_BIN/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
OLDEST=3.9

# ansible-test keeps its environments in ~/.ansible/test: a home of its own keeps them between runs and out of the way.
# The ansible-core version is part of the path because the requirements belong to it.
CORE=$("$PYTHON_BIN/python" -c 'from ansible.release import __version__; print(__version__)')
HOME=$CACHE/ansible-test-$CORE
export HOME
unset ANSIBLE_HOME ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG PYTHONPYCACHEPREFIX

get_pip() {
    local pip_version=$1 cache=$HOME/.ansible/test/cache
    mkdir -p "$cache"
    cp "$ROOT/tests/ci/get_pip.py" "$cache/get_pip_${pip_version//./_}.py"
    [ -f "$cache/pip-$pip_version-py3-none-any.whl" ] ||
        "$PYTHON_BIN/python" -m pip download --quiet --no-deps --dest "$cache" "pip==$pip_version"
}

pip_version_for() {
    "$PYTHON_BIN/python" - "$1" <<'PYTHON'
import sys, types
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(types.SimpleNamespace(version=sys.argv[1]))["pip"])
PYTHON
}

# The Pythons by name and nothing that only pretends to be one.
interpreters() {
    local directory=$WORK/sanity/bin python
    rm -rf "$directory" && mkdir -p "$directory"
    for python in "${PYENV_ROOT:-$(getent passwd "$(id -u)" | cut -d: -f6)/.pyenv}"/versions/*/bin/python3.[0-9]*; do
        [[ $python =~ /python3\.[0-9]+$ && -x $python ]] && ln -sf "$python" "$directory/"
    done
    ln -sf "$PYTHON_BIN/python" "$directory/python$VERSION"
    PATH=$PYTHON_BIN:$directory:$PATH
}

copy() {
    local target=$WORK/sanity/ansible_collections/fmapi/coding_agents
    rm -rf "$target" && mkdir -p "$target"
    # Tracked files as they stand now; one that is deleted but not yet committed is left out.
    git -C "$ROOT" ls-files -z | (cd "$ROOT" && while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done) |
        tar -C "$ROOT" --null --files-from=- -cf - | tar -C "$target" -xf -
    # ansible-test asks Git which files are ours; without this it would find the clone around the copy, which ignores it.
    git -C "$target" init --quiet
    cd "$target"
}

interpreters
get_pip "$(pip_version_for "$VERSION")"
copy

run "ansible-test sanity, ansible-core $CORE, Python $VERSION" \
    ansible-test sanity --color no --local --python "$VERSION" "$@"
if [ $# -eq 0 ] && have "python$OLDEST"; then
    get_pip "$(pip_version_for "$OLDEST")"
    run "ansible-test sanity compile and import, Python $OLDEST (the oldest of a host)" \
        ansible-test sanity --color no --local --python "$OLDEST" --test compile --test import
fi
finish
