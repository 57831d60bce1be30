#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What stlinkctl status and list print, for each state of a probe, on any terminal, and what
# becomes of output that cannot be written.
# deadline: 120
# shellcheck source=fake.sh
. "${0%/*}/fake.sh"
need dbus-daemon script stty

# Times of day differ from run to run.
same_time() {
        sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9-]{10} [0-9]{2}:[0-9]{2}/TIME/;
                s/"20[0-9T:-]+Z"/"TIME"/; s/\(([0-9]+ min) [0-9] s\)/(\1)/'
}

text() { # NAME EXPECTED: what the last call printed
        check_equal "$1" "$2" "$(same_time <<<"$out")"
}

fake_start
ctl
check_equal "no probe is no failure" 0 "$status"
text "no probe" "No probe is plugged in.  What the kernel sees:  lsusb -d 0483:"
ctl list
check_equal "an empty list says so" "No probe is plugged in." "$out"
ctl list --no-legend
check_equal "an empty list without legend is empty" "" "$out"
ctl list --json
check_equal "an empty list as JSON is an empty array" "[]" "$(tr -d ' \n' <<<"$out")"

probe a 066EFF303435554157102345 1-1.2 V2-1 V2J45M31
tell 'dict Parts Part=msd Interface=1 Device=/dev/sda' \
        'dict Parts Part=vcp Interface=2 Device=/dev/ttyACM0'
ctl
check_equal "status succeeds" 0 "$status"
check_equal "status says nothing on stderr" "" "$err"
text "a free probe" "● ST-LINK/V2-1 066EFF303435554157102345
      State: free
       Port: 1-1.2, /dev/bus/usb/001/002, /dev/ttyACM0, /dev/sda
   Firmware: V2J45M31
     Target: 3.28 V when it was last measured"

tell 'dict Holders Pid=4711 Uid=4242 User=alice Command=openocd Since=38 Claimed=1 Exe=/usr/bin/openocd Unit=run-u132.scope Session=5 Terminal=pts/3 ParentCommand=code Container=podman:hil' \
        'set State claimed'
ctl
text "a claimed probe names the program, and what to do" \
        "● ST-LINK/V2-1 066EFF303435554157102345
      State: in use: openocd (PID 4711) has claimed it
     Holder: openocd (PID 4711) of alice, since TIME (38 s), claimed
             terminal pts/3, started by code, unit run-u132.scope, session 5, container podman:hil
       Port: 1-1.2, /dev/bus/usb/001/002, /dev/ttyACM0, /dev/sda
   Firmware: V2J45M31
     Target: 3.28 V when it was last measured
       Next: wait for it:  stlinkctl run --wait -- COMMAND
             end that program:  $([ "$(id -u)" = 0 ] || printf 'sudo ')kill 4711"

ctl status --json 1-1.2
if command -v jq >/dev/null; then
        check_equal "JSON says the same" \
                '{"state":"claimed","port":"1-1.2","tty":"/dev/ttyACM0","disk":"/dev/sda","mv":3281,"pid":4711,"uid":4242,"claimed":true,"session":"5","cmdline":null,"kill":true}' \
                "$(jq -c '.probes[0] | {state, port, tty, disk, mv: .target_millivolts,
                        pid: .holders[0].pid, uid: .holders[0].uid, claimed: .holders[0].claimed,
                        session: .holders[0].session, cmdline: .holders[0].cmdline,
                        kill: (.next[1].command | endswith("kill 4711"))}' <<<"$out")"
else
        skip "JSON says the same" "jq is missing"
fi
check_match "JSON tells about the daemon" '"enforcement": "cooperative"' "$out"

tell 'clear Holders' 'set State in-use' \
        'dict Holders Pid=12 Uid=0 User=root Command=st-util Since=5 Claimed=0 Unit=st.service'
ctl
check_match "open is not claimed" 'State: in use: st-util \(PID 12\) has it open, but did not claim it$' "$out"
check_match "a service is not left behind" '^             unit st.service$' "$out"
tell 'clear Holders' \
        'dict Holders Pid=12 Uid=0 User=root Command=st-util Claimed=1 Started=900 Seen=before Since=900 Terminal=pts/1 Session=7 Remote=lab.lan ParentCommand=node Program=code Ports=3333+4444 Clients=0 Orphaned=1 Cmdline=st-util\s-p\s3333'
ctl
check_match "since when is not known to the second" 'since .* or earlier, claimed$' "$out"
check_match "whence he came, and from which program" \
        '^             terminal pts/1, started by node in code, session 7 from lab.lan, port 3333, 4444, nobody' "$out"
