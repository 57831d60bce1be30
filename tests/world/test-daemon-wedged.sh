#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A probe that does not answer: the daemon gives up on it in time, says so, and serves the others
# meanwhile. And a daemon that dies at any moment: nothing is stuck afterwards.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2-1:serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
sim unplug 1
sim set 1 state=wedged
sim plug 1
start_daemon '[Probes]' 'JobTimeout=4s'
check_soon "the healthy probe is identified" 10 is $two free
check "status answers while the other hangs" ctl status
check_soon "the wedged probe is given up" 30 is $one not-answering
check_match "the log says what to do" 'does not answer; try "stlinkctl recover", or unplug it' "$(cat "$scratch/daemon.log")"
check_soon "no worker is left" 10 no_worker
ends_badly "connect to it fails in time" "$TOP_BUILDDIR/stlinkctl" connect $one
check_soon "no worker is left after that" 20 no_worker
sim unplug 1
sim set 1 state=ok
check_soon "unplugged" 10 is $one gone
sim plug 1
check_soon "well again" 10 is $one free

# The daemon dies while it reads, while a lease is held and waited for.
for delay in 0 0.01 0.02 0.05 0.1 0.2; do
        spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait -- sleep 300
        holder=$spawned
        spawn waiter "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait -- sleep 300
        waiter=$spawned
        sleep $delay
        kill -KILL "$daemon_pid"
        wait "$daemon_pid" 2>/dev/null
        check_soon "no worker outlives it (after $delay s)" 15 no_worker
        ends_badly "status says that there is no daemon" "$TOP_BUILDDIR/stlinkctl" status
        kill -KILL "$holder" "$waiter" 2>/dev/null
        wait "$holder" "$waiter" 2>/dev/null
        run_daemon
        check_soon "the next daemon has the probe (after $delay s)" 10 is $one free
done
check "and it can be used" ctl connect $one
stop_daemon
finish
