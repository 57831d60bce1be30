#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# stlinkctl run: the lease lasts as long as the command and what it started, the command's exit
# status and signals pass through, and waiting and losing are told.
# deadline: 180
# shellcheck source=fake.sh
. "${0%/*}/fake.sh"
need dbus-daemon dbus-send busctl perl pgrep script

released() { # how often a lease was given back so far
        grep -c '^Release ' "$scratch/fake.log"
}

fake_start
probe a 066EFF303435554157102345 1-1.2 V2-1 V2J45M31

ctl run true
check_equal "success passes through" 0 "$status"
check_equal "nothing is said when all is well" "" "$out$err"
check "the command's name is the reason" heard '^Acquire [^ ]*/probe/a reason=true$'
check "the lease is given back" heard '^Release '
ctl run --reason 'nightly HIL' --wait=5s --probe 066E -- sh -c 'exit 33'
check_equal "the exit status passes through" 33 "$status"
check "what was asked for reaches the daemon" heard \
        'reason=nightly HIL wait=5000000 waiting=object$'
check_equal "a failure is not commented on to a file" "" "$err"
check_match "but on a terminal the way to its meaning is told" "^sh failed.*stlinkctl explain" \
        "$(script -qec "$TOP_BUILDDIR/stlinkctl run sh -c 'exit 33'" /dev/null </dev/null)"
check_no_match "not after success" explain \
        "$(script -qec "$TOP_BUILDDIR/stlinkctl run true" /dev/null </dev/null)"
ctl run -- sh -c 'kill -KILL $$'
check_equal "a signal becomes 128 + N" 137 "$status"
ctl run /bin/nonexistent/tool
check_equal "a command that is not there" 126 "$status"
check_equal "and it is named" \
        "stlinkctl: Cannot run /bin/nonexistent/tool: No such file or directory" "$err"
check_fails "nobody was asked for a probe" heard '^Acquire.*reason=tool$'
ctl run --wait no-such-tool-as-this
check_equal "nor is one in the PATH" 126 "$status"
ctl run --wait 30s true
check_equal "a time that is no part of the option" 126 "$status"
check_match "is understood" "A time is part of the option:  --wait=30s" "$err"
check "without a PATH there is the usual one" env -u PATH "$TOP_BUILDDIR/stlinkctl" run true
printf '#!/bin/sh\nexit 9\n' >"$scratch/here"
chmod 755 "$scratch/here"
check_equal "an empty piece of it is the current directory" 9 \
        "$(cd "$scratch" && PATH=/nonexistent: "$TOP_BUILDDIR/stlinkctl" run here; echo $?)"
ctl run "$scratch"
check_equal "a command that is none" 126 "$status"
ctl run sh -c 'echo out; echo err >&2; cat; exit 0' --json -p
check_equal "what follows the command is its own" "out" "$out"
check_equal "stderr is its own" "err" "$err"
echo typed >"$scratch/in"
check_equal "stdin is its own" typed \
        "$("$TOP_BUILDDIR/stlinkctl" run cat <"$scratch/in")"
# What we were started with ourselves: make leaves two of the C library's own signals ignored.
ctl run grep -E "^Sig(Blk|Ign)" /proc/self/status
check_equal "it inherits no signal settings of ours" "$(timeout 60 grep -E '^Sig(Blk|Ign)' /proc/self/status)" "$out"
timeout 60 ls /proc/self/fd >"$scratch/own" 2>"$scratch/err" </dev/null
ctl run ls /proc/self/fd
check_equal "it inherits no descriptors of ours" "$(<"$scratch/own")" "$out"

# The whole tree.
until_asleep="until grep -qx sleep /proc/\$!/comm; do sleep 0.05; done"
before=$(released)
background tree setsid "$TOP_BUILDDIR/stlinkctl" run -- bash -c \
        "setsid bash -c 'echo \$\$ >$scratch/left; exec sleep 300' & $until_asleep; exit 7"
tree=$job
wait_until 20 grep -q 'left behind' "$scratch/tree.err"
left=$(<"$scratch/left")
check_equal "leftovers are named" \
        "stlinkctl: bash has ended, but left behind: sleep (PID $left). The lease is kept until that has ended too; Ctrl-C gives it back now." \
        "$(<"$scratch/tree.err")"
