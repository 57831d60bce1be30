#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A lease that is delegated: others work under it, as its owner says and for as long as he says,
# over a crash and a restart of the daemon too.
# deadline: 120
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need busctl
enter_world v2:mode=mass,serial=066DFF000000000000000001
one=066DFF000000000000000001
start_daemon
check_soon "the probe is identified" 10 is $one free

# works_under LEASE: whether the program that has the probe open does.
works_under() {
        busctl --system get-property io.github.stlinkd1 /io/github/stlinkd1/probe/_3066DFF000000000000000001 \
                io.github.stlinkd1.Probe Holders | grep -q "\"Lease\" o \"/io/github/stlinkd1/lease/$1\""
}
a_stranger() {
        holder_is "$one" "PID $user" && ! works_under "$number"
}
kill_daemon() {
        kill -KILL "$daemon_pid"
        wait "$daemon_pid" 2>/dev/null
}

# Not this shell: what that starts would work under the lease anyhow.
spawn owner sleep 300
owner=$spawned
spawn user bash -c 'exec 8<>/dev/bus/usb/001/002; exec sleep 300'
user=$spawned
check_soon "a program uses the probe" 10 holder_is $one "PID $user"
number=$(ctl lock $one --pid "$owner")
check_soon "a stranger to a lease" 10 a_stranger
check_match "which is delegated to nobody" '"delegates": *\[ *\]' "$(ctl leases --json | tr -d '\n')"

check "it is delegated to a process" ctl delegate $one "pid:$user"
check_soon "which works under it now" 10 works_under "$number"
check_match "leases shows it" " pid:$user( |\$)" "$(ctl leases)"
check_match "in JSON too" "\"pid:$user\"" "$(ctl leases --json)"
check "more, by the number of the lease" ctl delegate "$number" uid:4242 uid:4243
check_match "all are shown" "pid:$user, uid:4242, uid:4243" "$(ctl leases)"

kill_daemon
run_daemon
check_match "after a crash they are known" "pid:$user, uid:4242, uid:4243" "$(ctl leases)"
check_soon "and it still works under the lease" 10 works_under "$number"
kill -TERM "$daemon_pid"
check "a daemon that is stopped" wait "$daemon_pid"
run_daemon
check_soon "so does it after a restart" 10 works_under "$number"

check "withdrawn" ctl delegate --withdraw "pid:$user"
check_soon "it is a stranger" 10 a_stranger
check_match "the others stay" "held .* uid:4242, uid:4243" "$(ctl leases)"
check_fails "there is nothing more to withdraw" ctl delegate --withdraw "pid:$user"
check "a user" ctl delegate "uid:$(id -u)"
check_soon "of whom it is" 10 works_under "$number"
check "withdrawn" ctl delegate --withdraw "uid:$(id -u)"
check_soon "it is a stranger again" 10 a_stranger

# Mistakes.
run ctl delegate alice:1000
check_equal "who is no delegate" 1 "$status"
check_match "and what would be one is told" 'uid:NUMBER.*pid:NUMBER' "$output"
run ctl delegate "unit:no-such-unit.service"
check_equal "a unit that does not run" 1 "$status"
run ctl delegate uid:1 uid:2 uid:3 uid:4 uid:5 uid:6 uid:7
check_equal "too many" 4 "$status"
check_match "how many there may be is told" '8 others at most' "$output"
run ctl lock $one --pid "$owner" --delegate=uid:{1..9}
check_equal "too many at once" 2 "$status"
run ctl delegate
check_equal "nobody" 2 "$status"
ctl unlock "$number"
check_soon "all ends with the lease" 10 is $one in-use
check_fails "there is no lease to delegate" ctl delegate uid:1000
kill "$user"
wait "$user" 2>/dev/null
check_soon "free" 10 is $one free

# From the start, also of a request that waits.
spawn user bash -c "until [ -e $scratch/go ]; do sleep 0.1; done; exec 8<>/dev/bus/usb/001/002; exec sleep 300"
user=$spawned
number=$(ctl lock $one --pid "$owner" --delegate uid:4242)
spawn waiter "$TOP_BUILDDIR/stlinkctl" lock $one --wait --pid "$owner" --delegate "pid:$user" --delegate=uid:4244
waiter=$spawned
wait_until 10 grep -q place "$scratch/waiter.log"
check_match "who waits has delegates, too" "waiting.* pid:$user, uid:4244" "$(ctl leases)"
ctl unlock "$number"
check "the one who waited has it" wait "$waiter"
number=$(ctl leases --no-legend | cut -d ' ' -f 1)
: >"$scratch/go"
check_soon "the process works under it" 10 works_under "$number"
check "a command's lease" ctl unlock "$number"
kill "$user"
check_soon "free" 10 is $one free
spawn run "$TOP_BUILDDIR/stlinkctl" run --probe $one --delegate uid:4245 -- sleep 300
check_soon "is delegated as well" 10 eval "ctl leases | grep -q ' uid:4245 '"
kill "$spawned"
check_soon "free" 10 is $one free
stop_daemon
finish
