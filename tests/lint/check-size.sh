#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What does not fit in the head gets split: functions of at most 60 lines, files of less than
# 600, nesting of at most 4. The measure is crude, and right as long as
# clang-format and its likes hold (8 columns a level).
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

cat >"$scratch/size.awk" <<'EOF'
function report(what, n, max) {
        printf "%s:%d: %s of %d lines (at most %d)\n", FILENAME, start, what, n, max
}
function close_file() {
        if (lines >= 600)
                printf "%s: file of %d lines (less than 600)\n", last, lines
}
FNR == 1 {
        if (last)
                close_file()
        last = FILENAME
        start = 0
        signature = 0
}
{ lines = FNR }
# A signature begins in column 1 and may go on indented, up to the line with the brace.
/^[A-Za-z_].*\(/ && !/;$/ { signature = FNR }
/^[^ \t#].*\) ?\{$/ || (signature && /^[ \t]+.*\) ?\{$/ && !start && !/^[ \t]*(if|for|while|switch)/) {
        start = signature ? signature : FNR
}
/^\}/ {
        if (start && FNR - start + 1 > 60)
                report("function", FNR - start + 1, 60)
        start = 0
        signature = 0
}
start && FILENAME ~ /\.[ch]$/ && prev ~ /[{;]$/ && match($0, /[^ ]/) > 48 {
        printf "%s:%d: nested deeper than 4\n", FILENAME, FNR
}
{ prev = $0 }
END { close_file() }
EOF

mapfile -t files < <(tree_files_like '\.(c|h|sh)$|^(dev|tests/run|\.ci/run|tests/vm/[a-z-]+)$')
violations=$(cd "$root" && awk -f "$scratch/size.awk" "${files[@]}")
check_empty "${#files[@]} files and their functions are of a size that can be read" "$violations"
finish