check_equal "the lease is kept for them" "$before" "$(released)"
kill "$left"
ended "$tree"
check_equal "the status is the command's, not theirs" 7 "$status"
check_equal "then the lease is given back" $((before + 1)) "$(released)"

background quit setsid "$TOP_BUILDDIR/stlinkctl" run -- bash -c "setsid sleep 300 & echo \$! >$scratch/left; $until_asleep; exit 3"
quit=$job
wait_until 20 grep -q 'left behind' "$scratch/quit.err"
kill -INT "$quit"
ended "$quit"
check_equal "an interrupt then ends the waiting" 3 "$status"
check_match "and what remains is named" "^stlinkctl: bash left behind, without a lease: sleep \(PID $(<"$scratch/left")\)\.$" \
        "$(tail -n 1 "$scratch/quit.err")"
check "what remains was not touched" kill -0 "$(<"$scratch/left")"
kill "$(<"$scratch/left")"

background term setsid "$TOP_BUILDDIR/stlinkctl" run -- bash -c "setsid sleep 300 & exit 3"
term=$job
wait_until 20 grep -q 'left behind' "$scratch/term.err"
kill -TERM "$term"
ended "$term"
check_equal "SIGTERM then ends the leftovers" 3 "$status"
check_no_match "so nothing remains" 'without a lease' "$(<"$scratch/term.err")"

cat >"$scratch/threads.py" <<'PY'
import subprocess, sys, threading
def work():
    child = subprocess.Popen(["sleep", "300"])
    print(child.pid, file=open(sys.argv[1], "w"), flush=True)
    child.wait()
threading.Thread(target=work).start()
PY
# On one processor, where it comes first, it is dead as soon as it is signalled; so whoever looks
# for its children only then finds none.
first=() beside=()
! chrt -f 1 true 2>/dev/null || first=(chrt -f 1) beside=(taskset -c "$(taskset -cp $$ | grep -oE '[0-9]+$')")
background threads setsid "${beside[@]}" "$TOP_BUILDDIR/stlinkctl" run -- bash -c \
        "setsid ${first[*]} python3 $scratch/threads.py $scratch/left-by-thread & exit 3"
threads=$job
wait_until 20 test -s "$scratch/left-by-thread"
wait_until 20 grep -q 'left behind' "$scratch/threads.err"
kill -TERM "$threads"
left=$(<"$scratch/left-by-thread")
check_soon "also those that a thread of theirs has started" 20 eval "! kill -0 $left 2>/dev/null" || kill "$left"
ended "$threads"

ctl run --until=main -- bash -c "setsid sleep 300 & echo \$! >$scratch/left; $until_asleep; exit 5"
check_equal "--until=main ends with the command" 5 "$status"
check_equal "and names what remains" \
        "stlinkctl: bash left behind, without a lease: sleep (PID $(<"$scratch/left"))." "$err"
kill "$(<"$scratch/left")"

# Signals.
background forward setsid "$TOP_BUILDDIR/stlinkctl" run -- bash -c \
        "trap 'echo got TERM; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
