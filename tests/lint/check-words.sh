#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Nothing of one machine, and no promise instead of work, stands in the tree. The patterns are
# put together here so that this file does not match itself.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

search() { # what to call it, pattern
        local hits
        hits=$(cd "$root" && tree_files | grep -vE '^(LICENSES/|tests/lint/test-lints\.sh$)' |
                tr '\n' '\0' | xargs -0 -r grep -nIE -- "$2" | head -n 20)
        check_empty "no $1" "$hits"
}

search "path of one machine" '(^|[^A-Za-z0-9_.$}/])/(ro''ot|wo''rk|ho''me/[a-z]+|bu''ilder)/[A-Za-z0-9.]'
search "unfinished work" '(^|[^A-Za-z_])(TO''DO|FIX''ME|XX''X|HA''CK)([^A-Za-z_X]|$)'
search "conflict marker" '^(<{7}|={7}|>{7})( |$)'
search "trailing white space" '[[:blank:]]+$'
finish
