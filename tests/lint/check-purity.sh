#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# core/ and proto/ decide and never act: what they take from libc is memory, strings and
# formatting. The linker's view, so that no header can hide a call.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need nm
allowed='^(mem[a-z]+|str[a-z]+|(__)?v?snprintf(_chk)?|__(mem|str)[a-z]+_chk|malloc|calloc|realloc|reallocarray|free)$'
allowed+='|^(qsort|bsearch|abs|abort|__assert_fail|__stack_chk_fail|__ctype_[a-z_]+|toupper|tolower)$'
allowed+='|^(__isoc[0-9]+_strtou?l+|__errno_location|parse_usec|format_usec|text_escape|utf8_decode|_GLOBAL_OFFSET_TABLE_)$'
allowed+='|^__(asan|ubsan|sanitizer|sancov|gcov|llvm)[a-z0-9_]*$'

# Names that a library needs and none of the pure ones gives.
foreign_symbols() {
        nm -u --format=posix "$@" 2>/dev/null | awk 'NF > 1 { print $1 }' | sort -u |
                comm -23 - <(nm --defined-only --format=posix "$@" 2>/dev/null |
                        awk 'NF > 1 { print $1 }' | sort -u) | grep -vE "$allowed"
}

libraries=()
for name in core proto; do
        [ ! -e "$TOP_BUILDDIR/lib$name.a" ] || libraries+=("$TOP_BUILDDIR/lib$name.a")
done
if [ ${#libraries[@]} -eq 0 ]; then
        fail "libcore.a is built" "none in $TOP_BUILDDIR"
        finish
fi
check_empty "core/ and proto/ call nothing that acts" "$(foreign_symbols "${libraries[@]}")"
finish
