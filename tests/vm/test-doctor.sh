#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# stlinkctl doctor and explain where the kernel, udev's rules, access lists and the kernel's log
# are real: who may use the node and why, with the rules of Debian's packages and without.
# deadline: 200
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

doctor() { # USER OPTION...: what it says is in $said, its exit status in $code
        local user=$1
        shift
        code=0
        if [ "$user" = root ]; then
                stlinkctl doctor --json "$@" >"$scratch/doctor.json" 2>&1 || code=$?
        else
                as_user "$user" stlinkctl doctor --json "$@" >"$scratch/doctor.json" 2>&1 || code=$?
        fi
        said=$(cat "$scratch/doctor.json")
}

# As if stlinkd were not there; it is started by udev otherwise.
systemctl mask --runtime stlinkd.service >/dev/null 2>&1
systemctl stop stlinkd.service
at_exit systemctl unmask --runtime stlinkd.service
only_our_rules
seat_of visitor

check_soon "no probe is there" 60 plugged 0
doctor root
check_equal "without a probe" 3 "$code"
echo '<3>usb 9-1: device descriptor read/64, error -71' >/dev/kmsg
doctor root
check_match "what the kernel just complained of may be why" '"verdict": "usb-trouble"' "$said"
run unshare --time --fork --monotonic 1200 stlinkctl doctor --json
check_equal "what it complained of 20 minutes ago is not" 3 "$status"
check_match "there is none" '"verdict": "no-probe"' "$output"
probes v2-1:target=f411,serial=066DFF504955857567012345
udevadm settle
doctor root
# Emulated, it may be slow.
check_match "a healthy probe on a real kernel" "^(0|22)$" "$code"
check_match "the kernel's log is read" '"text": "no complaint about this port' "$said"
check_match "it came over the network" 'over the network' "$said"
doctor labuser
check_equal "who is not at the machine may not use it" 5 "$code"
check_match "its node is closed to him" 'is closed to you; mode 0664, owner root, group root' "$said"
doctor visitor
check_match "who is may" "^(0|22)$" "$code"
check_match "by an access list" 'access list: user:visitor' "$said"
check_match "that comes from our rules" 'tag \\?"uaccess\\?" comes from [^ ]*/69-stlinkd.rules:' "$said"

# A rule of somebody's own, too late to count.
cat >/run/udev/rules.d/99-mine.rules <<'RULE'
SUBSYSTEM=="usb", ATTR{idVendor}=="0483", MODE="0600", TAG+="uaccess"
RULE
ln -sf /dev/null /run/udev/rules.d/69-stlinkd.rules
udevadm control --reload
sim unplug 1 >/dev/null
check_soon "it is gone" 20 plugged 0
sim plug 1 >/dev/null
check_soon "and back" 30 plugged 1
udevadm settle
doctor visitor
check_equal "with a rule that comes too late it is closed" 5 "$code"
check_match "that is seen" '99-mine.rules:1 .*too late' "$said"
check_match "and mended" '"next": "sudo mv /run/udev/rules.d/99-mine.rules' "$said"
run as_user visitor stlinkctl explain 'libusb_open() failed with LIBUSB_ERROR_ACCESS'
check_match "explain sees the same" '^. yes +you may not use the probe' "$output"
finish
