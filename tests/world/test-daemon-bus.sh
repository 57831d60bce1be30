#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A bus that dies under a working daemon, and another one: leases that hang on a connection are
# gone, all others are as they were, and who waited goes on waiting in his place.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2:mode=mass,serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
start_daemon
for probe in $one $two; do check_soon "the probes are identified" 20 is "$probe" free; done

kill_bus() {
        kill -KILL "$bus_pid"
        wait "$bus_pid" 2>/dev/null
        rm -f "$scratch/bus"
}
leases() { ctl leases --json | sed '/"ends"/d'; }
number=$(ctl lock $one)
mkfifo "$scratch/go"
spawn runner "$TOP_BUILDDIR/stlinkctl" run --probe $two -- bash -c "echo ready; read -r <$scratch/go; exit 7"
runner=$spawned
wait_until 20 grep -q ready "$scratch/runner.log"
spawn waiter "$TOP_BUILDDIR/stlinkctl" run --wait --probe $two -- true
waiter=$spawned
wait_until 20 grep -q place "$scratch/waiter.log"
before=$(leases)
kill_bus
sleep 1
check "the daemon lives without a bus" kill -0 "$daemon_pid"
start_bus
check_soon "it takes its name on the next one" 20 on_bus
check_equal "and serves it with the same leases" "$before" "$(leases)"
check "they can be given back" ctl unlock "$number"
check_soon "and are" 10 is $one free
check_fails "what is held is held" ctl run --probe $two -- true
echo >"$scratch/go"
run wait "$runner"
check_equal "who worked has noticed nothing" 7 "$status"
check_equal "and was told nothing" ready "$(<"$scratch/runner.log")"
check "who waited has it now" wait "$waiter"
check_soon "in the end all are free" 10 is $two free
check_match "the journal says what happened" 'The bus went away' "$(<"$scratch/daemon.log")"
check_match "and that it is over" 'On the bus again' "$(<"$scratch/daemon.log")"

# Daemon and bus at once: what waited is asked for by the fd alone.
spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $one -- sleep 300
holder=$spawned
check_soon "leased" 10 is $one leased
spawn waiter "$TOP_BUILDDIR/stlinkctl" run --wait --probe $one -- true
waiter=$spawned
wait_until 20 grep -q place "$scratch/waiter.log"
kill_bus
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
start_bus
run_daemon
check_soon "leased, still" 10 is $one leased
kill -TERM "$holder"
check "who waited has it after all" wait "$waiter"
check_soon "free" 10 is $one free
stop_daemon
finish
