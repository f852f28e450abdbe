#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every static check. All of them run, then the script fails if any did. No check has a list of exceptions of its own.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" --system lint
PATH=$WORK/venv/lint/bin:$PATH
export NO_COLOR=1
cd "$ROOT"

# Tracked or new but not ignored, and present: the same set before and after a commit.
files() { git ls-files --cached --others --exclude-standard -z -- "$@" | while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done; }

# Shell scripts by name or by first line. The token helper's front is sh in a template or a string; its own test checks it.
shell_files() {
    files '*.sh' '.ci/run'
    files | while IFS= read -r -d '' file; do
        case $file in *.sh | .ci/run) continue ;; esac
        if head -c 64 "$file" | head -n 1 | tr -d '\0' | grep -qE '^#!.*[/ ](ba|da)?sh( |$)'; then printf '%s\0' "$file"; fi
    done
}
check_shell() { shell_files | xargs -0 -r shellcheck --external-sources; }

check_yaml() { files '*.yml' '*.yaml' .ansible-lint .yamllint | xargs -0 -r yamllint --strict; }

# The linter must see the collection where Ansible sees it. --offline keeps it from asking Galaxy and from installing a
# copy of this tree that would later shadow it.
check_ansible() { ansible-lint --offline --profile production --strict; }

# Options, return values and cross references of the documentation, as a reader of the built docs would meet them.
check_docs() {
    (cd "$WORK/collections/ansible_collections/fmapi/coding_agents" &&
        antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs self .)
}

# What a file is missing when it was not written by a program: the licence line. Formats without comments cannot carry it.
check_spdx() {
    local file missing=0
    while IFS= read -r -d '' file; do
        [ -s "$file" ] || continue
        head -n 12 "$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || { echo "$file: no SPDX line" >&2; missing=1; }
    done < <(files '*.py' '*.sh' 'plugins/*' 'roles/*.yml' 'playbooks/*.yml' 'molecule/*.yml' Makefile ':!*.json')
    return "$missing"
}

run "ruff check" ruff check --no-cache .
run "ruff format" ruff format --no-cache --check .
run "mypy" mypy
run "yamllint" check_yaml
run "shellcheck" check_shell
run "SPDX lines" check_spdx
run "ansible-lint, profile production" check_ansible
run "antsibull-docs" check_docs
run "antsibull-changelog" antsibull-changelog lint
finish
