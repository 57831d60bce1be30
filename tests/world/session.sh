# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced inside stlinksim's private world: a system bus of our own, and stlinkd on it.

# session_start DIR: start a bus and the daemon, logs and socket in DIR; returns when the daemon
# answers. DBUS_SYSTEM_BUS_ADDRESS is exported, so that every tool finds that bus.
session_start() {
        session_dir=$1
        cat >"$session_dir/bus.conf" <<EOC
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=$session_dir/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/>
    <allow send_type="signal"/><allow send_type="method_return"/><allow send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>
</busconfig>
EOC
        dbus-daemon --nofork --nopidfile --nosyslog --config-file="$session_dir/bus.conf" \
                >"$session_dir/bus.log" 2>&1 &
        session_bus=$!
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$session_dir/bus
        session_wait 10 test -S "$session_dir/bus" || return 1
        session_start_daemon
}

# session_start_daemon: start stlinkd on the bus that runs already.
session_start_daemon() {
        mkdir -p "$session_dir/run"
        # Whoever started this may take leases: nobody else is in this world.
        printf '[Access]\nGroup=%s\n' "$(id -gn)" >"$session_dir/stlinkd.conf"
        STLINKD_CONFIG=$session_dir/stlinkd.conf STLINKD_WORKER=$TOP_BUILDDIR/stlinkd-worker \
                RUNTIME_DIRECTORY=$session_dir/run \
                "$TOP_BUILDDIR/stlinkd" >>"$session_dir/stlinkd.log" 2>&1 &
        session_daemon=$!
        session_wait 10 "$TOP_BUILDDIR/stlinkctl" list
}

session_wait() {
        local end=$((SECONDS + $1))
        shift
        until "$@" >/dev/null 2>&1; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.05
        done
}

# session_stop: end the daemon by SIGTERM, then the bus; the daemon must exit with 0.
session_stop() {
        local status=0
        kill "$session_daemon" && wait "$session_daemon" || status=$?
        kill "$session_bus" 2>/dev/null
        wait "$session_bus" 2>/dev/null
        return "$status"
}
