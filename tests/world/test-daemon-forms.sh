#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Leases of scripts: taken for a shell, given back by another program of the same user, ended with
# the shell or by their time limit; and leases that hang on a connection.
# deadline: 120
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need st-info setpriv
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2:mode=mass,serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
start_daemon '[Access]' 'Group=daemon'
check_soon "the probes are identified" 10 is $one free
wait_until 10 is $two free

# For this very shell, which is the parent of stlinkctl.
run ctl lock $one --reason 'nightly test'
check_equal "lock" 0 "$status"
number=$output
check_match "it prints the lease's number" '^[0-9]+$' "$number"
check "leased" is $one leased
run ctl leases
check_match "leases shows it" "$number +$one +held.*PID $$\\).*process.*nightly test" "$output"
check_match "in JSON too" '"form": ?"process"' "$(ctl leases --json)"
check_fails "another is refused" ctl run --probe $one -- true
check "what the shell starts works under it" st-info --probe
check "unlock" ctl unlock $one
check_soon "free" 10 is $one free
check_fails "there is nothing more to unlock" ctl unlock $one
check_match "nobody holds one" 'Nobody' "$(ctl leases)"

# It ends with the shell that it is for.
spawn sleeper sleep 300
sleeper=$spawned
check "lock for another process" ctl lock $one --pid "$sleeper"
check "leased" is $one leased
kill -KILL "$sleeper"
check_soon "it ends with that" 10 is $one free
check_fails "there is no such process any more" ctl lock $one --pid "$sleeper"
bash -c '"$0" lock "$1" >/dev/null; exit 0' "$TOP_BUILDDIR/stlinkctl" $one
check_soon "a shell's lease ends with the shell" 10 is $one free

# In turn with others.
ctl lock $one >/dev/null
spawn waiter "$TOP_BUILDDIR/stlinkctl" lock $one --wait --pid $$
waiter=$spawned
wait_until 10 grep -q place "$scratch/waiter.log"
check_match "who waits is shown" 'waiting, place 1' "$(ctl leases)"
check "unlock, of two by probe" ctl unlock $one
check "the one who waited has it" wait "$waiter"
check "leased" is $one leased
check "unlock without a name" ctl unlock
check_soon "free" 10 is $one free

# A time limit.
check "lock with a limit" ctl lock $one --for 1h
check_match "it is shown" 'in (1 h|59 min)' "$(ctl leases)"
check "renew" ctl renew $one
ctl unlock $one
ctl lock $one --for 300ms >/dev/null
check_soon "it ends by itself" 10 is $one free
check_fails "there is nothing to renew" ctl renew $one

# Two at once: which one is meant must be said.
first=$(ctl lock $one)
ctl lock $two >/dev/null
check_fails "which one?" ctl unlock
check "by its number" ctl unlock "$first"
check_soon "that one" 10 is $one free
check "and not the other" is $two leased
ctl unlock $two

# One that hangs on the connection of busctl ends at once.
run busctl --system call io.github.stlinkd1 /io/github/stlinkd1/probe/_3066DFF000000000000000001 \
        io.github.stlinkd1.Probe AcquireBound 'a{sv}' 0
check_match "a lease that hangs on its connection" '^o "/io/github/stlinkd1/lease/' "$output"
check_soon "ends with that" 10 is $one free

# Whose processes, and whose leases.
if setpriv --reuid=nobody --regid=nogroup --clear-groups true 2>/dev/null; then
        chmod 711 "$scratch"
        as_daemon() { setpriv --reuid=daemon --regid=daemon --clear-groups "$@"; }
        check_fails "not for another user's process" \
                as_daemon "$TOP_BUILDDIR/stlinkctl" lock $one --pid $$
        check_soon "free" 10 is $one free
        number=$(ctl lock $one)
        check_fails "another user cannot unlock it" \
                as_daemon "$TOP_BUILDDIR/stlinkctl" unlock "$number"
        check "leased still" is $one leased
        check_fails "nor renew it" as_daemon "$TOP_BUILDDIR/stlinkctl" renew "$number"
        ctl unlock "$number"
        spawn theirs setpriv --reuid=daemon --regid=daemon --clear-groups sleep 300
        theirs=$spawned
        wait_until 10 grep -q sleep "/proc/$theirs/comm"
        check "root may lock for anybody's" ctl lock $one --pid "$theirs"
        check "then it is his" as_daemon "$TOP_BUILDDIR/stlinkctl" unlock $one
        check_soon "free" 10 is $one free
        kill "$theirs"
else
        skip "whose" "another user cannot be had in this world (run as root)"
fi
stop_daemon
finish
