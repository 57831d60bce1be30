#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every XML file is well formed. D-Bus files stand without their DTD, which lives on the web; the
# structure that matters is checked by name.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need xmllint
mapfile -t files < <(tree_files_like '\.(xml|policy|conf)$' | while read -r path; do
        grep -qE '^<(\?xml|!DOCTYPE|node|busconfig)' "$root/$path" && echo "$path"
done)
for path in "${files[@]}"; do
        check "$path is well formed" xmllint --nonet --noout "$root/$path"
        case $path in
        dbus/*) query='//method[not(@name)]|//arg[not(@type)]|//property[not(@type) or not(@access)]' ;;
        *) continue ;;
        esac
        run xmllint --nonet --xpath "$query" "$root/$path"
        check_match "$path: methods have names, arguments and properties types" 'XPath set is empty' "$output"
done
finish
