#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The private world and the control channel: what unmodified programs see, as root and as an
# ordinary user, that all of it can change under them, and that nothing is left behind.
# deadline: 240
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
need lsusb st-info openocd udevadm setpriv unshare

# Where an ordinary user can start it, wherever it was built.
install -m 755 "$TOP_BUILDDIR/stlinksim" "$scratch/stlinksim"
chmod 755 "$scratch"
export PATH=$scratch:$PATH
as=()

sim() { # stlinksim run with options and a command
        run timeout 60 "${as[@]}" stlinksim run "$@"
}

script() { # SPEC SCRIPT: in a world with one probe
        sim -p "$1" -- bash -c "$2"
}

# What a world must not leave: mounts, files in /run, entries in the host's /dev, and files that
# belong to it in /tmp, where others may be at work.
traces() {
        cat /proc/self/mountinfo
        ls -A /run /dev /dev/bus /run/udev 2>&1
        find /tmp "$scratch" -maxdepth 1 \( -name '*stlinksim*' -o -name '*usbfs*' \)
}

test_statuses() {
        sim -- sh -c 'exit 7'
        check_equal "$who: the command's status is returned" 7 "$status"
        sim -- sh -c 'kill -9 $$'
        check_equal "$who: a signal is 128+N" 137 "$status"
        sim -- /nonexistent
        check_equal "$who: no such command" 127 "$status"
        sim -- /
        check_equal "$who: not to be executed" 126 "$status"
        sim -p nonsense -- true
        check_equal "$who: a bad specification" 120 "$status"
        check_match "$who: is named" '"nonsense"' "$output"
        sim -p v2:port=1-1 -p v2:port=1-1.2 -- true
        check_equal "$who: two probes in one place" 120 "$status"
}

test_view() {
        sim -p v2 -p v2-1:port=1-4.2 -p v3:port=2-1 -- lsusb
        check_equal "$who: lsusb sees the probes and nothing else" 3 "$(grep -c ' ID 0483:' <<<"$output")"
        check_equal "$who: two root hubs and a hub" 3 "$(grep -c ' ID 1d6b:' <<<"$output")"
        sim -p v2-1:port=1-4.2 -- lsusb -t
        check_match "$who: the tree has drivers" 'Port 2: Dev 3, If 2, Class=Communications, Driver=cdc_acm, 12M' "$output"
        sim -p v2-1 -- lsusb -v
        check_equal "$who: lsusb -v succeeds" 0 "$status"
        check_match "$who: and reads the strings" 'iManufacturer +1 STMicroelectronics' "$output"
        check_match "$who: and the hub's ports" 'Port 1: 0000.0103' "$output"
        script v2 'stat -f -c %T /sys; ls /dev/bus/usb/*'
        check_match "$who: /sys is sysfs" '^sysfs$' "$output"
        script v2-1:target=f103 'st-info --probe'
        check_match "$who: st-info finds the chip" 'chipid: +0x0410' "$output"
        script v2 'grep -c . /proc/net/dev; grep " lo$" /proc/net/if_inet6; ls -A /run/dbus /run/stlinkd; touch /run/dbus/x /run/stlinkd/x /run/x'
        check_equal "$who: /run may be written" 0 "$status"
        check_match "$who: the loopback interface is up" ' lo$' "$output"
        check_equal "$who: there is no other" 3 "$(head -n 1 <<<"$output")"
}

test_udev() {
        local tty=/sys/class/tty/ttyACM0 disk=/sys/class/block/sda
        script v2-1:serial=066DFF504955857567012345 "
                udevadm info -q all -p /sys/bus/usb/devices/1-1
                udevadm info -q all -p $tty
                udevadm info -q all -p $disk
                readlink -f /dev/serial/by-id/usb-*-if02 /sys/bus/usb/devices/1-1:1.1/driver"
        check_match "$who: serial" '^E: ID_SERIAL_SHORT=066DFF504955857567012345' "$output"
        check_match "$who: node" '^N: bus/usb/001/002' "$output"
        check_match "$who: tags" '^E: TAGS=.*:uaccess:' "$output"
        check_match "$who: the tty's link" \
                '^S: serial/by-id/usb-STMicroelectronics_STM32_STLink_066DFF504955857567012345-if02' "$output"
        check_match "$who: the disk" '^N: sda' "$output"
        check_match "$who: the link leads there" '^/dev/ttyACM0$' "$output"
        check_match "$who: the disk has its driver" '/usb-storage$' "$output"
        # A serial of raw bytes is none to udev.
        script v2:serial=raw:57FF72065077495029162367 \
                'udevadm info -q all -p /sys/bus/usb/devices/1-1; wc -c </sys/bus/usb/devices/1-1/serial'
        check_no_match "$who: no serial from raw bytes" 'ID_SERIAL_SHORT' "$output"
}