check_match "what was left behind" 'left behind: the program that started it is gone$' "$out"
check_match "is ended by one command" 'end what was left behind:  stlinkctl release --stale$' "$out"
check_no_match "no command line unasked" 'st-util -p 3333' "$out"
ctl status --full
check_match "a command line when asked for" '^             called as: st-util -p 3333$' "$out"
ctl status --json
check_match "ports in JSON" '"ports": \[' "$out"
check_match "the verdict in JSON" '"orphaned": true' "$out"
tell 'clear Holders' \
        'dict Holders Pid=12 Uid=0 User=root Command=st-util Claimed=1 Ports=3333 Clients=1 Orphaned=0'
ctl
check_match "who is connected" '^             port 3333, 1 connected$' "$out"
check_no_match "is not left behind" 'left behind' "$out"
tell 'clear Holders' 'dict Holders Pid=12 Uid=0 User=root Command=st-util Claimed=1'
ctl status --json
check_match "what cannot be seen is null" '"orphaned": null' "$out"
ctl status --full
check_match "a command line that one may not see" 'called as: \(not for you to see\)' "$out"

tell 'clear Holders' \
        'dict Holders Pid=13 Uid=0 User=root Command=lsusb Claimed=0' \
        'dict Holders Pid=12 Uid=0 User=root Command=st-util Claimed=1' 'set State claimed'
ctl
check_match "of several programs the one that has claimed it is blamed" \
        'State: in use: st-util \(PID 12\) has claimed it$' "$out"
check_match "the others are shown" '^             lsusb \(PID 13\)|^     Holder: lsusb \(PID 13\) of root, open only$' "$out"
tell 'clear Holders' 'set State leased' \
        'list Leases /io/github/stlinkd1/lease/1 /io/github/stlinkd1/lease/2' \
        'dict Holders Pid=301 Uid=1000 User=bob Command=st-flash Claimed=1 Since=4 ParentCommand=stlinkctl Lease=/io/github/stlinkd1/lease/1' \
        'lease 1' 'set Probe /io/github/stlinkd1/probe/a' 'set State held' 'set Kind exclusive' \
        'set Reason nightly HIL run' 'set User bob' 'set Uid 1001' 'set Pid 300' \
        'set Command stlinkctl' 'set Requested 9' 'set Granted 4' 'list Parts debug' \
        'lease 2' 'set Probe /io/github/stlinkd1/probe/a' 'set State waiting' 'set Position 1' \
        'set User carol' 'set Uid 1002' 'set Pid 400' 'set Command stlinkctl' 'set Requested 2'
ctl
text "a leased probe tells of its lease and of the queue" \
        "● ST-LINK/V2-1 066EFF303435554157102345
      State: leased to stlinkctl (PID 300)
      Lease: stlinkctl (PID 300) of bob, since TIME (4 s), for: nightly HIL run
     Holder: st-flash (PID 301) of bob, since TIME (4 s), under the lease
             started by stlinkctl
    Waiting: stlinkctl (PID 400) of carol, since TIME (2 s)
       Port: 1-1.2, /dev/bus/usb/001/002, /dev/ttyACM0, /dev/sda
   Firmware: V2J45M31
     Target: 3.28 V when it was last measured
       Next: wait for it:  stlinkctl run --wait -- COMMAND
             ask for it:  stlinkctl release --ask

Leases are cooperative here: a program that takes none is seen, but not stopped. See stlinkctl policy."

tell 'probe a' 'clear Holders' 'clear Leases' 'set State not-answering' 'set Firmware ' \
        'set TargetVoltage -1'
ctl
check_match "a silent probe is to be plugged in again" 'Next: bring it back: +stlinkctl recover$' "$out"
check_no_match "what is not known is not shown" 'Firmware|Target' "$out"
tell 'set State switching' 'set Node ' 'set TargetVoltage 0'
ctl
check_match "a probe that changes its mode" 'State: changing its mode, expected back' "$out"
check_match "a port stays without a node" 'Port: 1-1.2, /dev/ttyACM0' "$out"
check_match "0 V is no proof" '0.00 V .*\(no power, or VTref is not wired\)$' "$out"
tell 'set State identifying'
ctl
check_match "a new probe" 'State: just plugged in, being identified$' "$out"
tell 'set State pondering' 'set Model unknown'
ctl
check_match "an unknown state is shown as it is" 'State: pondering$' "$out"
check_match "an unknown model" '^● ST-LINK 066EFF303435554157102345$' "$out"

