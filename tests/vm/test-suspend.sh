#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The machine sleeps while somebody has a lease, somebody waits and a stranger tries: afterwards all
# is as before. The kernel freezes every process and goes no further: the host controller that the
# simulated probes are on cannot sleep.
# deadline: 300
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

leases() {
        stlinkctl leases --json | sed '/"ends"/d'
}
suspend() { # SECONDS
        echo "$1" >/sys/module/suspend/parameters/pm_test_delay
        echo freezer >/sys/power/pm_test
        echo freeze >/sys/power/state
}

systemctl stop stlinkd
probes "v2-1:target=f411"
node=$(udev_property "$(sysfs_of_probes)" DEVNAME)
check_soon "the probe starts the daemon" 60 identified 1
daemon=$(property stlinkd MainPID)
chmod 666 "$node"
spawn holder stlinkctl run -- bash -c "while [ ! -e $scratch/stop ]; do
        st-info --probe >>$scratch/session 2>&1 || exit 70
        done"
holder=$spawned
check_soon "the probe is leased, and used" 60 grep -q V2J "$scratch/session"
spawn waiter stlinkctl run --wait -- true
waiter=$spawned
check_soon "somebody waits" 30 grep -q place "$scratch/waiter.log"
spawn storm "$TOP_BUILDDIR/tests/vm/stranger" storm "${node%/*}"
storm=$spawned
before=$(leases)
uses=$(wc -l <"$scratch/session")
slept=$(dmesg | grep -c 'PM: suspend entry')
for ((i = 0; i < 3; i++)); do suspend 3; done
check_equal "the machine slept three times" $((slept + 3)) "$(dmesg | grep -c 'PM: suspend entry')"
check_equal "the leases are as before" "$before" "$(leases)"
check_equal "so is the daemon" "$daemon" "$(property stlinkd MainPID)"
check_soon "the holder goes on" 60 eval "[ \$(wc -l <$scratch/session) -gt $uses ]"
kill -TERM "$storm"
wait "$storm"
check_match "the stranger never got in" '^storm: [1-9][0-9]+ refused, 0 passed, 0 other$' "$(cat "$scratch/storm.log")"
touch "$scratch/stop"
wait "$holder"
check_equal "the holder never met an error" 0 "$?"
wait "$waiter"
check_equal "who waited gets his turn" 0 "$?"
finish
