#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What takes root: stlinkd-admin does it, for whom polkit lets, to ST-LINKs that nobody else uses,
# and to nothing else. The ladder of recovery against a real kernel.
# deadline: 400
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

serial=066DFF504955857567012345
admin() { # USER METHOD ARGUMENT...
        as_user "$1" busctl --system --allow-interactive-authorization=no call io.github.stlinkd1.Admin \
                /io/github/stlinkd1/admin io.github.stlinkd1.Admin "${@:2}"
}
field() { # KEY: of the probe
        stlinkctl list --json | sed -nE "s/^ *\"$1\": *\"?([^\",]*)\"?,?$/\\1/p" | head -n 1
}
log() {
        journalctl --sync
        journalctl --unit=stlinkd-admin --boot --no-pager
}

systemctl stop stlinkd-admin
probes "v2-1:target=f103,serial=$serial"
check_soon "the probe is identified" 60 identified 1
port=$(field port) node=$(field node)
check "it is not running unasked" unit_is stlinkd-admin inactive
run admin root Introspect 2>/dev/null
run busctl --system introspect io.github.stlinkd1.Admin /io/github/stlinkd1/admin
check_match "the bus starts it" 'Reauthorize +method +ssa' "$output"
check "it runs" unit_is stlinkd-admin active

run admin visitor Reauthorize 'ssa{sv}' "$port" "$node" 0
check_match "a stranger may not" 'password|InteractiveAuthorization|polkit' "$output"
run admin labuser Reauthorize 'ssa{sv}' "$port" /dev/bus/usb/001/111 0
check_match "another device than the one that was meant is left alone" 'Another device' "$output"
for other in usb1 1-0:1.0 ../usb1 '' 1-1/../../usb1 "$(printf '%0100d' 1)-1"; do
        run admin root Reauthorize 'ssa{sv}' "$other" /dev/bus/usb/001/001 0
        check_match "'${other:0:20}' is no ST-LINK" 'no ST-LINK' "$output"
done
run as_user labuser busctl --system call io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager \
        GetObstacle ssu "$port" :1.1 0
check_match "whom that would disturb is for root to ask" 'Access denied' "$output"
exec 9<>"$node"
run admin labuser Reauthorize 'ssa{sv}' "$port" "$node" 0 9>&- # so that only we have it
check_match "one that somebody has open is left alone" "pid $$" "$output"
exec 9>&-
spawn holder as_user labuser stlinkctl run -- sh -c "until [ -e /run/enough ]; do sleep 0.2; done"
check_soon "it is leased" 30 eval 'field state | grep -q leased'
run admin root PowerCycle 'ssa{sv}' "$port" "$node" 0
check_match "and one that is leased, even for root" 'leased to labuser' "$output"
touch /run/enough; at_exit rm -f /run/enough
check_soon "it is free again" 30 identified 1
check_equal "all this has not touched it" "1 $node" "$(cat "/sys/bus/usb/devices/$port/authorized") $(field node)"
udevadm monitor --kernel --subsystem-match=usb >"$scratch/events" &
monitor=$!
check_soon "the kernel is listened to" 10 grep -q KERNEL "$scratch/events"
check "a member of group stlink may" admin labuser Reauthorize 'ssa{sv}' "$port" "$node" 0
check_soon "the kernel has taken its interfaces away" 10 grep -q "remove .*$port:1.0" "$scratch/events"
check_soon "and made them anew" 10 grep -q "add .*$port:1.0" "$scratch/events"
check_equal "it is allowed again" 1 "$(cat "/sys/bus/usb/devices/$port/authorized")"
kill $monitor
udevadm settle
check_soon "the daemon has it as before" 30 identified 1
check "it works" as_user labuser stlinkctl run -- st-info --probe

run as_user labuser stlinkctl recover
check_equal "a healthy probe needs nothing" 0 "$status"
sim set 1 state=wedged-until-replug
run as_user labuser stlinkctl recover --no-ask-password
check_equal "the ladder against a probe that nothing helps" 7 "$status"
check_match "resets its port" 'reset its USB port +(no answer|the transfer failed)' "$output"
check_match "sets it up anew" 'set it up anew +(no answer|the transfer failed)' "$output"
check_match "and says what is left" "Unplug it from port $port" "$output"
printf '%s\n' "$output"
check_match "what was done is logged" "Port $port: set up anew" "$(log)"
check_equal "others are told" needs-replug "$(field wedge)"
run timeout 20 stlinkctl run -- true
check_equal "run refuses it in seconds" 120 "$status"
sim unplug 1
sim set 1 state=ok
sim plug 1
check_soon "a re-plug helps" 60 identified 1
check_equal "and clears the mark" none "$(field wedge)"
check_equal "the daemon is still the same" 0 "$(property stlinkd NRestarts)"
exposure=$(systemd-analyze --no-pager security stlinkd-admin.service | sed -n 's/.*Overall exposure level for [^:]*: //p')
check_match "its exposure is low: $exposure" '^[01][.]|^2[.]0' "$exposure"
finish
