#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whatever goes wrong has one plain message, its own exit code, and where there is one the next
# command. Nothing goes to stdout then.
# deadline: 120
# shellcheck source=fake.sh
. "${0%/*}/fake.sh"
need dbus-daemon script setsid
busy='io.github.stlinkd1.Error.Busy'

expect() { # NAME CODE MESSAGE ARGUMENT...: MESSAGE is all of stderr
        local name=$1 code=$2 message=$3
        shift 3
        ctl "$@"
        check_equal "$name: exit code" "$code" "$status"
        check_equal "$name: message" "$message" "$err"
        check_equal "$name: nothing on stdout" "" "$out"
}

usage() { # MESSAGE ARGUMENT...
        local code=2
        [ "$2" != run ] || code=121
        expect "usage: ${*:2}" $code "stlinkctl: $1
See stlinkctl --help." "${@:2}"
}

# Usage is wrong before there is anything to talk to.
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$scratch/nothing
usage "Unknown verb 'frobnicate'." frobnicate
usage "Unknown option '--nonsense'." --nonsense
usage "Unknown option '--nonsense'." status --nonsense
usage "Unknown option '-x'." list -x
usage "Option '--probe' needs a value." run --probe
usage "Option '--json' takes no value." status --json=yes
usage "Option '--no-ask-password' means nothing to 'list'." list --no-ask-password
usage "Option '--until' means nothing to 'status'." status --until=main
usage "Option '--no-legend' means nothing to 'monitor'." monitor --no-legend
usage "Option '--json' means nothing to 'run'." run --json true
usage "Not a time: 'soon' (try --wait=30s, --wait=5min, or --wait alone)." run --wait=soon true
usage "--until is 'tree' or 'main', not 'dawn'." run --until dawn true
usage "'run' needs a command to run." run
usage "'run' needs a command to run." run --
usage "'list' takes no arguments." list 066E
usage "'connect' takes one probe only." connect 066E 37FF
ctl --help
check_equal "help succeeds" 0 "$status"
check_match "help goes to stdout" '^Take turns:$' "$out"
check "help fits 80 columns" test "$(wc -L <<<"$out")" -le 80
ctl run --help
check_match "help of a verb" '^Take turns:$' "$out"
ctl --version
check_match "version" '^stlinkctl [0-9]' "$out"

no_bus="stlinkctl: Cannot connect to the system bus: No such file or directory
Is it running?  systemctl status dbus"
expect "no bus" 6 "$no_bus" status
expect "no bus for run" 125 "$no_bus" run true

bus_start
no_daemon="stlinkctl: stlinkd is not running.
Start it:  sudo systemctl start stlinkd"
for verb in status list monitor connect; do
        expect "no daemon for $verb" 6 "$no_daemon" $verb
done
expect "no daemon for run" 125 "$no_daemon" run true

fake_start
none="stlinkctl: No probe is plugged in.  What the kernel sees:  lsusb -d 0483:"
expect "no probe for connect" 3 "$none" connect
expect "no probe for run" 122 "$none" run true
expect "no probe of that name" 3 "$none" status 066E

probe a 066EFF303435554157102345 1-1.2 V2-1 V2J45M31
expect "another name" 3 "stlinkctl: No probe is called '1-9'; plugged in:
  066EFF303435554157102345  V2-1 at port 1-1.2, free" status 1-9
probe b 066EFF493037554157999999 1-1.3 V2 V2J37S7
both="  066EFF303435554157102345  V2-1 at port 1-1.2, free
  066EFF493037554157999999  V2 at port 1-1.3, free"
expect "two probes and no name" 122 "stlinkctl: 2 probes are plugged in; name one of them:
$both" run true
expect "a name that fits two" 3 "stlinkctl: '066e' fits 2 probes; name one of them:
$both" connect 066e

wait_hint="Wait for it:  stlinkctl run --wait -- COMMAND"
while IFS='|' read -r name error code own hint; do
        tell "fail Acquire $error The daemon says why."
        expect "$name" "$code" "stlinkctl: The daemon says why.${hint:+
$hint}" connect 1-1.2
        expect "$name for run" "$own" "stlinkctl: The daemon says why.${hint:+
