# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests that break something in the middle of the main story, and then look whether all is
# in order again. Whatever happens, a command ends in time, with a status that stlinkctl(1)
# tells, and a failure is said once; afterwards nothing of it is left.
#
#   chaos_begin [SETTING]...      start the daemon, and remember what it looks like at rest
#   attempt LABEL CODES CMD...    run a command; CODES is a regular expression of what it may return
#   launch NAME CMD...            the same in the background, its pid in $job, and ...
#   landed LABEL NAME CODES       ... its end
#   calm LABEL                    put everything right, and check that nothing is left
#   scaled SHORT LONG             LONG if TEST_SCALE is set, SHORT if not

# shellcheck source=daemon.sh
. "${BASH_SOURCE[0]%/*}/daemon.sh"
need openocd st-flash

one=066DFF000000000000000001 two=066DFF000000000000000002
chaos_fds=0
chaos_deadline=60 # for what takes a second

# What a sanitizer has to say must not get lost among what is thrown away.
mkdir -p "$scratch/reports"
export ASAN_OPTIONS="${ASAN_OPTIONS-}:log_path=$scratch/reports/asan:exitcode=98"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-}:log_path=$scratch/reports/ubsan:halt_on_error=1:exitcode=98"

# LeakSanitizer's words about a thread that ends while it looks are none.
complaints() {
        cat "$scratch"/reports/* 2>/dev/null |
                grep -vE '^==[0-9]+==(Unable to get registers from thread|Running thread .* was not suspended)'
}

scaled() {
        if [ -n "${TEST_SCALE-}" ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

# Progress of a command that waits or wraps another one, and what it finds behind one that failed;
# what else it says is its failure.
progress='Probe .* does not answer any more|Waiting for |Place |Got it after |The lease is lost: |Ending |.* goes on without it|.* left behind'

failures_said() { # stderr of stlinkctl
        grep '^stlinkctl: ' "$1" | grep -cvE "^stlinkctl: ($progress)"
}

# An attempt's end: label, regular expression of allowed codes, status, its stderr
judge() {
        local said expected=1
        said=$(failures_said "$4")
        # Success says nothing, who is ended by a signal neither; 99 is a tool's own failure.
        [[ ! $3 =~ ^(0|99|129|130|137|143)$ ]] || expected=0
        if [[ $3 =~ ^($2)$ ]] && [ "$said" -eq $expected ]; then return 0; fi
        fail "$1: ends well or says why" "status $3 (expected $2), $said failures said
$(cat "$4")"
}

attempt() {
        local label=$1 codes=$2 status=0
        shift 2
        timeout -s KILL $chaos_deadline "$@" >"$scratch/attempt.out" 2>"$scratch/attempt.err" </dev/null ||
                status=$?
        # shellcheck disable=SC2034 # for tests
        status_of_attempt=$status
        judge "$label" "$codes" $status "$scratch/attempt.err"
}

launch() {
        background "$@"
        printf '%s\n' "$job" >"$scratch/$1.pid"
}

landed() {
        local pid status=0
        pid=$(cat "$scratch/$2.pid")
        if ! wait_until $chaos_deadline lib_is_gone "$pid"; then
                fail "$1: $2 does not hang" "$(cat "$scratch/$2.err")"
                kill -KILL "$pid"
        fi
        wait "$pid" 2>/dev/null || status=$?
        judge "$1" "$3" $status "$scratch/$2.err"
}

# A tool under a lease, with a failure that cannot be mistaken for one of stlinkctl's. st-flash
# does not give up on a wedged probe by itself.
flash_tool() { # [SECONDS]
        # shellcheck disable=SC2016
        printf '%s\0' sh -c 'timeout -s KILL "$0" st-flash --serial "$1" write "$2" 0x8000000 >"$3" 2>&1 || exit 99' \
                "${1:-$(scaled 3 10)}" $one "$scratch/image" "$scratch/st-flash.log"
}

squat() {
        spawn openocd openocd -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f1x.cfg \
                -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init
        squatter=$spawned
}

leave() { # openocd, by whatever signal
        kill "-${1:-KILL}" "$squatter" 2>/dev/null
        wait "$squatter" 2>/dev/null
}

alive() {
        kill -0 "$daemon_pid" 2>/dev/null
}

fifos() {
        find "$scratch/run" -name 'lease-*' | wc -l
}

# Both ends of the FIFO that is made ahead do not count.
count_fds() {
        echo $(($(find "/proc/$daemon_pid/fd" -mindepth 1 2>/dev/null | wc -l) - 2 * $(fifos)))
}

fds_are_back() {
        [ "$(count_fds)" -eq $chaos_fds ]
}

no_child() {
        [ -z "$(cat "/proc/$daemon_pid/task/$daemon_pid/children")" ]
}

no_lease() {
        [ "$(fifos)" -le 1 ] && ctl list --json >"$scratch/list.json" &&
                ! grep -qE '"state": *"(leased|waiting|switching)"' "$scratch/list.json"
}

chaos_begin() {
        head -c 3000 /dev/urandom >"$scratch/image"
        start_daemon "$@"
        check_soon "both probes are identified" 60 eval "is $one free && is $two free"
        chaos_fds=$(count_fds)
}

# Another daemon, after the last one was killed.
restart_daemon() {
        wait "$daemon_pid" 2>/dev/null
        run_daemon
        wait_until 60 eval "is $one free && is $two free" || fail "$1: the next daemon finds both probes"
        wait_until 30 no_worker && wait_until 10 no_child
        chaos_fds=$(count_fds)
}

# Out, though it may be out already.
pull() {
        "$TOP_BUILDDIR/stlinksim" ctl unplug 1 >/dev/null 2>&1
        wait_until 30 is $one gone || fail "$1: unplugged, the probe is gone" "$(ctl status 2>&1)"
}

replug() {
        pull "$1"
        sim set 1 state=ok latency=0 unplug-at=0 stall-at=0 wedge-at=0 reenumerate=200ms
        sim plug 1
        wait_until 60 is $one free || fail "$1: plugged in again, it is free" "$(ctl status 2>&1)
$(cat "$scratch/daemon.log")"
}

check_left() { # label: what must have gone by itself
        local what
        for what in no_worker no_child no_lease fds_are_back; do
                wait_until 30 $what || fail "$1: $what" "$(ctl status 2>&1)
$(count_fds) descriptors, $chaos_fds before: $(ls -l "/proc/$daemon_pid/fd")
$(ps -o pid,ppid,stat,args --ppid "$daemon_pid")"
        done
        what=$(complaints)
        if [ -n "$what" ]; then
                fail "$1: no sanitizer complains" "$what"
                rm -f "$scratch"/reports/*
        fi
}

# The daemon lives, or lives again if it was to be killed; it answers, holds nothing that it did
# not hold before, and the probe can be used.
calm() {
        local before=$lib_failed
        if ! alive; then
                [ "${chaos_killed-}" = yes ] || fail "$1: the daemon lives" "$(cat "$scratch/daemon.log")"
                restart_daemon "$1"
        fi
        chaos_killed=no
        wait_until 20 ctl list || fail "$1: the daemon answers"
        replug "$1"
        check_left "$1"
        attempt "$1, then connect" 0 "$TOP_BUILDDIR/stlinkctl" connect $one
        [ "$lib_failed" -gt "$before" ] || ok "$1"
}

# Whether no process works with that file any more.
no_user_of() {
        ! pgrep -f "st-flash .*$1" >/dev/null
}
