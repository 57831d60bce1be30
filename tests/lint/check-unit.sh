#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The unit is one that systemd understands whole, and as tight as it can be: its exposure, as
# systemd-analyze rates it, is at most 2.0 (lower is safer; hostnamed has 1.5, udisks 9.6).
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need systemd-analyze
built=$TOP_BUILDDIR/systemd
unit=$scratch/stlinkd.service

# systemd-analyze looks for the program, which is installed nowhere yet.
sed 's|^ExecStart=/[^ ]*|ExecStart=/bin/true|' "$built/stlinkd.service" >"$unit"
run systemd-analyze --man=no --recursive-errors=no verify "$unit"
check_equal "systemd understands the unit and has nothing to say about it" "0 " "$status $output"

sed 's|^ExecStart=/[^ ]*|ExecStart=/bin/true|' "$built/stlinkd-admin.service" >"$scratch/stlinkd-admin.service"
run systemd-analyze --man=no --recursive-errors=no verify "$scratch/stlinkd-admin.service"
check_equal "the same of what takes root" "0 " "$status $output"
run systemd-analyze --no-pager security --offline=true --threshold=20 "$scratch/stlinkd-admin.service"
exposure=$(sed -n 's/.*Overall exposure level for [^:]*: //p' <<<"$output")
if [ "$status" -eq 0 ] && [ -n "$exposure" ]; then ok "and its exposure, $exposure, is at most 2.0, too"; else
        fail "its exposure is at most 2.0" "$(grep -v '✓' <<<"$output")"
fi

check_no_match "no directory is left to fill in" '@[a-z]+@' "$(cat "$built"/*.service)"
check_match "the program's place is absolute" '^ExecStart=/.*/stlinkd$' "$(cat "$built/stlinkd.service")"
run systemd-analyze --no-pager security --offline=true --threshold=20 "$unit"
exposure=$(sed -n 's/.*Overall exposure level for [^:]*: //p' <<<"$output")
if [ "$status" -eq 0 ] && [ -n "$exposure" ]; then ok "its exposure, $exposure, is at most 2.0"; else
        fail "its exposure is at most 2.0" "$(grep -v '✓' <<<"$output")"
fi

cat "$built/stlinkd.service" "$root/systemd/fanotify.conf" >"$unit.with"
sed 's|^ExecStart=/[^ ]*|ExecStart=/bin/true|' "$unit.with" >"$unit"
run systemd-analyze --man=no --recursive-errors=no verify "$unit"
check_equal "systemd understands the drop-in for fanotify" "0 " "$status $output"
finish
