#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The installed rules and hardware database, through the real udevd, on probes that the real
# kernel enumerated: tags and properties of the probe and of its parts, and who may open it.
# deadline: 150
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

serial=066DFF504955857567012345
link=/dev/stlink/by-serial/$serial/vcp-if02

only_our_rules
seat_of visitor

probes "v2-1:target=f411,serial=$serial"
path=$(sysfs_of_probes)
node=$(udev_property "$path" DEVNAME)
tags=$(udev_property "$path" CURRENT_TAGS)

check_equal "udev knows it as a probe" 1 "$(udev_property "$path" ID_STLINK)"
check_equal "and as a debug appliance, for systemd >= 258" stlink "$(udev_property "$path" ID_DEBUG_APPLIANCE)"
check_equal "the hardware database knows its model" V2-1 "$(udev_property "$path" STLINK_MODEL)"
check_equal "ModemManager leaves it alone" 1 "$(udev_property "$path" ID_MM_DEVICE_IGNORE)"
check_match "it is for the local user" ':uaccess:' "$tags"
check_match "systemd hears of it" ':systemd:' "$tags"
check_equal "and starts the daemon" stlinkd.service "$(udev_property "$path" SYSTEMD_WANTS)"

can_open() { # USER
        as_user "$1" bash -c ': <>"$1"' - "$node"
}
check_soon "who sits at the machine can open it" 10 can_open visitor
check_fails "who does not cannot" can_open labuser
check_equal "no rule of ours made it anybody's" "root:root" "$(stat -c %U:%G "$node")"

check_soon "the serial port has a name that stays" 20 test -c "$link"
check_equal "ModemManager leaves the port alone" 1 "$(udev_property "$link" ID_MM_PORT_IGNORE)"
check_match "it is for the local user too" ':uaccess:' "$(udev_property "$link" CURRENT_TAGS)"
disk() {
        local block
        block=$(find -L "$path":*/host*/target*/*/block -mindepth 1 -maxdepth 1 2>/dev/null | head -n 1)
        [ -n "$block" ] && echo "$block"
}
check_soon "the drive is there" 20 disk
check_soon "nobody mounts it unasked" 30 eval '[ "$(udev_property "$(disk)" UDISKS_AUTO)" = 0 ]'

sim unplug 1 >/dev/null
check_soon "it leaves the kernel when it is pulled" 20 plugged 0
check_soon "and its names go" 10 eval "! test -e $link"
sim plug 1 >/dev/null
check_soon "they come back with it" 30 test -c "$link"
finish
