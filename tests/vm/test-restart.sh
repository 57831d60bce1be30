#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The installed daemon is restarted, upgraded, killed and stopped while people work: leases and the
# queue stay as they were, nobody's command sees a thing.
# A wall clock that jumps ends nothing.
# deadline: 900
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

one=066DFF504955857567012301 two=066DFF504955857567012302
is_another() { # PID: the daemon is up, and no longer that process
        unit_is stlinkd active && [ "$(property stlinkd MainPID)" != "$1" ] &&
                busctl status io.github.stlinkd1
}
leases() {
        stlinkctl leases --json | sed '/"ends"/d'
}
kill_daemon() {
        local before
        before=$(property stlinkd MainPID)
        kill -KILL "$before"
        wait_until 60 is_another "$before" || fail "systemd starts it again" "$(journal stlinkd | tail)"
        systemctl reset-failed stlinkd # it may crash as often as we like
}
waits() { # NAME: a request of labuser's, which puts its name down once it is granted
        spawn "$1" as_user labuser stlinkctl run --wait --probe $one -- sh -c "echo $1 >>$scratch/order"
        wait_until 60 grep -q place "$scratch/$1.log" || fail "$1 waits" "$(<"$scratch/$1.log")"
}

systemctl stop stlinkd
# The machine may be slow, and this is not about that.
mkdir -p /etc/stlinkd.conf.d
printf '[Probes]\nJobTimeout=1min\n' >/etc/stlinkd.conf.d/patient.conf
probes "v2-1:target=f411,serial=$one" "v2-1:target=f411,serial=$two"
check_soon "the probes start the daemon" 120 identified 2
chmod 777 "$scratch"
spawn holder as_user labuser stlinkctl run --probe $one -- sh -c "while [ ! -e $scratch/go ]; do sleep 0.2; done; exit 7"
holder=$spawned
check_soon "a lease of a command" 60 eval 'leases | grep -q held'
number=$(stlinkctl lock $two --for 1h --reason nightly)
waits first
first=$spawned
waits second
second=$spawned
before=$(leases)
systemctl restart stlinkd
check_equal "after a restart all is as it was" "$before" "$(leases)"
kill_daemon
check_equal "after a crash, too" "$before" "$(leases)"
waits third
third=$spawned
kill_daemon
kill_daemon
before=$(leases)

# Nothing hangs on the time of day.
date -s '+1 day' >/dev/null
check_equal "a clock that jumps ahead ends no lease" "$before" "$(leases)"
check_match "nor shortens one" 'in [45][0-9] min' "$(stlinkctl leases)"
date -s '-2 days' >/dev/null
kill_daemon
check_equal "nor one that jumps back, with a crash" "$before" "$(leases)"
date -s '+1 day' >/dev/null

# Whoever waits does so for a while only when the daemon is gone. It starts sooner without a gate.
printf '[Daemon]\nGate=poll\n' >/etc/stlinkd.conf.d/poll.conf
systemctl stop stlinkd
check_equal "a stop keeps nothing but files" 0 "$(property stlinkd NFileDescriptorStore)"
systemctl start stlinkd
wait_until 60 is_another 0
check_equal "and a start finds them" "$before" "$(leases)"
touch "$scratch/go"
run wait "$holder"
check_equal "the command ends as it would have" 7 "$status"
check "the first is next" wait "$first"
check "then the second" wait "$second"
check "then the third" wait "$third"
check_equal "in their order" "first second third" "$(paste -sd ' ' "$scratch/order")"
check_no_match "none of them was told anything" 'lost|stopped' "$(cat "$scratch"/{holder,first,second,third}.log)"
check "what hangs on a process can be given back" stlinkctl unlock "$number"
check_soon "all are free" 30 eval '! leases | grep -q "\"state\""'

# A state that nobody can read.
systemctl stop stlinkd
echo nonsense >/run/stlinkd/state
check "with a broken state the daemon starts" systemctl start stlinkd
check_soon "and has both probes" 120 identified 2
check_match "and says so" 'Cannot read who held which lease' "$(journal stlinkd)"
rm /etc/stlinkd.conf.d/{patient,poll}.conf
systemctl restart stlinkd
finish
