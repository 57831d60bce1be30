#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A firmware update on a real kernel: a stand-in for ST's updater sends the probe into its boot
# loader, writes, and comes back, while other tools try to get at it all the time and stlinkd is
# restarted in the middle. The lease is never lost, and nobody else sends the probe a byte.
# deadline: 400
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

counter() { # NAME
        sim counters 1 | tr ' ' '\n' | sed -n "s/^$1=//p"
}
node() {
        udev_property "$(sysfs_of_probes | head -n 1)" DEVNAME
}
said() { # TEXT
        grep -q "$1" "$scratch/update.log"
}

systemctl stop stlinkd
probes "v2-1:target=f411,serial=066DFF504955857567012345"
check_soon "the daemon identifies the probe" 60 identified 1
check_equal "a lease binds here" 's "binding"' \
        "$(busctl get-property io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager Enforcement)"
sim reset-counters >/dev/null
spawn update stlinkctl run --for=firmware-update -- python3 "$TOP_SRCDIR/tests/updater.py" 40 1
update=$spawned
check_soon "the updater sends the probe into its boot loader" 90 said 'in the boot loader'

# What root can do beside it, all the time: open the node, and run tools that never heard of
# stlinkd. st-flash would start the application at once.
intrude() {
        until said 'block 15'; do
                echo try
                if { true <>"$(node)"; } 2>/dev/null; then echo opened; fi
                timeout 20 st-info --probe 2>&1 | grep -q 'Found [1-9]' && echo found
        done >"$scratch/intruder.log"
}
spawn intruder intrude
intruder=$spawned
check_soon "it writes" 60 said 'block 3'
check "stlinkd is restarted in the middle" systemctl restart stlinkd
check_soon "and is back" 60 stlinkctl list
check_match "with the lease" 'leased|switching' "$(stlinkctl list --no-legend)"
run stlinkctl run -- true
check_equal "another user of it is refused" 123 "$status"
wait "$intruder"
check "the update goes on" kill -0 $update
wait $update
check_equal "and ends well" 0 $?
check_match "as it says" '^updated: ' "$(<"$scratch/update.log")"
tries=$(grep -c try "$scratch/intruder.log") opened=$(grep -cE 'opened|found' "$scratch/intruder.log")
check "others tried ($tries times)" test "$tries" -ge 2
check_equal "in vain" 0 "$opened"
check_no_match "the lease was never lost" 'lease is lost' "$(<"$scratch/update.log")"
check_soon "afterwards the probe is free, and read" 60 identified 1
check_equal "nobody else sent it anything (the daemon three commands, afterwards)" \
        $(($(sed -n 's/.*commands: //p' "$scratch/update.log") + 3)) "$(counter commands)"
finish
