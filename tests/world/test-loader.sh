#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A probe that was just sent into its boot loader is about to be updated: it is shown as the same
# probe, and stlinkctl connect leaves it there, where other tools start its application.
# deadline: 60
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
enter_world v2-1:reenumerate=100ms
# shellcheck disable=SC2119 # the defaults will do
start_daemon

# What an updater does first (F9 01), by Debian's python3-usb, which pyOCD needs too.
enter_loader() {
        /usr/bin/python3 -c 'import usb.core
usb.core.find(idVendor=0x0483).write(1, bytes([0xf9, 1] + [0] * 14), 1000)'
}

in_loader() {
        [ "$(busctl --system get-property io.github.stlinkd1 "$path" io.github.stlinkd1.Probe Mode)" = 's "loader"' ]
}

is_free() {
        ctl list --no-legend | grep -qw free
}

check_soon "the probe is read" 20 is_free
path=$(busctl --system tree --list io.github.stlinkd1 | grep /probe/ | tail -n 1)
check "connect works" ctl connect
check "an updater sends it into its boot loader" enter_loader
check_soon "it is the same probe, in another mode" 20 in_loader
check_match "which is known by when it began" '^t [1-9]' \
        "$(busctl --system get-property io.github.stlinkd1 "$path" io.github.stlinkd1.Probe LoaderSince)"
run ctl connect
check_equal "connect leaves it alone" 1 "$status"
check_match "and says why" 'entered its boot loader, as for a firmware update' "$output"
check "it is still in its boot loader" in_loader
sim unplug 1
sim plug 1
check_soon "re-plugged it is read again" 20 is_free
check_match "which ends that" '^t 0$' \
        "$(busctl --system get-property io.github.stlinkd1 "$path" io.github.stlinkd1.Probe LoaderSince)"
check "and connect works again" ctl connect
stop_daemon
finish