forward=$job
wait_until 20 grep -q ready "$scratch/forward.out"
kill -TERM "$forward"
ended "$forward"
check_equal "SIGTERM is passed on" 9 "$status"
check_match "and the command may handle it" 'got TERM' "$(<"$scratch/forward.out")"
# setsid gives a new session: an interrupt for the group, as the terminal's, reaches both.
cat >"$scratch/trap.sh" <<'EOF'
trap 'interrupted=yes' INT
touch "$1"
for _ in {1..30}; do sleep 0.1; done
echo "interrupted: ${interrupted-no}"
exit 8
EOF
interrupt() { # COMMAND...: run it under a lease on a terminal, press Ctrl-C, leave its output in $out
        rm -f "$scratch/trapping"
        # dash would end at Ctrl-C as well, before it says the status.
        out=$(SHELL=/bin/bash timeout 60 script -qec "$TOP_BUILDDIR/stlinkctl run -- $*; echo status \$?" /dev/null \
                < <(wait_until 20 test -e "$scratch/trapping" && printf '\003'; sleep 4) | tr -d '\r')
}
interrupt setsid bash "$scratch/trap.sh" "$scratch/trapping"
check_match "Ctrl-C is not passed on to a command that has left the terminal" 'interrupted: no' "$out"
interrupt bash "$scratch/trap.sh" "$scratch/trapping"
check_match "Ctrl-C reaches a command on the terminal" 'interrupted: yes' "$out"
check_match "and its status is ours" 'status 8' "$out"
died_of() { # COMMAND...: the signal that stlinkctl ends by when it runs that
        # shellcheck disable=SC2016 # perl's
        perl -e 'system(@ARGV); print $? & 127' "$TOP_BUILDDIR/stlinkctl" run -- "$@" 2>/dev/null
}
# shellcheck disable=SC2016
check_equal "who dies of the interrupt, makes us: the shell's script ends, too" 2 "$(died_of sh -c 'kill -INT $$')"
check_equal "who only says so does not" 0 "$(died_of sh -c 'exit 130')"
before=$(released)
spawn window script -qec "exec $TOP_BUILDDIR/stlinkctl run -- sh -c 'echo \$\$ >$scratch/worker; exec sleep 300'" /dev/null
wait_until 20 test -s "$scratch/worker" || fail "a command runs in a window"
kill -KILL "$spawned"
check_soon "the window is closed: its command ends" 20 eval '! kill -0 "$(<"$scratch/worker")"'
check_soon "and the lease is given back" 20 eval '[ "$(released)" -gt "$before" ]'
out=$(timeout 60 script -qec "$TOP_BUILDDIR/stlinkctl run -- sh -c 'tty >/dev/null && echo terminal'" /dev/null </dev/null | tr -d '\r')
check_match "the terminal is the command's" terminal "$out"

# Waiting.
tell 'acquire waiting' 'probe a' 'set State claimed' \
        'dict Holders Pid=4711 Uid=0 User=alice Command=openocd Claimed=1'
background wait setsid "$TOP_BUILDDIR/stlinkctl" run --wait -- echo mine
waiting=$job
wait_until 20 grep -q Waiting "$scratch/wait.err"
tell 'lease 1' 'set Position 3' 'changed Position' 'set Position 2' 'changed Position'
wait_until 20 grep -q 'Place 2' "$scratch/wait.err"
check_equal "nothing runs yet" "" "$(<"$scratch/wait.out")"
tell 'set Position 0' 'set State held' 'changed Position State'
ended "$waiting"
check_equal "it runs when it is granted" "0 mine" "$status $(<"$scratch/wait.out")"
check_equal "who is in the way, and one's place, are told" \
        "stlinkctl: Waiting for probe 066EFF30, in use: openocd (PID 4711) has claimed it; place 1 in the queue.
stlinkctl: Place 3 in the queue.
stlinkctl: Place 2 in the queue.
stlinkctl: Got it after N." \
        "$(sed -E 's/after .*\./after N./' "$scratch/wait.err")"

background vain setsid "$TOP_BUILDDIR/stlinkctl" run --wait=9s -- echo mine
vain=$job
wait_until 20 grep -q Waiting "$scratch/vain.err"
tell 'lease 1' 'ended timeout'
ended "$vain"
check_equal "waiting in vain is busy" 123 "$status"
check_match "and it is told" 'Waited in vain: nobody gave it back in time\.$' "$(<"$scratch/vain.err")"

background cancel setsid "$TOP_BUILDDIR/stlinkctl" run --wait -- echo mine
cancel=$job
wait_until 20 grep -q Waiting "$scratch/cancel.err"
kill -TERM "$cancel"
ended "$cancel"
check_equal "a signal while it waits ends it" 143 "$status"
check_soon "and its place in the queue" 10 heard '^lease descriptor closed$'