test_hotplug() {
        # shellcheck disable=SC2016
        script v2-1 'stdbuf -oL udevadm monitor --udev >"$TMPDIR/monitor" 2>&1 & monitor=$!
                for i in {1..100}; do grep -q "UDEV - " "$TMPDIR/monitor" && break; sleep 0.05; done
                stlinksim ctl unplug 1 && echo away: /dev/bus/usb/001/* /dev/ttyACM* /sys/bus/usb/devices/1*
                stlinksim ctl plug 1-1 && echo back: /dev/bus/usb/001/* /dev/ttyACM*
                for i in {1..100}; do grep -q "bind .*1-1 (usb)" "$TMPDIR/monitor" && break; sleep 0.05; done
                sleep 0.1; kill $monitor; cat "$TMPDIR/monitor"
                stlinksim ctl unplug 7; echo status=$?; stlinksim ctl plug 1; echo status=$?'
        check_match "$who: gone from the bus" \
                '^away: /dev/bus/usb/001/001 /dev/ttyACM\* /sys/bus/usb/devices/1-0:1.0$' "$output"
        check_match "$who: back under a new number" \
                '^back: /dev/bus/usb/001/001 /dev/bus/usb/001/003 /dev/ttyACM0$' "$output"
        check_match "$who: tty removed" 'UDEV .* remove .*/tty/ttyACM0 \(tty\)' "$output"
        check_match "$who: device removed" 'UDEV .* remove .*/usb1/1-1 \(usb\)' "$output"
        check_match "$who: device added" 'UDEV .* add .*/usb1/1-1 \(usb\)' "$output"
        check_match "$who: disk added" 'UDEV .* add .*/block/sda \(block\)' "$output"
        check_match "$who: interface bound" 'UDEV .* bind .*/1-1:1.1 \(usb\)' "$output"
        check_match "$who: no such probe is 3" '^status=3$' "$output"
        check_match "$who: already plugged in is 1" '^status=1$' "$output"
}

# The driver link tells a claim from an open node, and goes with the claimant.
test_claim() {
        # shellcheck disable=SC2016
        script v2-1:mode=mass,target=f103 'link=/sys/bus/usb/devices/1-1:1.0/driver
                exec 3<>/dev/bus/usb/001/002; readlink $link || echo not claimed
                stlinksim ctl list; exec 3>&-
                # Killed while it waits for an answer, it would leave that to the next one.
                openocd -f interface/stlink.cfg -f target/stm32f1x.cfg -c "init; poll off; echo quiet" >"$TMPDIR/openocd" 2>&1 & pid=$!
                for i in {1..200}; do grep -q quiet "$TMPDIR/openocd" && break; sleep 0.05; done
                readlink $link; stlinksim ctl list
                st-info --probe 2>&1; ls -l /proc/$pid/fd | grep -o /dev/bus/usb/001/002
                kill -9 $pid; wait $pid
                # FUSE tells of a close when the closing program may have ended already.
                for i in {1..200}; do [ -e $link ] || break; sleep 0.05; done
                readlink $link || echo free
                st-info --probe'
        check_match "$who: open is not claimed" '^not claimed$' "$output"
        check_match "$who: the control channel says open" '\(open: 1\)' "$output"
        check_match "$who: claimed by OpenOCD" '/bus/usb/drivers/usbfs$' "$output"
        check_match "$who: the control channel says claimed" '\(open: 1, claimed\)' "$output"
        check_match "$who: /proc shows the node" '^/dev/bus/usb/001/002$' "$output"
        check_match "$who: free after kill -9" '^free$' "$output"
        check_match "$who: the next tool works" 'chipid: +0x0410' "$output"
}

