#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# C is formatted by clang-format 14 (Debian 12's); other versions disagree with it in details.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

tool=clang-format-14
command -v $tool >/dev/null || tool=clang-format
need $tool
version=$($tool --version | sed -nE 's/.*version ([0-9]+).*/\1/p')
if [ "$version" != 14 ]; then
        skip "C is formatted" "clang-format is version $version, the tree follows 14"
        finish
fi
mapfile -t files < <(tree_files_like '\.[ch]$')
run eval 'cd "$root" && $tool --dry-run -Werror "${files[@]}"'
if [ "$status" -eq 0 ]; then ok "${#files[@]} C files are formatted"; else
        fail "${#files[@]} C files are formatted (clang-format -i FILE mends it)" \
                "$(grep -E 'error:' <<<"$output" | head -n 20)
$output"
fi
finish
