#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units are such that systemd understands them whole, and as tight as can be: their exposure, as
# systemd-analyze rates it, is at most 2.0 (lower is safer; hostnamed has 1.5, udisks 9.6).
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need systemd-analyze
built=$TOP_BUILDDIR/systemd
unit=$scratch/stlinkd.service

# systemd-analyze looks for the program, which is installed nowhere yet.
for name in stlinkd stlinkd-admin; do
        sed 's|^ExecStart=/[^ ]*|ExecStart=/bin/true|' "$built/$name.service" >"$scratch/$name.service"
        run systemd-analyze --man=no --recursive-errors=no verify "$scratch/$name.service"
        check_equal "systemd understands $name's unit and has nothing to say about it" "0 " "$status $output"
        check_match "the place of $name is absolute" "^ExecStart=/.*/$name\$" "$(cat "$built/$name.service")"
        run systemd-analyze --no-pager security --offline=true --threshold=20 "$scratch/$name.service"
        exposure=$(sed -n 's/.*Overall exposure level for [^:]*: //p' <<<"$output")
        if [ "$status" -eq 0 ] && [ -n "$exposure" ]; then ok "its exposure, $exposure, is at most 2.0"; else
                fail "its exposure is at most 2.0" "$(grep -v '✓' <<<"$output")"
        fi
done
check_no_match "no directory is left to fill in" '@[a-z]+@' "$(cat "$built"/*.service)"

cat "$built/stlinkd.service" "$root/systemd/fanotify.conf" >"$unit.with"
sed 's|^ExecStart=/[^ ]*|ExecStart=/bin/true|' "$unit.with" >"$unit"
run systemd-analyze --man=no --recursive-errors=no verify "$unit"
check_equal "systemd understands the drop-in for fanotify" "0 " "$status $output"
finish
