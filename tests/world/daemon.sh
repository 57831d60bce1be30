# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests of the daemon among simulated probes, on a bus of its own.
#
#   enter_world SPEC...      begin again inside a private world with these probes
#   start_daemon [SETTING]   start the bus and the daemon; SETTING are lines of its configuration
#   stop_daemon              end it by SIGTERM, which must succeed
#   sim VERB...              stlinksim ctl
#   ctl VERB...              stlinkctl
#   field ID KEY             a value of stlinkctl list --json
#   is ID STATE              whether the probe has that state; "gone": whether there is none
#   counter PROBE NAME       one of the simulator's counters

# shellcheck source=../lib.sh
. "${BASH_SOURCE[0]%/*}/../lib.sh"
need dbus-daemon busctl

enter_world() {
        local spec options=()
        [ -z "${STLINKSIM_CONTROL-}" ] || return 0
        for spec in "$@"; do options+=(-p "$spec"); done
        trap - EXIT
        rm -rf "$scratch"
        exec "$TOP_BUILDDIR/stlinksim" run "${options[@]}" -- bash "$0"
}

sim() {
        "$TOP_BUILDDIR/stlinksim" ctl "$@" >"$scratch/sim.out" || fail "stlinksim ctl $*"
        [ "$1" != counters ] || cat "$scratch/sim.out"
}
ctl() { "$TOP_BUILDDIR/stlinkctl" "$@"; }

start_bus() {
        cat >"$scratch/bus.conf" <<-END
	<busconfig><type>system</type><listen>unix:path=$scratch/bus</listen>
	<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow send_destination="*"/>
	<allow own="*"/><allow receive_sender="*"/></policy>
	<limit name="max_connections_per_user">4096</limit>
	<limit name="max_completed_connections">4096</limit></busconfig>
	END
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$scratch/bus
        spawn bus dbus-daemon --config-file="$scratch/bus.conf" --nofork --nopidfile
        # shellcheck disable=SC2034 # for tests
        bus_pid=$spawned
        wait_until 10 test -S "$scratch/bus" || fail "the bus starts" "$(cat "$scratch/bus.log")"
}

# Only the daemon; the bus is there.
run_daemon() {
        export STLINKD_CONFIG=$scratch/stlinkd.conf STLINKD_WORKER=$TOP_BUILDDIR/stlinkd-worker
        spawn daemon "$TOP_BUILDDIR/stlinkd"
        daemon_pid=$spawned
        wait_until 20 on_bus || fail "the daemon starts" "$(cat "$scratch/daemon.log")"
}

on_bus() {
        busctl --system call org.freedesktop.DBus / org.freedesktop.DBus GetNameOwner s \
                io.github.stlinkd1 >/dev/null 2>&1
}

# shellcheck disable=SC2120 # the settings are optional
start_daemon() {
        start_bus
        printf '%s\n' '[Daemon]' "RuntimeDirectory=$scratch/run" Gate=poll "$@" >"$scratch/stlinkd.conf"
        run_daemon
}

# How it ends says that its memory was in order too, when it was built to look for that.
stop_daemon() {
        local status=0
        kill -TERM "$daemon_pid"
        wait "$daemon_pid" || status=$?
        check_equal "the daemon ends in good order" 0 "$status"
        check_equal "no lease's descriptor is left behind" "" "$(find "$scratch/run" -name 'lease-*')"
        [ "$status" -eq 0 ] || cat "$scratch/daemon.log"
}

field() {
        ctl list --json | awk -v id="$1" -v key="\"$2\":" '
                $1 == "\"id\":" { mine = index($2, id) > 0 }
                mine && $1 == key {
                        sub(/^[^:]*: */, "")
                        gsub(/[",]/, "")
                        if ($0 != "null")
                                print
                        exit
                }'
}

is() {
        case $2 in
        gone) [ -z "$(field "$1" state)" ] ;;
        *) [ "$(field "$1" state)" = "$2" ] ;;
        esac
}

counter() {
        sim counters "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# Whoever has the probe open, as status names him.
holder_is() {
        ctl status "$1" | grep -qE "^ +Holder: .*$2"
}

no_holder() {
        ! ctl status "$1" | grep -qE '^ +Holder:'
}

# Workers of our daemons, dead or alive, by pid. Others may run on this machine too.
workers() {
        local pid found=1
        for pid in $(pgrep -x stlinkd-worker); do
                grep -qz "^STLINKD_CONFIG=$scratch/" "/proc/$pid/environ" 2>/dev/null || continue
                printf '%s\n' "$pid"
                found=0
        done
        return $found
}

no_worker() {
        ! workers
}

# ends_badly NAME CMD...: the command ends in time, and with a failure. Its output is in $output.
ends_badly() {
        local name=$1
        shift
        run timeout -s KILL 60 "$@"
        if [ "$status" -ne 0 ] && [ "$status" -ne 137 ]; then ok "$name"; else
                fail "$name" "status $status: $*
$output"
        fi
}
