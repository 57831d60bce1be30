# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests of the command line: a private bus with a daemon made of words on it
# (tests/ctl/fake-stlinkd.c says what it understands).
#
#   fake_start           begin; the environment points to the private bus from then on
#   tell LINE...         tell the daemon, and return when it has understood
#   heard REGEX          whether the daemon said such a line
#   fake_stop            the daemon leaves the bus
#   ctl ARGUMENT...      stlinkctl under $wrap (empty), with what it wrote in $out and $err

# shellcheck source=../lib.sh
. "${BASH_SOURCE[0]%/*}/../lib.sh"

fake_count=0
wrap=()
export TZ=UTC LC_ALL=C.UTF-8
unset NO_COLOR COLUMNS TERM

bus_start() {
        cat >"$scratch/bus.conf" <<-EOF
		<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
		 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
		<busconfig>
		  <type>session</type> <listen>unix:path=$scratch/bus</listen>
		  <policy context="default">
		    <allow user="*"/> <allow own="*"/>
		    <allow send_type="*"/> <allow receive_type="*"/>
		  </policy>
		</busconfig>
	EOF
        spawn bus dbus-daemon --config-file="$scratch/bus.conf" --nofork --nopidfile
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$scratch/bus
        wait_until 10 test -S "$scratch/bus" || fail "a private bus starts" "$(<"$scratch/bus.log")"
}

fake_start() {
        [ -S "$scratch/bus" ] || bus_start
        rm -f "$scratch/tell"
        mkfifo "$scratch/tell"
        : >"$scratch/fake.log" # before anybody looks for what an earlier one said
        "$TOP_BUILDDIR/tests/ctl/fake-stlinkd" <"$scratch/tell" >"$scratch/fake.log" 2>&1 &
        fake_pid=$!
        lib_pids+=("$fake_pid")
        exec 7>"$scratch/tell"
        wait_until 10 heard '^ready$' || fail "the fake daemon starts" "$(<"$scratch/fake.log")"
}

tell() {
        fake_count=$((fake_count + 1))
        printf '%s\n' "$@" "say sync $fake_count" >&7
        wait_until 10 heard "^sync $fake_count\$" || fail "the fake daemon understands: $*" \
                "$(<"$scratch/fake.log")"
}

heard() {
        grep -qE -- "$1" "$scratch/fake.log"
}

fake_stop() {
        echo quit >&7
        exec 7>&-
        wait "$fake_pid"
}

ctl() {
        status=0
        timeout 60 "${wrap[@]}" "$TOP_BUILDDIR/stlinkctl" "$@" >"$scratch/out" 2>"$scratch/err" \
                </dev/null || status=$?
        # shellcheck disable=SC2034 # for the test
        out=$(<"$scratch/out") err=$(<"$scratch/err")
}

# A probe as it is most of the time.
probe() { # NAME SERIAL PORT MODEL FIRMWARE
        tell "probe $1" "set Id $2" "set Serial $2" "set SerialReported $2" "set Ambiguous 0" \
                "set Model $4" 'set ProductId 0x374b' "set PortPath $3" \
                "set Node /dev/bus/usb/001/00${3##*[.-]}" "set Firmware $5" 'set Mode mass' \
                'set TargetVoltage 3281' 'set State free' \
                'dict Parts Part=debug Interface=0'
}
