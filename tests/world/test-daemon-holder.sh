#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who uses a probe, seen from outside: unmodified tools are named as soon as they open it, open
# and claimed are told apart, and they are gone when they are dead. Looking sends nothing.
# deadline: 120
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need openocd
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2-1:serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
# shellcheck disable=SC2119
start_daemon

check_soon "the first probe is identified" 10 is $one free
check_soon "and the second" 10 is $two free
check_equal "firmware of the first" V2J37S7 "$(field $one firmware)"
check_equal "its mode" mass "$(field $one mode)"
check "a probe costs at most 4 commands" test "$(counter 1 commands)" -le 4

sim reset-counters
for _ in $(seq 100); do ctl status >/dev/null || break; done
check_equal "100 times status: no transfer" 0 "$(counter 1 transfers)"
check_equal "100 times status: nothing opened" 0 "$(counter 1 opens)"
check_equal "100 times status: no reset of the target" 0 "$(counter 1 target_resets)"

spawn openocd openocd -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f1x.cfg \
        -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init
openocd=$spawned
check_soon "OpenOCD is named" 10 holder_is $one "openocd \(PID $openocd\)"
check_soon "it has claimed the probe" 10 is $one claimed
check "the other probe is still free" is $two free
kill -KILL $openocd
check_soon "killed, it is gone" 10 no_holder $one
check_soon "and the probe is free" 10 is $one free

exec 9<>/dev/bus/usb/001/002
check_soon "open is not claimed" 10 is $one in-use
check_soon "whoever just opens is named" 10 holder_is $one "PID $$"
exec 9>&-
check_soon "closed, it is free" 10 is $one free
check_equal "all that time nothing was read again" V2J37S7 "$(field $one firmware)"
stop_daemon

# Somebody has it already when the daemon starts: he is found, and not disturbed.
exec 9<>/dev/bus/usb/001/002
sim reset-counters
run_daemon
check_soon "who was there before the daemon is named" 10 holder_is $one "PID $$"
check_equal "his probe was not touched" 0 "$(counter 1 transfers)"
check_equal "so its firmware is not known" "" "$(field $one firmware)"
exec 9>&-
check_soon "now it is identified" 10 is $one free
check_equal "and its firmware known" V2J37S7 "$(field $one firmware)"
stop_daemon
finish
