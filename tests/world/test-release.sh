#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Getting a probe back from somebody, with the real daemon: asking, force, and ending a debug server
# that was left behind, told by its ports and its parent.
# deadline: 180
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need openocd setsid
enter_world v2-1:mode=mass,serial=066DFF000000000000000001,target=f411
one=066DFF000000000000000001
start_daemon
check_soon "the probe is identified" 10 is $one free

# --- asking: a run says who asks, and goes on ---------------------------------------------
spawn holder "$TOP_BUILDDIR/stlinkctl" run -- sleep 300
holder=$spawned
check_soon "somebody runs a command" 10 is $one leased
wait_until 20 pgrep -P "$holder" -x sleep # so it listens by now
check "ask" ctl release --ask --reason 'a release is due'
run ctl release --ask
check_equal "not again at once" 4 "$status"
check_match "for he needs a moment" 'just asked' "$output"
asked() {
        grep -q 'asks for the probe: a release is due' "$scratch/holder.log" &&
                grep -q 'To give it back' "$scratch/holder.log"
}
check_soon "he is told at his terminal" 10 asked
check_match "by whom" 'stlinkctl \(pid [0-9]+\) asks' "$(cat "$scratch/holder.log")"
check_match "and what he can do" 'To give it back, end sleep' "$(cat "$scratch/holder.log")"
check "he goes on" is $one leased
check_match "status says that he was asked" 'asked to give it back by .*stlinkctl' "$(ctl status)"
run ctl release
check_equal "it is not this shell's to give back" 4 "$status"
check "he goes on" is $one leased

# --- force --------------------------------------------------------------------------------
check "force" ctl release --force --grace 200ms --reason 'out of patience'
ended "$holder"
check_equal "his command was ended by SIGTERM" 143 "$status"
check_match "he was told how long he has" 'taken back in .*, and sleep ended' "$(cat "$scratch/holder.log")"
check_soon "free" 10 is $one free
ctl lock $one >/dev/null
check "one's own needs no force" ctl release
check_soon "free" 10 is $one free

# A lease for a firmware update is not taken back: to interrupt that may ruin the probe.
lease=$(busctl --system call io.github.stlinkd1 /io/github/stlinkd1/probe/_3066DFF000000000000000001 \
        io.github.stlinkd1.Probe AcquireBound 'a{sv}' 3 kind s firmware-update form s process \
        pid u $$ | cut -d '"' -f 2)
check "a lease for an update" is $one leased
run ctl release --force --grace 0
check_equal "is not to be forced" 5 "$status"
check_match "and why" 'may leave it useless' "$output"
run busctl --system call io.github.stlinkd1 "$lease" io.github.stlinkd1.Lease Revoke 'a{sv}' 0
check_match "over the bus neither" 'Access denied|may leave it useless' "$output"
check "leased still" is $one leased
check "but whoever has it may be asked" ctl release --ask
check "and gives it back" ctl release
check_soon "free" 10 is $one free

# --- left behind --------------------------------------------------------------------------
port=$((20000 + $$ % 10000))
server=(openocd -f interface/stlink.cfg -f target/stm32f4x.cfg -c 'telnet_port disabled; tcl_port disabled'
        -c "gdb_port $port")
spawn shell bash -c '"$@"; exit' - "${server[@]}"
shell=$spawned
claimed() { ctl status | grep -q 'openocd .*has claimed it'; }
check_soon "a debug server has claimed the probe" 20 claimed
listens() { ctl status | grep -q "port $port, nobody connected"; }
check_soon "its port is shown" 20 listens
check_match "and what started it" 'started by bash' "$(ctl status)"
check_no_match "it was not left behind" 'left behind' "$(ctl status)"
run ctl release --stale
check_equal "so it is not ended" 4 "$status"
pid=$(ctl status --json | sed -n 's/.*"pid": *\([0-9]*\),.*/\1/p')
check_equal "the daemon does not trust the verdict of others either" 1 "$(
        busctl --system call io.github.stlinkd1 /io/github/stlinkd1/probe/_3066DFF000000000000000001 \
                io.github.stlinkd1.Probe EndHolder 'uta{sv}' "$pid" 12345 0 2>&1 | grep -c 'does not have probe')"
check "it lives" kill -0 "$pid"

kill -KILL "$shell"
orphaned() { ctl status | grep -q 'left behind: the program that started it is gone'; }
check_soon "its parent is gone: left behind" 20 orphaned
exec 8<>"/dev/tcp/127.0.0.1/$port"
connected() { ctl status | grep -q "port $port, 1 connected"; }
check_soon "somebody connects" 20 connected
check_no_match "then it is in use" 'left behind' "$(ctl status)"
check_fails "and not ended" ctl release --stale
check "it lives" kill -0 "$pid"
exec 8>&-
check_soon "left behind again" 20 orphaned
check_match "the next step" 'release --stale' "$(ctl status)"
run ctl release --stale
check_equal "it is ended" 0 "$status"
check_match "and named" "Ended openocd \(PID $pid\)" "$output"
check_soon "it is gone" 20 lib_is_gone "$pid"
check_soon "free" 10 is $one free
check_match "the journal names both" "openocd \(pid $pid\).*left behind" "$(cat "$scratch/daemon.log")"

# One that does not heed SIGTERM
node=$(field $one node)
setsid bash -c 'trap "" TERM; exec 9<>"$1"; (trap "" TERM; exec sleep 300) & exit' - "$node"
stubborn() { ctl status | grep -q 'Holder: sleep'; }
check_soon "a stubborn one is left behind" 20 stubborn
check "it is ended all the same" ctl release --stale
check_soon "free" 10 is $one free
stop_daemon
finish
