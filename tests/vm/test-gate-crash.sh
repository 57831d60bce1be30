#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The gate stays armed when the daemon is killed or restarted: a stranger who tries all the time
# never gets the probe while its lease lasts. When the unit is stopped everything is open again.
# deadline: 900
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

crashes=3
pid_of_daemon() {
        property stlinkd MainPID
}
is_another() { # PID: the daemon is up, and no longer that process
        unit_is stlinkd active && [ "$(pid_of_daemon)" != "$1" ] && [ "$(pid_of_daemon)" != 0 ]
}
stored() {
        property stlinkd NFileDescriptorStore
}

systemctl stop stlinkd
probes "v2-1:target=f411"
node=$(udev_property "$(sysfs_of_probes)" DEVNAME)
check_soon "the probe starts the daemon" 60 identified 1
kept=$(stored)
check "the service manager keeps the gate ($kept descriptors)" test "$kept" -ge 8
spawn holder stlinkctl run -- bash -c "while [ ! -e $scratch/stop ]; do
        st-info --probe >>$scratch/session 2>&1 || exit 70
        done"
holder=$spawned
check_soon "the probe is leased, and used" 60 grep -q V2J "$scratch/session"
spawn storm "$TOP_BUILDDIR/tests/vm/stranger" storm "${node%/*}"
storm=$spawned
for ((i = 1; i <= crashes; i++)); do
        old=$(pid_of_daemon)
        kill -KILL "$old"
        wait_until 200 is_another "$old" || fail "the daemon is back, crash $i"
        systemctl reset-failed stlinkd # it may crash as often as we like
done
ok "the daemon was killed $crashes times"
systemctl restart stlinkd
check_soon "the daemon is there after a restart" 200 eval "stlinkctl list --no-legend | grep -q leased"
kill -TERM "$storm"
wait "$storm"
cat "$scratch/storm.log"
check_match "the stranger never got in" '^storm: [1-9][0-9]+ refused, 0 passed, 0 other$' "$(cat "$scratch/storm.log")"
check_equal "of its descriptors none is kept twice" "$kept" "$(stored)"
touch "$scratch/stop"
wait "$holder"
check_equal "the holder never met an error" 0 "$?"

spawn holder stlinkctl run -- sleep 1000
check_soon "another lease" 60 eval "! true <>$node"
systemctl stop stlinkd
check_soon "with the unit the gate goes" 30 eval "true <>$node"
check_match "and the journal says so" 'If it is being stopped, every program may use every probe' \
        "$(journal stlinkd)"
finish