# Two probes: they are sorted, and commands name one.
tell 'set State claimed' 'set Model V2-1' 'set Firmware V2J45M31' \
        'dict Holders Pid=4711 Uid=0 Command=openocd Claimed=1'
probe b 37FF71064E57343620530843 1-1.10 V2 V2J37S7
ctl list
check_equal "a list" \
        "ID                       MODEL FIRMWARE PORT   STATE   HOLDER             TTY          DISK
066EFF303435554157102345 V2-1  V2J45M31 1-1.2  claimed openocd (PID 4711) /dev/ttyACM0 /dev/sda
37FF71064E57343620530843 V2    V2J37S7  1-1.10 free    -                  -            -" "$out"
ctl list --no-legend
check_match "a list without legend begins with a probe" '^066EFF303435554157102345 V2-1' \
        "$(head -n 1 <<<"$out")"
ctl
check_match "commands name the probe where there are two" \
        'stlinkctl run --wait --probe 066EFF30 -- COMMAND$' "$out"
ctl status 37ff
check_no_match "status of one does not show the other" 066EFF "$out"
check_match "status of one shows it" 37FF71064E57343620530843 "$out"

# Terminals.
on_terminal() { # COLUMNS ARGUMENT...
        local columns=$1
        shift
        TERM=xterm script -qec "stty cols $columns; $TOP_BUILDDIR/stlinkctl $*" /dev/null </dev/null |
                tr -d '\r'
}
out=$(on_terminal 80 status)
check_match "a terminal has colours" $'^\x1b\[33m●\x1b\[0m' "$out"
check_no_match "NO_COLOR is honoured" $'\x1b' "$(NO_COLOR=1 on_terminal 80 status)"
# TERM is set within, so "dumb" has to be, too.
check_no_match "a dumb terminal gets none" $'\x1b' \
        "$(script -qec "TERM=dumb $TOP_BUILDDIR/stlinkctl" /dev/null </dev/null)"
out=$(NO_COLOR=1 on_terminal 40 status)
longest=$(grep -vE 'COMMAND|kill' <<<"$out" | wc -L)
check "status fits 40 columns, but for commands, which stay whole ($longest)" test "$longest" -le 40
out=$(on_terminal 40 list)
check_equal "a list on 40 columns keeps who is who" \
        "ID                       STATE
066EFF303435554157102345 claimed
37FF71064E57343620530843 free" "$out"
LC_ALL=C ctl
check_match "ASCII in the C locale" '^\* ST-LINK/V2-1 066EFF' "$out"
check_no_match "nothing but ASCII in the C locale" '[^ -~]' "$out"

# What a device or a stranger's program calls itself.
tell 'probe a' 'clear Holders' $'set SerialReported a\x1b]0;owned\a' $'set Id \x1b[31mX' \
        $'dict Holders Pid=1 Command=\x1b[2J\xc2\x9b31m\xe2\x80\xaeevil User=\x1b[5mu Claimed=1'
for arguments in status list 'status --json' 'list --json'; do
        # shellcheck disable=SC2086
        ctl $arguments
        check_no_match "$arguments: no control character passes" \
                $'[\x01-\x09\x0b-\x1f\x7f]|\xc2\x9b|\xe2\x80\xae' "$out"
done
ctl status nosuch
check_no_match "nor in messages" $'[\x01-\x09\x0b-\x1f\x7f]' "$err"

# Output that is lost.
status=0
"$TOP_BUILDDIR/stlinkctl" list >/dev/full 2>"$scratch/err" || status=$?
check_equal "a full disk is a failure" 1 "$status"
check_match "a full disk is said" 'Cannot write the output: No space left' "$(<"$scratch/err")"
status=0
"$TOP_BUILDDIR/stlinkctl" list >&- 2>"$scratch/err" || status=$?
check_equal "a closed stdout is a failure" 1 "$status"
check_match "a closed stdout is said" 'Cannot write the output' "$(<"$scratch/err")"
status=0
"$TOP_BUILDDIR/stlinkctl" list <&- 2>&- >"$scratch/out" || status=$?
check_equal "closed stdin and stderr do not matter" 0 "$status"
status=0
(
        trap - PIPE
        "$TOP_BUILDDIR/stlinkctl" status
        echo $? >"$scratch/status"
) 2>"$scratch/err" | true
wait_until 10 test -s "$scratch/status"
check_match "a reader that leaves is no error of ours" '^(0|141)$' "$(<"$scratch/status")"
check_equal "and nothing is said about it" "" "$(<"$scratch/err")"
fake_stop
finish
