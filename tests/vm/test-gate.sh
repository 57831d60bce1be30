#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fanotify as the gate, on a real kernel's device nodes: the gate's own tests on devtmpfs, then
# the installed daemon with the administrator's drop-in, and without it again.
# deadline: 240
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

gate() {
        busctl get-property io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager Gate
}
shows() { # REGEX: the status, as an ordinary user sees it, has such a line
        as_user visitor stlinkctl status 2>&1 | grep -qE -- "$1"
}
hold() { # open the node, and neither claim it nor close it
        exec 9<"$1"
        exec sleep 1000
}

check "the gate's tests pass on device nodes in devtmpfs" \
        env TMPDIR=/dev CK_RUN_CASE=fanotify-device "$TOP_BUILDDIR/tests/unit/test-gate"

dropin=/run/systemd/system/stlinkd.service.d/fanotify.conf
install -D -m 644 "$TOP_SRCDIR/systemd/fanotify.conf" "$dropin"
printf '[Daemon]\nGate=fanotify\n' >/run/stlinkd.conf
systemctl daemon-reload
systemctl stop stlinkd
probes "v2-1:target=f411"
node=$(udev_property "$(sysfs_of_probes)" DEVNAME)
check_soon "with the drop-in the daemon starts" 60 unit_is stlinkd active
check_equal "and watches by fanotify" 's "fanotify"' "$(gate)"
check_soon "the probe is identified" 60 shows "V2J[0-9]+"

spawn squatter hold "$node"
check_soon "who opens the node is named" 60 shows "sleep.*$spawned|$spawned.*sleep"
kill -KILL "$spawned"
check_soon "and gone once killed" 60 eval '! shows sleep'

rm "$dropin"
printf '[Daemon]\nGate=poll\n' >/run/stlinkd.conf
systemctl daemon-reload
systemctl restart stlinkd
check_equal "without it the daemon can look through /proc" 's "poll"' "$(gate)"
spawn squatter hold "$node"
check_soon "who opens the node is named there too" 60 shows "sleep.*$spawned|$spawned.*sleep"
kill -KILL "$spawned"
check_soon "and gone once killed, too" 60 eval '! shows sleep'
sim unplug 1
systemctl stop stlinkd
rm /run/stlinkd.conf
check_no_match "it logged no error" ' (error|Failed|failed|refused)' "$(journal stlinkd | grep 'stlinkd\[')"
finish
