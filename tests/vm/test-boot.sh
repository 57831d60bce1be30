#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The machine the other tests stand on: Debian's kernel with BPF LSM and vhci_hcd, and systemd,
# udevd, dbus-daemon and polkitd at work, not merely started.
# deadline: 120
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

answer_of_polkit() {
        busctl call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority \
                org.freedesktop.PolicyKit1.Authority CheckAuthorization '(sa{sv})sa{ss}us' \
                unix-process 3 pid u $$ start-time t 0 uid i 0 org.freedesktop.policykit.exec 0 0 ''
}

check_equal "the kernel is Debian's 6.1 or later" yes \
        "$([ "$(uname -r | cut -d. -f1)" -ge 6 ] && uname -r | grep -q amd64 && echo yes)"
check_match "BPF LSM is on" '(^|,)bpf(,|$)' "$(cat /sys/kernel/security/lsm)"
check_soon "the system is up, whole" 30 systemctl is-system-running
check_equal "no unit failed" "" "$(systemctl list-units --failed --plain --no-legend)"
check "udevd answers" udevadm control --ping
check "the system bus answers" busctl --system status org.freedesktop.DBus
check_match "polkit answers" '^\(bba\{ss\}\) true ' "$(answer_of_polkit 2>&1)"

check "vhci_hcd loads" modprobe vhci_hcd
check_soon "its controllers appear" 20 test -e /sys/devices/platform/vhci_hcd.0/attach
check_soon "udev makes nodes of its root hubs" 20 eval 'udevadm settle && test -c /dev/bus/usb/001/001'

run as_user visitor id -un
check_equal "a test can be an ordinary user" visitor "$output"
run as_user visitor touch /etc/from-visitor
check_equal "who may not write to /etc" 1 "$status"
check_match "another is in group stlink" '(^| )stlink( |$)' "$(as_user labuser id -Gn)"
finish