$hint}" run -p 1-1.2 true
done <<EOF
busy|$busy|4|123|$wait_hint
waited in vain|io.github.stlinkd1.Error.Timeout|4|123|$wait_hint
too many|io.github.stlinkd1.Error.QuotaExceeded|4|123|$wait_hint
unplugged meanwhile|io.github.stlinkd1.Error.Unplugged|3|122|
not answering|io.github.stlinkd1.Error.NotAnswering|7|120|
a lost lease|io.github.stlinkd1.Error.LeaseLost|9|120|
not permitted|org.freedesktop.DBus.Error.AccessDenied|5|124|
a password is needed|org.freedesktop.DBus.Error.InteractiveAuthorizationRequired|5|124|A polkit agent may ask for it, at a terminal and without --no-ask-password.
an option it does not know|org.freedesktop.DBus.Error.InvalidArgs|1|120|
an error of no known name|com.example.Whatever|1|120|
EOF

# Somebody is asked for a password only where there is somebody.
may_ask() { # CMD...
        local before
        before=$(grep -c '^Acquire may ask' "$scratch/fake.log")
        timeout 60 "$@" >/dev/null 2>&1 </dev/null
        tell 'say asked'
        [ "$(grep -c '^Acquire may ask' "$scratch/fake.log")" -gt "$before" ]
}
verb="'$TOP_BUILDDIR/stlinkctl' run -p 1-1.2"
# An agent that says that it is there, and leaves word of how it was called.
mkdir "$scratch/bin"
cat >"$scratch/bin/pkttyagent" <<-EOF
	#!/bin/sh
	echo "\$@ as \$\$" >"$scratch/agent"
	eval "exec \$2>&-"
	exec sleep 60
EOF
chmod +x "$scratch/bin/pkttyagent"
PATH=$scratch/bin:$PATH
tell 'fail Acquire org.freedesktop.DBus.Error.AccessDenied Not you.'
check_fails "nobody is asked where a password does not help" may_ask script -qec "$verb true" /dev/null
check_fails "and no agent is started" test -e "$scratch/agent"
tell 'fail Acquire org.freedesktop.DBus.Error.InteractiveAuthorizationRequired With a password.'
check_fails "without a terminal nobody is asked" may_ask setsid -w sh -c "$verb true"
check "at a terminal somebody is" may_ask script -qec "$verb true </dev/null >/dev/null 2>&1" /dev/null
check_match "an agent is started, in case that the desktop has none" '^--notify-fd [0-9]+ (--fallback )?as [0-9]+$' \
        "$(cat "$scratch/agent")"
check_fails "and is gone with the answer" kill -0 "$(sed 's/.* //' "$scratch/agent")"
check_fails "but not with --no-ask-password" may_ask script -qec "$verb --no-ask-password true" /dev/null

tell 'fail - - -' "fail GetManagedObjects org.freedesktop.DBus.Error.NoReply It sleeps."
expect "a daemon that hangs" 6 "stlinkctl: stlinkd does not answer: It sleeps.
See why:  journalctl -u stlinkd" list
tell 'fail GetManagedObjects org.freedesktop.DBus.Error.AccessDenied Rejected send message, 0 matched rules'
for verb in status list monitor; do
        expect "a bus without our policy, for $verb" 5 "stlinkctl: The system bus does not let you talk to stlinkd.
Is its policy installed?  ls /usr/share/dbus-1/system.d/io.github.stlinkd1.conf" $verb
done
tell 'fail GetManagedObjects org.freedesktop.systemd1.LoadFailed Unit is broken.'
expect "a daemon that does not start" 6 "stlinkctl: stlinkd does not start: Unit is broken.
See why:  journalctl -u stlinkd" list

# The node, after the lease.
tell 'fail Open io.github.stlinkd1.Error.Unplugged The probe was unplugged.'
expect "unplugged before the node is open" 3 "stlinkctl: The probe was unplugged." connect 1-1.2
tell 'fail - - -' 'open /dev/null'
ctl connect 1-1.2
check "a node that is none fails with a code of its own ($status)" test "$status" -gt 0 -a "$status" -lt 10
check_equal "a node that is none: nothing on stdout" "" "$out"
check "the lease is given back" heard '^Release /io/github/stlinkd1/lease/1$'
fake_stop
finish
