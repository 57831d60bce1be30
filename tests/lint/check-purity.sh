#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# core/ and proto/ decide and never act: what they take from libc is memory, strings and
# formatting. The linker's view, so that no header can hide a call.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need nm
# From libc, and from the sanitizers. clock_gettime and its kind are not among them.
allowed='^(mem[a-z]+|str[a-z]+|(__)?v?snprintf(_chk)?|__(mem|str)[a-z]+_chk)$'
allowed+='|^(malloc|calloc|realloc|reallocarray|free|qsort|bsearch|t(search|find|delete|destroy|walk))$'
allowed+='|^(abs|abort|__assert_fail|__stack_chk_fail|__ctype_[a-z_]+|toupper|tolower)$'
allowed+='|^(__isoc[0-9]+_strtou?l+|__errno_location|_GLOBAL_OFFSET_TABLE_)$'
allowed+='|^__(asan|ubsan|sanitizer|sancov|gcov|llvm)[a-z0-9_]*$'

# What the pure modules of base/ define, but for the one function of time.c that reads a clock.
base_symbols() {
        [ -e "$TOP_BUILDDIR/libbase.a" ] || return 0
        nm --defined-only --format=posix "$TOP_BUILDDIR/libbase.a" 2>/dev/null |
                awk -v pure="-($pure_base)[.]o" '
                        / *:$/ { take = $0 ~ pure }
                        take && NF > 1 && $1 != "now_usec" { print $1 }'
}

# Names that the libraries need and none of them gives.
foreign_symbols() {
        nm -u --format=posix "$@" 2>/dev/null | awk 'NF > 1 { print $1 }' | LC_ALL=C sort -u |
                LC_ALL=C comm -23 - <({
                        nm --defined-only --format=posix "$@" 2>/dev/null | awk 'NF > 1 { print $1 }'
                        base_symbols
                } | LC_ALL=C sort -u) | grep -vE "$allowed"
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
