#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A lease that binds, delegated: users, units, control groups and processes whom its owner names use
# the probe beside him, on descriptors from before the lease too, nobody else does, and they neither
# once that is withdrawn, nor after the lease; over a crash of the daemon.
# deadline: 500
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

# Opens the node when it starts, as soon as it is let; then for each line that comes in says how it fares when a child of
# its opens the node, and when it uses its old descriptor. "claim" claims the debug interface first.
cat >"$scratch/agent.py" <<'END'
import errno, fcntl, os, struct, sys, time
node, name = sys.argv[1:]
old = None
while old is None:
    try:
        old = os.open(node, os.O_RDWR)
    except OSError:
        time.sleep(0.5)
commands = open(os.open(name + ".in", os.O_RDWR))
out = open(os.open(name + ".out", os.O_RDWR), "w")

def attempt(action):
    try:
        action()
    except OSError as e:
        return "refused" if e.errno == errno.EBUSY else str(e)
    return "ok"

def in_child(action):
    pid = os.fork()
    if pid == 0:
        os._exit({"ok": 0, "refused": 1}.get(attempt(action), 2))
    return ("ok", "refused", "failed")[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

print("ready", file=out, flush=True)
for command in commands:
    if command == "claim\n":
        fcntl.ioctl(old, 0x8004550f, struct.pack("I", 0))  # USBDEVFS_CLAIMINTERFACE
    answer = in_child(lambda: os.open(node, os.O_RDWR)), \
        attempt(lambda: fcntl.ioctl(old, 0x8004551a, bytearray(4)))  # USBDEVFS_GET_CAPABILITIES
    print(*answer, file=out, flush=True)
END
agent() { # NAME CMD...: CMD followed by a command line is to run it as one that has NAME
        local name=$scratch/$1
        shift
        rm -f "$name.in" "$name.out"
        mkfifo -m 666 "$name.in" "$name.out"
        "$@" /usr/bin/python3 "$scratch/agent.py" "$node" "$name"
}
heard() { # NAME: what the agent of that name says next
        local answer
        read -r -t 60 answer <>"$scratch/$1.out" || answer=silence
        echo "$answer"
}
asked() { # NAME [COMMAND]
        echo "${2-try}" 1<>"$scratch/$1.in"
        heard "$1"
}
expect() { # NAME WORD...: user, unit, group, process, in that order
        local what=$1 name
        shift
        for name in user unit group process; do
                check_equal "$what: $name" "$1 $1" "$(asked $name)"
                shift
        done
}

systemctl stop stlinkd
probes "v2-1:target=f411"
sysfs=$(sysfs_of_probes)
node=$(udev_property "$sysfs" DEVNAME)
check_soon "the probe starts the daemon" 60 identified 1
chmod 666 "$node" # permission is not what keeps them out
chmod 711 "$scratch"
mkdir -p /sys/fs/cgroup/lab-test/inner
at_exit rmdir /sys/fs/cgroup/lab-test/inner /sys/fs/cgroup/lab-test
spawn owner sleep 1000
owner=$spawned
spawn user agent user exec setpriv --reuid=labuser --regid=labuser --init-groups
# shellcheck disable=SC2016
spawn group agent group exec bash -c 'echo $$ >/sys/fs/cgroup/lab-test/inner/cgroup.procs; exec "$@"' -
group=$spawned
spawn process agent process exec
process=$spawned
agent unit systemd-run --quiet --unit=test-agent --collect
at_exit systemctl stop test-agent
for name in user unit group process; do
        wait_until 60 test -p "$scratch/$name.out"
        check_equal "an agent: $name" ready "$(heard $name)"
done
expect "without a lease" ok ok ok ok

number=$(stlinkctl lock --pid "$owner")
expect "with a lease all are strangers" refused refused refused refused
uid=$(id -u labuser)
check "a user" stlinkctl delegate "uid:$uid"
expect "may use it, and nobody else" ok refused refused refused
check "a unit" stlinkctl delegate unit:test-agent.service
expect "may, too" ok ok refused refused
check "a control group, and those in it" stlinkctl delegate cgroup:/lab-test
expect "may, too" ok ok ok refused
check "a process" stlinkctl delegate "pid:$process"
expect "may, too" ok ok ok ok
run eval "true <>$node"
check_match "root may not" 'Device or resource busy' "$output"
check_match "they are shown as who works under the lease" \
        "uid:$uid, unit:test-agent.service, cgroup:/lab-test, pid:$process" "$(stlinkctl leases)"
run setpriv --reuid=labuser --regid=labuser --init-groups st-info --probe
check_match "a tool of that user reads the chip" 'chipid: +0x0?431' "$output"

systemctl kill --signal=KILL stlinkd
expect "while the daemon is gone" ok ok ok ok
check_fails "root still may not" eval "true <>$node"
check_soon "the daemon is back" 60 eval "stlinkctl leases | grep -q ' held '"
expect "and after it came back" ok ok ok ok
check_fails "root still may not" eval "true <>$node"

check "withdrawn from the process" stlinkctl delegate --withdraw "pid:$process"
expect "it may no longer" ok ok ok refused
check "from the group" stlinkctl delegate --withdraw "$number" cgroup:/lab-test
expect "it may no longer" ok ok refused refused
check "from the unit" stlinkctl delegate --withdraw unit:test-agent.service
expect "it may no longer" ok refused refused refused
check "from the user, who has the probe claimed" test "$(asked user claim)" = "ok ok"
check_soon "which is seen" 10 eval "[[ \$(readlink $sysfs/${sysfs##*/}:1.0/driver) == */usbfs ]]"
check "withdrawn" stlinkctl delegate --withdraw "uid:$uid"
expect "he may no longer" refused refused refused refused
check_soon "and his claim is in nobody's way" 30 \
        eval "[[ \$(readlink $sysfs/${sysfs##*/}:1.0/driver) != */usbfs ]]"

# A unit that is started anew is another control group.
check "the unit again" stlinkctl delegate unit:test-agent.service
check_equal "may" "ok ok" "$(asked unit)"
systemctl stop test-agent
agent unit systemd-run --quiet --unit=test-agent --collect
check_equal "another agent: unit" ready "$(heard unit)"
check_equal "a unit that was started anew may, after its first try" "ok ok" "$(asked unit)"
stlinkctl unlock "$number"
expect_all_ok() { [ "$(asked user) $(asked unit) $(asked group) $(asked process)" = "ok ok ok ok ok ok ok ok" ]; }
check_soon "after the lease everybody may" 30 expect_all_ok

stlinkctl lock --pid "$owner" --delegate "pid:$process" >/dev/null
expect "another lease, which names one of them" refused refused refused ok
kill "$owner"
check_soon "it ends with its owner" 30 expect_all_ok
spawn owner sleep 1000
stlinkctl lock --pid "$spawned" >/dev/null
expect "one that names nobody" refused refused refused refused
run as_user labuser stlinkctl run --delegate="pid:$process" -- true
check_equal "nobody fills the room for memberships of another's process" 124 "$status"
check_match "which he is told, and what would do" 'of your own, or to a user as "uid:' "$output"
kill "$group" "$process"
log=$(journal stlinkd | grep 'stlinkd\[')
check_match "the journal says who may" "uid:$uid may work under the lease of" "$log"
check_no_match "it logged no error" ' (error|Failed|failed|Cannot)' "$log"
finish
