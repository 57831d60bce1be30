#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where leases do not bind: a client that keeps using the descriptor of a lease that it lost wakes
# from its transfer, can neither claim nor transfer again, and the next holder is not disturbed.
# deadline: 200
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
enter_world "v2-1:target=f411,serial=066DFF504955857567012345"

id=066DFF504955857567012345
start_daemon
check_soon "the probe is free" 30 is $id free
object=$(busctl --system --list tree io.github.stlinkd1 | grep /probe/ | tail -n 1)
spawn keeper "$TOP_BUILDDIR/tests/world/keeper" "$object" 5000000
keeper=$spawned
check_soon "a client has the debug interface claimed" 30 grep -q '^claimed' "$scratch/keeper.log"
run ctl run --wait=60 -- st-info --probe
check_equal "when its time is over the next one gets the probe at once" 0 "$status"
check_match "and works with it" 'Found 1 stlink' "$output"
check_soon "the client woke with an error" 10 grep -qE '^woken: E' "$scratch/keeper.log"
for i in 1 2 3 4 5; do
        run ctl run -- st-info --probe
        check_equal "and disturbs nobody ($i)" 0 "$status"
        check_match "who works with it ($i)" 'chipid: +0x0431' "$output"
done
kill -TERM "$keeper"
wait "$keeper"
check_match "it tried all the time" '^tried: [1-9]' "$(cat "$scratch/keeper.log")"
check_match "it could not claim again" '^claims: 0$' "$(cat "$scratch/keeper.log")"
check_match "nor transfer" '^transfers: 0$' "$(cat "$scratch/keeper.log")"
check_match "nor detach anybody" '^detaches: 0$' "$(cat "$scratch/keeper.log")"
stop_daemon
finish
