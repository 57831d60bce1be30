#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A leased probe leaves its bus and comes back under another number, while a stranger opens all that
# there is on the bus as fast as he can: he never gets the probe, and others get their devices.
# deadline: 300
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

rounds=5
node_of() { # SERIAL
        local path
        for path in $(sysfs_of_probes); do
                [ "$(<"$path/serial")" = "$1" ] || continue
                printf '/dev/bus/usb/%03d/%03d\n' "$(<"$path/busnum")" "$(<"$path/devnum")"
        done
}
one=066DFF504955857567012345 two=0669FF373535503457062922
back() { # OLD: it is there again, elsewhere
        local now
        now=$(node_of "$one")
        [ -n "$now" ] && [ "$now" != "$1" ] && stlinkctl list --no-legend | grep "^$one" | grep -q leased
}

can_open() { # SERIAL
        true <>"$(node_of "$1")"
}

systemctl stop stlinkd
probes "v2-1:target=f411,serial=$one" "v2-1:target=f411,serial=$two"
check_soon "two probes start the daemon" 60 identified 2
sim unplug 2 >/dev/null
check_soon "one is unplugged" 30 identified 1
node=$(node_of "$one")
spawn holder stlinkctl run --probe $one -- sleep 1000
check_soon "the other is leased" 30 back none
spawn storm "$TOP_BUILDDIR/tests/vm/stranger" storm "${node%/*}"
storm=$spawned
for ((round = 1; round <= rounds; round++)); do
        node=$(node_of "$one")
        sim unplug 1 >/dev/null
        sim plug 1 >/dev/null
        wait_until 40 back "$node" || fail "the probe comes back, round $round" "$(stlinkctl status)"
done
ok "the probe re-enumerated $rounds times"
node=$(node_of "$one")
sim unplug 1 >/dev/null
sim plug 2 >/dev/null
sim plug 1 >/dev/null
check_soon "it comes back together with another one" 60 back "$node"
check_soon "which is everybody's" 30 can_open "$two"
kill -TERM "$storm"
wait "$storm"
check_match "the stranger was refused all the time" '^storm: [1-9][0-9]+ refused' "$(cat "$scratch/storm.log")"
check_match "and got nothing but the probe that was free" ', [0-9]+ passed, 0 other$' "$(cat "$scratch/storm.log")"
cat "$scratch/storm.log"
finish
