#!/usr/bin/env bash
# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# docs.sh [COLLECTIONS [DIRECTORY]]: the documentation site, in DIRECTORY/html (.work/docs/html), of this clone or of the collection
# that is installed in COLLECTIONS. Any warning is an error.

# shellcheck source=tests/ci/env.sh
. "$(dirname "$0")/env.sh"
"$ROOT/tests/ci/bootstrap.sh" test
PATH=$WORK/venv/test/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=${1:-$ANSIBLE_COLLECTIONS_PATH} NO_COLOR=1
out=${2:-$WORK/docs}
rm -rf "$out/rst" "$out/html"
# antsibull-docs writes only into a directory that nobody else may write to.
mkdir -p "$out" && mkdir -m 0700 "$out/rst"
antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$out/rst" fmapi.coding_agents
sphinx-build -b html -d "$out/doctrees" -c "$ROOT/tests/ci/docsite" --fail-on-warning --keep-going --quiet "$out/rst" "$out/html"
say "the documentation site: $out/html/index.html"
