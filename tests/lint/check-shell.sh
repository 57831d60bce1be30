#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every script, whatever its name, passes shellcheck.
# deadline: 600
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need shellcheck
mapfile -t files < <(cd "$root" && tree_files | while read -r path; do
        case $path in
        *.sh) echo "$path" ;;
        *) [[ $(head -c 64 "$path" | tr -d '\0' | head -n 1) =~ ^#!.*[/\ ](ba)?sh ]] && echo "$path" ;;
        esac
done)
run eval 'cd "$root" && shellcheck -x "${files[@]}"'
if [ "$status" -eq 0 ]; then ok "${#files[@]} scripts pass shellcheck"; else
        fail "${#files[@]} scripts pass shellcheck" "$output"
fi
finish
