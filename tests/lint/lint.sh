# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the lints share: which files they look at. LINT_ROOT is another tree to look at, for the
# lints' own test.
# shellcheck source=../lib.sh
. "${BASH_SOURCE[0]%/*}/../lib.sh"

root=${LINT_ROOT:-$TOP_SRCDIR}

# Modules of base/ that only compute, which core/ and proto/ may use; a regular expression.
# shellcheck disable=SC2034
pure_base='bytes|hash|heap|list|macro|string-table|text|time'

# The tree's own files, one relative path per line. In a checkout: all that git knows or would
# take; in a release tarball: all but what autotools and the build put there.
tree_files() {
        if [ -e "$root/.git" ]; then
                git -c safe.directory='*' -C "$root" ls-files --cached --others --exclude-standard |
                        while read -r path; do [ ! -f "$root/$path" ] || echo "$path"; done
        else
                (cd "$root" && find . -type d \( -name 'build*' -o -name autom4te.cache \
                        -o -name .deps -o -name _build -o -name _inst \) -prune -o -type f -print) |
                        sed 's|^\./||' | grep -vE '^(configure|config\..*|aclocal\.m4|Makefile(\.in)?|INSTALL|stamp-h.*)$|\.(o|a|log|trs|[1-8])$|~$'
        fi | LC_ALL=C sort
}

# tree_files whose path matches the extended regular expression.
tree_files_like() {
        tree_files | grep -E -- "$1"
}

# check_empty NAME TEXT: TEXT lists violations, so it has to be empty.
check_empty() {
        if [ -z "$2" ]; then ok "$1"; else fail "$1" "$2"; fi
}
