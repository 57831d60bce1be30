#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file system with the daemon's runtime directory is full: who has a lease keeps it, who waits
# gets it, who asks is told why not, and once there is room again all is as before, for the next
# daemon too.
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
one=066DFF000000000000000001 two=066DFF000000000000000002
enter_world v2-1:serial=$one v2-1:serial=$two

# Some pages for what is noted, some files.
mkdir "$scratch/run"
if ! mount -t tmpfs -o size=32k,nr_inodes=24,mode=700 full "$scratch/run"; then
        skip "a full file system" "none can be mounted here"
        finish
fi
at_exit umount -l "$scratch/run"
fill() { # the pages, or FILES
        if [ "${1-}" = files ]; then
                for ((i = 0; i < 30; i++)); do : >"$scratch/run/filler-$i"; done 2>/dev/null
        else
                cat /dev/zero >"$scratch/run/filler" 2>/dev/null
        fi
        return 0
}
make_room() { rm -f "$scratch"/run/filler*; }

reason=$(printf '%0200d' 7) # makes a long note
waiters=({2..15})
hold() { # NAME PROBE: until $scratch/NAME.end is there
        spawn "$1" "$TOP_BUILDDIR/stlinkctl" run -p "$2" --wait=60s --reason="$reason" -- \
                sh -c "until [ -e $scratch/$1.end ]; do sleep 0.1; done"
}

start_daemon
check_soon "both are read" 30 eval "is $one free && is $two free"
hold first $one
first=$spawned
check_soon "one is leased" 30 is $one leased
fill
for name in "${waiters[@]}"; do hold "$name" $one; done
waiting() { [ "$(ctl leases --json | grep -c '"waiting"')" -eq "$1" ]; }
check_soon "many wait for it" 30 waiting ${#waiters[@]}
check_soon "what could not be noted is said" 10 grep -q 'Cannot note in .* is it full' "$scratch/daemon.log"
check_equal "once" 1 "$(grep -c 'Cannot note' "$scratch/daemon.log")"
touch "$scratch/first.end"
wait "$first"
check_equal "who had it has not noticed" 0 $?
check_soon "the next has it" 30 eval "is $one leased && waiting $((${#waiters[@]} - 1))"

fill files
hold ahead $two
check_soon "one was made ahead" 30 is $two leased
run ctl run -p $two -- true
check_equal "no room for another lease" 120 "$status"
check_match "is what he is told" 'full, there is no room for a lease' "$output"
check "and what looks only, works" ctl list
touch "$scratch/ahead.end"
check_soon "it was as good as another" 30 is $two free
make_room
check "with room again there is one" ctl run -p $two -- true
check_soon "and all is noted" 10 grep -q 'is noted again' "$scratch/daemon.log"

kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
run_daemon
check_soon "the next daemon knows the holder" 30 is $one leased
check_soon "and who waits" 30 waiting $((${#waiters[@]} - 1))
for name in "${waiters[@]}"; do touch "$scratch/$name.end"; done
check_soon "each gets his turn" 60 is $one free
check_no_match "nobody lost it" 'lost' "$(cat "$scratch"/{first,{2..15}}.log)"
stop_daemon
finish
