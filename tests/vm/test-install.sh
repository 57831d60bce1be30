#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What make install put into the system is what systemd, the bus and udev read.
# deadline: 60
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

name=io.github.stlinkd1

check_equal "systemd knows the unit" loaded "$(property stlinkd.service LoadState)"
check_equal "it runs as a user of its own" stlinkd "$(property stlinkd.service User)"
check "which sysusers made" getent passwd stlinkd
check "and so is the group for labs" getent group stlink
check_equal "the bus can activate it" yes \
        "$(busctl --system call org.freedesktop.DBus / org.freedesktop.DBus ListActivatableNames |
                grep -q "\"$name\"" && echo yes)"

own_name() { # USER
        setpriv --reuid="$1" --regid="$1" --clear-groups --inh-caps=-all -- \
                busctl --system call org.freedesktop.DBus / org.freedesktop.DBus RequestName su "$name" 4
}
run own_name visitor
check_match "the bus keeps its name from others" 'not allowed to own|Access denied' "$output"
systemctl stop stlinkd
run own_name stlinkd
check_equal "and lets the daemon's user have it" "u 1" "$output"
finish
