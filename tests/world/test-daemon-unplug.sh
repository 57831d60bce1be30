#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Pulling the probe at every moment of the story: while it is read, used, leased, waited for, or
# opened. Nobody hangs, everybody is told, and plugged in again it is as before.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need openocd
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2-1:serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
start_daemon '[Probes]' 'AwayTimeout=8s'
check_soon "the probe is identified" 10 is $one free

sim unplug 1
check_soon "unplugged, it is gone" 10 is $one gone
sim plug 1
check_soon "plugged in, it is back" 10 is $one free

# While it is being read: every few milliseconds somewhere else.
sim unplug 1
sim set 1 latency=4ms
for delay in 0 0.005 0.01 0.015 0.02 0.025 0.03 0.04 0.05 0.06 0.08; do
        sim plug 1
        sleep $delay
        sim unplug 1
done
sim set 1 latency=0
sim plug 1
check_soon "after all that it is identified" 10 is $one free
check_equal "with its firmware" V2J37S7 "$(field $one firmware)"
check_soon "and no worker is left" 10 no_worker

# While a tool uses it.
spawn openocd openocd -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f1x.cfg \
        -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init
openocd=$spawned
check_soon "OpenOCD has it" 10 is $one claimed
sim unplug 1
check_soon "pulled from under OpenOCD, it is gone" 10 is $one gone
kill -KILL "$openocd"
sim plug 1
check_soon "and back" 10 is $one free

# While it is leased and waited for.
spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $one -- sleep 300
check_soon "leased" 10 is $one leased
spawn waiter "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait -- touch "$scratch/never"
waiter=$spawned
wait_until 10 grep -q 'place' "$scratch/waiter.log"
sim unplug 1
check_soon "a leased probe is expected back" 10 is $one switching
sim plug 1
check_soon "and the lease goes on" 10 is $one leased
sim unplug 1
check_soon "in vain this time" 30 is $one gone
wait "$waiter"
check_equal "whoever waited is told" 122 $?
check_match "what happened" 'unplugged' "$(cat "$scratch/waiter.log")"
check "and his command never ran" test ! -e "$scratch/never"
sim plug 1
check_soon "it is free for the next" 10 is $one free

# While connect works with it.
for transfer in 1 3 5 8 12; do
        sim set 1 "unplug-at=$transfer"
        ends_badly "connect fails when it is pulled at transfer $transfer" \
                "$TOP_BUILDDIR/stlinkctl" connect $one
        wait_until 10 is $one gone
        sim plug 1
        check_soon "back after transfer $transfer" 10 is $one free
done
check "connect works again" ctl connect $one
check "and nothing of it touched the other probe" is $two free
stop_daemon
finish