test_control() {
        # shellcheck disable=SC2016
        script v2:mode=mass 'stlinksim ctl counters; st-info --probe >&2; stlinksim ctl counters --json
                stlinksim ctl reset-counters 1; stlinksim ctl set 1 state=wedged latency=5ms; echo set=$?
                timeout 3 st-info --probe; stlinksim ctl set 1 nonsense=1; echo status=$?
                stlinksim ctl dance; echo status=$?; stlinksim ctl add v3:port=1-3; lsusb
                STLINKSIM_CONTROL=/nowhere stlinksim ctl list; echo status=$?
                python3 -c "import socket, json
s = socket.socket(socket.AF_UNIX); s.connect(\"$STLINKSIM_CONTROL\")
s.sendall(b\"{\\\"verb\\\":\\\"list\\\"}\\nnonsense\\n\"); f = s.makefile()
print(\"python\", json.loads(f.readline())[\"probes\"][0][\"id\"], json.loads(f.readline())[\"code\"])"'
        check_match "$who: nothing at first" '^number=1 transfers=0 .*commands=0 .* opens=0 target_resets=0' "$output"
        check_match "$who: st-info is counted" '"number":1,"transfers":[1-9].*"commands":[1-9].*"opens":[1-9]' "$output"
        check_match "$who: a state is set" '^set=0$' "$output"
        check_match "$who: wrong words are 2" '^status=2$' "$output"
        check_match "$who: one more probe" ' ID 0483:374e' "$output"
        check_match "$who: no simulator is 4" '^status=4$' "$output"
        check_match "$who: any language speaks to the socket" '^python 0483:3748 bad-request$' "$output"
}

test_end() {
        local before
        before=$(traces)
        # shellcheck disable=SC2016
        script v2 '(trap "echo asked; exit" TERM; : >"$TMPDIR/set"; while :; do sleep 0.05; done) &
                sleep 1000.'$$' & echo pid=$!
                (trap "" TERM; : >"$TMPDIR/deaf"; exec sleep 1001.'$$') &
                until [ -e "$TMPDIR/set" ] && [ -e "$TMPDIR/deaf" ]; do sleep 0.05; done; exit 3'
        check_equal "$who: what stays behind does not keep the world" 3 "$status"
        check_match "$who: it is asked to end" '^asked$' "$output"
        check_fails "$who: and is gone" pgrep -f "^sleep 100[01]\\.$$\$"
        check_equal "$who: nothing is left on the host" "$before" "$(traces)"

        spawn "signals-$who" "${as[@]}" stlinksim run -- bash -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'
        check_soon "$who: the command runs" 20 grep -q ready "$scratch/signals-$who.log"
        kill -TERM $spawned
        wait $spawned
        check_equal "$who: signals are passed on" 9 $?
}

test_all() {
        export TMPDIR=$scratch/$who
        mkdir -p "$TMPDIR"
        chmod 777 "$TMPDIR"
        test_statuses
        test_view
        test_udev
        test_hotplug
        test_claim
        test_control
        test_end
        unset TMPDIR
}

who=$(id -un)
test_all

ordinary=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all)
if [ "$(id -u)" -ne 0 ]; then
        skip "as another user" "only root can become one"
elif ! "${ordinary[@]}" unshare --user true; then
        skip "as another user" "ordinary users may not make user namespaces here (or it is a chroot)"
else
        who=ordinary
        as=("${ordinary[@]}")
        test_all
        script v2 'id -u'
        check_equal "an ordinary user stays himself" 65534 "$output"
        as+=(env HOME=/)
        sim --as-root -- id -u
        check_equal "unless he asks to be root" 0 "$output"
        as=()
fi

# A socket for those outside.
spawn outside stlinksim run --control "$scratch/control" -p v2 -- sleep 20
check_soon "the outer socket answers" 20 stlinksim ctl --control "$scratch/control" list
check "it can pull the plug" stlinksim ctl --control "$scratch/control" unplug 1
kill -TERM $spawned
wait $spawned
check_fails "the outer socket is removed" test -e "$scratch/control"

many=()
for _ in {1..120}; do many+=(-p v2); done
sim "${many[@]}" -- sh -c 'lsusb | grep -c 0483; ls /sys/bus/usb/devices | grep -c ":1.0$"'
check_equal "120 probes at once" $'120\n124' "$output"

# Where it cannot be, it says why.
if [ "$(id -u)" -eq 0 ]; then
        run unshare -m sh -c 'mount -t tmpfs none /dev && stlinksim run -- true'
        check_equal "no /dev/fuse: a status of its own" 121 "$status"
        check_match "no /dev/fuse: what would help" 'modprobe fuse|--device /dev/fuse' "$output"
        # shellcheck disable=SC2016
        run unshare -U -r sh -c 'echo 0 >/proc/sys/user/max_user_namespaces
                exec setpriv --bounding-set=-all --inh-caps=-all "$0" run -- true' "$scratch/stlinksim"
        check_equal "no user namespaces: a status of its own" 121 "$status"
        check_match "no user namespaces: what would help" 'user.max_user_namespaces' "$output"
else
        skip "what is said without /dev/fuse or user namespaces" "only root can take them away"
fi
finish