# name_of PID: its unique name. Asked one by one: busctl's list has no pids where there is no
# machine id.
name_of() {
        local name
        for name in $(busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" list --unique --no-legend | cut -d' ' -f1); do
                busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call org.freedesktop.DBus / \
                        org.freedesktop.DBus GetConnectionUnixProcessID s "$name" 2>/dev/null |
                        grep -qx "u $1" && echo "$name"
        done
}

# Strangers may not end it for us.
background spoof setsid "$TOP_BUILDDIR/stlinkctl" run --wait=60s -- echo mine
spoof=$job
wait_until 20 grep -q Waiting "$scratch/spoof.err"
name=$(name_of "$spoof")
check "its name on the bus is known" test -n "$name"
check "a stranger sends it a signal" dbus-send --bus="$DBUS_SYSTEM_BUS_ADDRESS" --type=signal --dest="$name" \
        /io/github/stlinkd1/lease/1 io.github.stlinkd1.Lease.Ended string:revoked
tell 'lease 1' 'set Position 0' 'set State held' 'changed Position State'
ended "$spoof"
check_equal "a stranger's signal does not count" "0 mine" "$status $(<"$scratch/spoof.out")"

# Losing it.
tell 'acquire held'
for reason in revoked expired; do
        background lost setsid "$TOP_BUILDDIR/stlinkctl" run -- sleep 300
        lost=$job
        wait_until 20 pgrep -P "$lost" -x sleep
        tell 'lease 1' "ended $reason"
        ended "$lost"
        check_equal "a lease that was $reason ends the command" 143 "$status"
done
check_equal "and it is told" "stlinkctl: The lease is lost: its time limit has passed.
stlinkctl: Ending sleep." "$(<"$scratch/lost.err")"
background stubborn setsid "$TOP_BUILDDIR/stlinkctl" run -- bash -c \
        "trap 'echo no' TERM; setsid sh -c 'trap : TERM; while :; do sleep 1; done' & echo ready; while :; do sleep 1; done"
stubborn=$job
wait_until 20 grep -q ready "$scratch/stubborn.out"
wait_until 20 eval "pgrep -P $stubborn -x bash | xargs pgrep -x sh -P"
tell 'lease 1' 'ended revoked'
ended "$stubborn"
check_equal "who does not end is killed" 137 "$status"
check_equal "once he had time to end" no "$(grep -x no "$scratch/stubborn.out")"
check_match "and named" '^stlinkctl: Not ended by SIGTERM: bash \(PID [0-9]+\)\. Killing it\.$' "$(<"$scratch/stubborn.err")"
mkfifo "$scratch/go"
waiting_for_go="exec $TOP_BUILDDIR/stlinkctl run -- bash -c 'echo ready; read -r <$scratch/go; exit 4'"
go() {
        timeout 60 bash -c 'echo >"$1"' - "$scratch/go"
}
background lost setsid bash -c "$waiting_for_go"
lost=$job
wait_until 20 grep -q ready "$scratch/lost.out"
tell 'lease 1' 'ended unplugged'
wait_until 20 grep -q 'goes on' "$scratch/lost.err"
go
ended "$lost"
check_equal "a command whose probe was unplugged goes on" 4 "$status"
check_equal "and it is told, too" "stlinkctl: The lease is lost: the probe was unplugged.
stlinkctl: bash goes on without it." "$(<"$scratch/lost.err")"
background lost setsid bash -c "$waiting_for_go"
lost=$job
wait_until 20 grep -q ready "$scratch/lost.out"
fake_stop

# It goes before the bus knows that we want to hear of it. Whether it comes back is awaited for
# some seconds; by all three at once.
goes() { # held|waiting ARGUMENT...: in a world of its own, below $scratch
        scratch=$scratch/$1 lib_pids=() fake_count=0
        mkdir "$scratch" && mkfifo "$scratch/.never"
        fake_start
        probe a 066EFF303435554157102345 1-1.2 V2-1 V2J45M31
        tell "acquire $1" 'last Acquire'
        ctl run "${@:2}" -- sh -c "for i in \$(seq 400); do ! grep -q 'goes on' $scratch/err || break; sleep 0.1; done"
        echo "$status" >"$scratch/status"
        lib_kill_spawned
}
goes waiting --wait &
waiting=$!
goes held &
held=$!
wait_until 60 grep -q 'goes on' "$scratch/lost.err"
go
ended "$lost"
check_equal "so does one whose daemon has stopped" 4 "$status"
check_match "that is told as well" 'The lease is lost: stlinkd has stopped\.$' "$(<"$scratch/lost.err")"
wait "$waiting" "$held"
check_equal "the daemon goes behind the answer: nobody waits for ever" 125 "$(<"$scratch/waiting/status")"
check_match "he is told why" 'Waited in vain: stlinkd has stopped' "$(<"$scratch/waiting/err")"
check_equal "or behind a lease: the command goes on" 0 "$(<"$scratch/held/status")"
check_match "that is told, too" 'The lease is lost: stlinkd has stopped' "$(<"$scratch/held/err")"
finish
