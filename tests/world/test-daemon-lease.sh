#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Leases among programs that know of them and tools that do not: refused, waited for in turn,
# given back by ending, by dying, by losing the bus; and what is left behind each time.
# deadline: 180
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need openocd st-info st-flash setpriv
enter_world v2:mode=mass,serial=066DFF000000000000000001
one=066DFF000000000000000001
start_daemon '[Access]' 'Group=daemon'
check_soon "the probe is identified" 10 is $one free

# What GetHolders tells a user. The asking program must not have the probe open itself, by what it
# inherits: one sees one's own command line.
holders() { # user, group
        setpriv --reuid="$1" --regid="$2" --clear-groups 9>&- busctl --system call io.github.stlinkd1 \
                /io/github/stlinkd1/probe/_3066DFF000000000000000001 io.github.stlinkd1.Probe \
                GetHolders 'a{sv}' 0
}

# A lease ends with its command.
check "a command runs under a lease" ctl run --probe $one -- st-info --probe
check_match "st-info found the probe" "serial: +$one" "$output"
check_soon "afterwards it is free" 10 is $one free

# Refused, with the holder's name; then in turn.
spawn first "$TOP_BUILDDIR/stlinkctl" run --probe $one --reason 'night run' -- sleep 300
first=$spawned
check_soon "leased" 10 is $one leased
check_fails "a second one is refused" ctl run --probe $one -- true
check_match "and told by whom" "stlinkctl \(pid $first\).*night run" "$output"
for name in second third; do
        spawn $name "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait -- \
                sh -c "echo $name >>$scratch/order; sleep 0.2"
        eval "$name=$spawned"
        wait_until 10 grep -q 'place' "$scratch/$name.log"
done
spawn hopeless "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait=1s -- touch "$scratch/never"
hopeless=$spawned
wait "$hopeless"
check_equal "a wait ends at its deadline" 123 $?
check "and its command never ran" test ! -e "$scratch/never"
kill -KILL "$first"
# shellcheck disable=SC2154 # by eval
check "the second has its turn" wait "$second"
# shellcheck disable=SC2154
check "the third too" wait "$third"
check_equal "in the order of their coming" "second third" "$(tr '\n' ' ' <"$scratch/order" | sed 's/ $//')"
check_soon "and the probe is free" 10 is $one free

# A tool that never asked holds everybody off while it has the probe claimed.
spawn openocd openocd -f interface/stlink.cfg -f target/stm32f1x.cfg \
        -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init
openocd=$spawned
check_soon "OpenOCD squats" 10 is $one claimed
check_fails "a lease is refused" ctl run --probe $one -- true
check_match "and OpenOCD named" "openocd \(pid $openocd\)" "$output"
spawn flash "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait -- \
        st-flash --serial $one read "$scratch/image" 0x8000000 1024
flash=$spawned
wait_until 10 grep -q 'place' "$scratch/flash.log"
kill -KILL "$openocd"
check "st-flash waited for it and works" wait "$flash"
check_equal "what it read" 1024 "$(stat -c %s "$scratch/image")"

# Whoever works under a lease is shown with it.
spawn member "$TOP_BUILDDIR/stlinkctl" run --probe $one -- \
        sh -c 'exec 9<>/dev/bus/usb/001/002; exec sleep 300'
member=$spawned
check_soon "a command opens the probe under a lease" 10 holder_is $one 'sleep '
check "it is no stranger" is $one leased
check_match "but works under the lease" 'Lease.*/io/github/stlinkd1/lease/' "$(holders root root)"
kill "$member"
check_soon "and goes with it" 10 is $one free

# A node that came with a lease is taken back at its end.
check "connect" ctl connect $one
check_soon "the probe is free after it" 10 is $one free
check "and usable by others" st-info --probe
check_soon "no worker is left" 10 no_worker

# Who may: root, and members of the group. Looking is free, but not at others' command lines.
if setpriv --reuid=nobody --regid=nogroup --clear-groups true 2>/dev/null; then
        chmod 711 "$scratch"
        ends_badly "an ordinary user is refused" setpriv --reuid=nobody --regid=nogroup \
                --clear-groups "$TOP_BUILDDIR/stlinkctl" run --probe $one -- true
        check_match "and told how to get the right" 'usermod -aG daemon nobody' "$output"
        check "a member of the group is not" setpriv --reuid=daemon --regid=nogroup \
                --clear-groups "$TOP_BUILDDIR/stlinkctl" run --probe $one -- true
        exec 9<>/dev/bus/usb/001/002
        check_soon "somebody has it open" 10 is $one in-use
        check_match "root sees his command line" 'Cmdline.*test-daemon-lease' "$(holders root root)"
        check_match "another user sees his name" 'Command' "$(holders nobody nogroup)"
        check_no_match "but not his command line" 'Cmdline' "$(holders nobody nogroup)"
        exec 9>&-
else
        skip "who may" "another user cannot be had in this world (run as root)"
fi
stop_daemon
finish
