#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The installed daemon as its own unit on the system bus: started by udev for the first probe,
# with no more rights than it needs, answering an ordinary user, and still there after a crash.
# deadline: 240
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

serial=066DFF504955857567012345

shows() { # REGEX: the status, as an ordinary user sees it, has such a line
        as_user visitor stlinkctl status 2>&1 | grep -qE -- "$1"
}
capabilities() { # SET
        sed -n "s/^Cap$1:\t//p" "/proc/$(property stlinkd MainPID)/status"
}
bits() { # NUMBER...
        local mask=0 bit
        for bit in "$@"; do mask=$((mask | 1 << bit)); done
        printf '%016x' $mask
}

systemctl stop stlinkd
check_equal "without a probe nothing runs" inactive "$(property stlinkd ActiveState)"
probes "v2-1:target=f411,serial=$serial"
check_soon "the first probe starts it" 60 unit_is stlinkd active
check_equal "as a user of its own" stlinkd "$(stat -c %U "/proc/$(property stlinkd MainPID)")"
# By number: CAP_DAC_OVERRIDE 1, CAP_DAC_READ_SEARCH 2, CAP_KILL 5, CAP_SYS_PTRACE 19, CAP_PERFMON 38, CAP_BPF 39.
check_equal "with the rights to see and to bind" "$(bits 2 19 38 39)" "$(capabilities Eff)"
check_equal "and two more at times: for its workers, and to end what was left behind" \
        "$(bits 1 2 5 19 38 39)" "$(capabilities Bnd)"

check_soon "an ordinary user sees the probe and its model" 60 shows "V2-1"
check_soon "and its firmware, which a worker read" 60 shows "V2J[0-9]+"
run as_user visitor stlinkctl list --no-legend
check_match "the list names it by its serial" "$serial" "$output"

run as_user visitor stlinkctl run -- true
check_match "who is not in group stlink may not take it" 'group stlink' "$output"
check_equal "and is told so by the exit status" 1 "$([ "$status" -ge 120 ] && [ "$status" -le 126 ] && echo 1)"
check "who is may" as_user labuser stlinkctl run -- true

spawn openocd openocd -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
        -f interface/stlink.cfg -c 'transport select hla_swd' -f target/stm32f4x.cfg
squatter=$spawned
check_soon "a program that never heard of it is named" 60 shows "openocd.*$squatter|$squatter.*openocd"
kill -KILL "$squatter"
check_soon "and is gone once killed" 60 eval '! shows openocd'

before=$(property stlinkd MainPID)
kill -KILL "$before"
check_soon "after a crash systemd starts it again" 60 eval '[ "$(property stlinkd MainPID)" -gt 1 ] &&
        [ "$(property stlinkd MainPID)" != '"$before"' ] && unit_is stlinkd active'
check_soon "and it finds the probe again" 60 shows "V2-1"

sim unplug 1 >/dev/null
check_soon "a probe that is pulled is gone" 60 eval '! shows "V2-1"'
check "it stops when it is told to" systemctl stop stlinkd
check_equal "without complaint" "success 0" "$(property stlinkd Result) $(property stlinkd ExecMainStatus)"
check_no_match "it logged no error" ' (error|Failed|failed|refused)' "$(journal stlinkd | grep 'stlinkd\[')"
finish
