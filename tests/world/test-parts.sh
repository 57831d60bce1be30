#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The serial port and the disk of a probe: whose they are, who uses them, and that a lease can
# cover them.
# deadline: 120
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2-1:serial=066DFF000000000000000002 \
        v3:serial=066DFF000000000000000003,pid=3753
plain=066DFF000000000000000001 one=066DFF000000000000000002 two=066DFF000000000000000003
start_daemon
check_soon "the probes are there" 20 eval "is $plain free && is $one free && is $two free"

# has_line ID REGEX: a line of its status
has_line() {
        ctl status "$1" | grep -qE "$2"
}
tty=$(ctl tty $one)
check "tty prints a device" test -e "$tty"
check_equal "and nothing else" "$tty" "$(field $one tty)"
check_soon "status knows the name that stays" 10 has_line $one " Serial: /dev/stlink/by-serial/$one/vcp-if02"
check_match "and the disk's" ' Disk: /dev/disk/by-id/usb-.*0002-0:0' "$(ctl status $one)"
run ctl tty $plain
check_equal "a probe without a serial port has no tty: exit code" 3 "$status"
check_match "and it says so" 'has no serial port' "$output"
check_no_match "not on stdout" . "$(ctl tty $plain 2>/dev/null)"
check_equal "one with two shows both" 2 "$(ctl status $two | grep -c /dev/stlink/by-serial/$two/)"

# Others at the serial port are named, and keep nobody from the probe.
tail -f "$tty" >/dev/null & # a stand-in for minicom: what counts is who has it open
reader=$!
check_soon "who has the serial port open is named" 10 has_line $one "tail \(PID $reader\)"
check "the probe is free all the same" is $one free
run ctl run --probe $one -- true
check_equal "and can be leased" 0 "$status"
check_no_match "in silence" . "$output"
run ctl run --probe $one --with vcp -- true
check_equal "with its serial port, too" 0 "$status"
check_match "and who is there is told" "tail \(PID $reader\) of .* has the probe's serial port open" "$output"
check_no_match "for doctor he is in nobody's way" '"verdict": *"(held|none)"' "$(ctl doctor $one --json)"
kill $reader
wait $reader 2>/dev/null
check_soon "gone again" 10 eval "! has_line $one 'tail '"

# Leases on parts exclude each other where they meet.
spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $one --with vcp -- sleep 300
check_soon "leased with its serial port" 10 is $one leased
check_match "leases say so" '"vcp"' "$(ctl leases --json)"
run ctl run --probe $one --with vcp -- true
check_equal "nobody else gets it meanwhile" 123 "$status"
kill "$spawned"
check_soon "given back" 10 is $one free
run ctl run --with nonsense -- true
check_equal "an unknown part is refused" 121 "$status"
check_match "with an example" 'try --with=vcp,msd' "$output"
run ctl run --probe $plain --with msd -- true
check_match "a part that is not there, too" 'has no part "msd"' "$output"

# The kernel's names follow the probe.
sim unplug 2
check_soon "unplugged" 10 is $one gone
sim plug 2
check_soon "it is back" 10 is $one free
check_soon "and so is its serial port" 10 ctl tty $one
tail -f "$(ctl tty $one)" >/dev/null &
reader=$!
check_soon "with whoever uses it" 10 has_line $one "tail \(PID $reader\)"
kill $reader
stop_daemon
finish
