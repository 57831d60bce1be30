#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The policy "strict", where the kernel cannot make leases bind: with the rules of OpenOCD and
# stlink installed and somebody at the seat, a stranger cannot open a probe and the holder of a
# lease can, with tools that know nothing of it; "open" brings everything back.
# deadline: 400
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

serial=066DFF504955857567012345
# As on a kernel without BPF LSM.
mkdir -p /etc/stlinkd.conf.d
printf '[Daemon]\nGate=poll\n[Probes]\nJobTimeout=30s\n' >/etc/stlinkd.conf.d/50-poll.conf
back_to_normal() {
        stlinkctl policy open
        rm -f /etc/stlinkd.conf.d/50-poll.conf
        systemctl stop stlinkd
}
at_exit back_to_normal
systemctl stop stlinkd
seat_of visitor

node() {
        stlinkctl list --json | sed -nE 's/^ *"node": *"([^"]*)",?$/\1/p' | head -n 1
}
can_open() { # USER
        as_user "$1" bash -c ': <>"$1"' - "$(node)"
}
policy() {
        stlinkctl policy | sed -n 's/^Policy: //p'
}

for rules in 49-stlinkv2-1 60-openocd; do
        check "$rules.rules is installed" compgen -G "/lib/udev/rules.d/$rules.rules"
done
probes "v2-1:target=f103,serial=$serial"
check_soon "the probe is identified" 60 identified 1
udevadm settle
check_equal "leases do not bind here" cooperative "$(stlinkctl status --json | sed -nE 's/^ *"enforcement": *"(.*)",?$/\1/p')"
run stlinkctl policy
check_match "the policy is open" '^Policy: open' "$output"
check_match "and it is said what would help" 'stlinkctl policy strict' "$output"
check_soon "anybody can open the probe" 20 can_open visitor
before=$(stat -c %a:%U:%G "$(node)")

run as_user visitor stlinkctl policy strict --no-ask-password
check_equal "not everybody may choose the policy" 5 "$status"
check "root may" stlinkctl policy strict
check_equal "it is in force" strict "$(policy)"
check_soon "status says so" 20 eval "stlinkctl status --json | grep -q '\"enforcement\": *\"strict\"'"
check_equal "the node is root's alone" "600:root:root" "$(stat -c %a:%U:%G "$(node)")"
check_fails "a stranger cannot open it" can_open labuser
check_fails "nor whoever sits at the machine" can_open visitor
check_no_match "logind will not give it back to him" ':uaccess:' "$(udev_property "$(sysfs_of_probes)" CURRENT_TAGS)"
run as_user labuser st-info --probe
check_match "a tool without a lease finds nothing it may use" 'Found 0|Couldn|Failed|unknown' "$output"
run as_user labuser stlinkctl run -- st-info --probe
check_match "under a lease the same tool works" 'chipid: +0x0410' "$output"
check_soon "and afterwards no more" 20 eval '! can_open labuser'
run as_user labuser stlinkctl doctor --json
check_no_match "for doctor that is no lack of rights" '"verdict": *"no-permission"' "$output"
check_match "but the policy" 'is for who has a lease \(policy' "$output"

spawn holder as_user labuser stlinkctl run -- sh -c "until [ -e /run/enough ]; do sleep 0.2; done"
check_soon "labuser holds a lease" 30 eval 'stlinkctl list | grep -q leased'
check_soon "he can open it" 20 can_open labuser
check_fails "visitor cannot" can_open visitor
udevadm trigger --action=change --settle "$(sysfs_of_probes)"
check "udev may come by: he still can" can_open labuser
check_fails "and visitor still cannot" can_open visitor
touch /run/enough; at_exit rm -f /run/enough
check_soon "the lease is over" 30 eval 'stlinkctl list | grep -q " free "'
check_soon "and with it his access" 20 eval '! can_open labuser'

rm /run/enough
spawn holder as_user labuser stlinkctl run --delegate="uid:$(id -u visitor)" -- sh -c "until [ -e /run/enough ]; do sleep 0.2; done"
check_soon "a user whom a lease is delegated to can open it" 30 can_open visitor
check "and its holder" can_open labuser
touch /run/enough
check_soon "but no longer than it lasts" 30 eval '! can_open visitor'

number=$(stlinkctl lock --pid $$)
check "root delegates" stlinkctl delegate "uid:$(id -u visitor)"
check_soon "he can" 20 can_open visitor
check "and takes it back" stlinkctl delegate --withdraw "$number" "uid:$(id -u visitor)"
check_soon "he cannot" 20 eval '! can_open visitor'
stlinkctl unlock "$number"
check_soon "free again" 30 eval 'stlinkctl list | grep -q " free "'

sim unplug 1 >/dev/null
check_soon "unplugged" 20 plugged 0
sim plug 1 >/dev/null
check_soon "plugged in anew" 60 identified 1
udevadm settle
check_fails "it is closed from the beginning" can_open visitor
check "a lease opens it" as_user labuser stlinkctl run -- st-info --probe

check "open again" stlinkctl policy open
check_equal "the policy" open "$(policy)"
check_soon "everybody can" 20 can_open visitor
check_soon "the node is as it was" 20 eval "[ '$before' = \"\$(stat -c %a:%U:%G \"\$(node)\")\" ]"
check_equal "no rule is left" "" "$(compgen -G '/etc/udev/rules.d/*stlinkd*')"
check_match "udev tags it for the seat as before" ':uaccess:' "$(udev_property "$(sysfs_of_probes)" CURRENT_TAGS)"
check_equal "the daemon is still the same" 0 "$(property stlinkd NRestarts)"
finish
