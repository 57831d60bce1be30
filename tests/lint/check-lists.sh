#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Automake has no wild cards: a file that no fragment names is neither run nor released.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

# The words of all fragments: a file is named when its path is one of them.
(cd "$root" && tree_files_like '\.am$' | tr '\n' '\0' | xargs -0 cat) |
        sed 's/#.*//' | tr -s ' \t\\=' '\n' | sort -u >"$scratch/words"

unlisted() { # regex of paths
        tree_files_like "$1" | grep -vxF -f "$scratch/words"
}

# A unit test whose only source has its name needs no line for it.
check_empty "every file of the tests stands in a list" "$(unlisted '^tests/' | while read -r path; do
        grep -qxF "${path%.c}" "$scratch/words" || echo "$path"
done)"
check_empty "every source file stands in a list" "$(unlisted '^src/.*\.([ch]|am)$')"
finish
