#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A probe that is stuck is brought back as far as programs can, others are told meanwhile rather
# than left to hang, and a fault at any moment ends in a clear word.
# deadline: 900
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need st-flash openocd
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2-1:serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
start_daemon '[Probes]' 'JobTimeout=4s'
check_soon "the probes are there" 20 eval "is $one free && is $two free"

wedge() { # ID: what the daemon marks it with
        field "$1" wedge
}
re_plug() { # NUMBER ID: and well again
        sim unplug "$1"
        check_soon "unplugged" 10 is "$2" gone
        sim set "$1" state=ok
        sim plug "$1"
        check_soon "well after a re-plug" 20 is "$2" free
}

run ctl recover $one
check_equal "a healthy probe needs nothing" 0 "$status"
check_match "which is said" 'Nothing is wrong with it: firmware V2J37S7' "$output"
check_equal "one rung was enough" 1 "$(grep -c '^  ' <<<"$output")"
check_soon "and it is free" 10 is $one free

# Stuck until its port is reset.
sim unplug 1
sim set 1 state=wedged
sim plug 1
check_soon "a wedged probe is given up" 30 is $one not-answering
check_equal "it is marked" silent "$(wedge $one)"
check_match "status says what to do" 'bring it back: +stlinkctl recover 1-1$' "$(ctl status $one)"
run timeout 10 "$TOP_BUILDDIR/stlinkctl" run --probe $one --wait -- true
check_equal "run refuses it in seconds" 120 "$status"
check_match "and says what to do" 'does not answer. Try "stlinkctl recover' "$output"
run timeout 10 "$TOP_BUILDDIR/stlinkctl" connect $one
check_equal "so does connect" 7 "$status"
run ctl recover $one
check_equal "it can be recovered" 0 "$status"
check_match "by a reset" 'reset its USB port +it answers' "$output"
check_match "after gentler steps" 'clear its pipes +no answer' "$output"
check_match "with proof" 'It is back: firmware V2J37S7' "$output"
check_no_match "and no further step" 'switch its port' "$output"
check_soon "it is free again" 10 is $one free
check_equal "and the mark is gone" none "$(wedge $one)"
check "it can be used" ctl run --probe $one -- st-info --probe

# A program that was killed halfway leaves an answer behind, which the next one would take for its own.
litter() {
        "$TOP_BUILDDIR/tests/world/probe-client" litter "$(field $one node)"
}
check_match "somebody is killed halfway" '^litter=0$' "$(litter)"
check_soon "and gone" 10 is $one free
run st-flash --serial $one read "$scratch/read" 0x8000000 64
check_match "the next one is confused" 'read reply failed' "$output"
check_match "another is killed halfway" '^litter=0$' "$(litter)"
check_soon "and gone, too" 10 is $one free
check "under run the next one works" ctl run --probe $one -- st-flash --serial $one read "$scratch/read" 0x8000000 64

commands() {
        sim counters 2 | grep -oE ' commands=[0-9]+' | cut -d = -f 2
}
before=$(commands)
check "a firmware update" ctl run --for=firmware-update --probe $two -- sh -c 'exit 0'
check_fails "also one that fails" ctl run --for=firmware-update --probe $two -- false
check_equal "is not disturbed by a question" "$before" "$(commands)"
check "any other command" ctl run --probe $two -- true
check "is preceded by one" test "$(commands)" -gt "$before"

# Stuck, but nobody knows yet.
sim set 1 state=wedged
run timeout 30 "$TOP_BUILDDIR/stlinkctl" run --probe $one -- touch "$scratch/never"
check_equal "run finds out before the command starts" 120 "$status"
check_match "and says what to do" 'Bring it back: +stlinkctl recover' "$output"
check "which never does" test ! -e "$scratch/never"
check "it can be brought back" ctl recover $one

# A command that leaves it stuck: the next one learns it at once.
run ctl run --probe $one -- sh -c "'$TOP_BUILDDIR/stlinksim' ctl set 1 state=wedged; exit 3"
check_equal "a command that fails keeps its status" 3 "$status"
check_match "and it is said that the probe is stuck" 'does not answer any more' "$output"
check_equal "the mark tells others" silent "$(wedge $one)"
run timeout 10 "$TOP_BUILDDIR/stlinkctl" run --probe $one -- true
check_equal "who are refused" 120 "$status"
check "it can be brought back" ctl recover $one
run ctl run --probe $one -- sh -c 'exit 3'
check_no_match "a probe that answers is not worth a word" . "$output"

# A stall needs less than that.
sim set 1 stall-at=2
run ctl recover $one
check_equal "a halted pipe" 0 "$status"
check_no_match "takes no reset" 'reset' "$output"

# What takes root is another program's. It looks for itself, whoever calls.
spawn admin "$TOP_BUILDDIR/stlinkd-admin"
admin_pid=$spawned
admin() { # METHOD PORT NODE
        busctl --system call io.github.stlinkd1.Admin /io/github/stlinkd1/admin \
                io.github.stlinkd1.Admin "$1" 'ssa{sv}' "$2" "$3" 0
}
check_soon "stlinkd-admin is on the bus" 10 busctl --system introspect io.github.stlinkd1.Admin /io/github/stlinkd1/admin
node=$(field $two node)
run admin Reauthorize 1-2 "$(field $one node)"
check_match "it touches no other probe than the one that is meant" 'Another device' "$output"
run admin Reauthorize 1-0:1.0 "$node"
check_match "and nothing but ST-LINKs" 'no ST-LINK' "$output"
spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $two -- sleep 300
check_soon "somebody has it" 10 is $two leased
run admin Reauthorize 1-2 "$node"
check_match "nor one that is leased to somebody else" 'is leased to' "$output"
kill "$spawned"
check_soon "free again" 10 is $two free
exec 9<>"$node"
run admin Reauthorize 1-2 "$node" 9>&- # so that only we have it
check_match "nor one that somebody has open" "pid $$" "$output"
exec 9>&-
check_soon "free again" 20 is $two free

# Stuck until somebody pulls the plug.
sim set 2 state=wedged-until-replug
check_equal "nobody knows yet" none "$(wedge $two)"
spawn other "$TOP_BUILDDIR/stlinkctl" recover $two
check_soon "while somebody tries, it is leased" 10 is $two leased
check_soon "and marked" 30 eval "[ \"\$(wedge $two)\" = silent ]"
check "status answers meanwhile" timeout 5 "$TOP_BUILDDIR/stlinkctl" status
wait "$spawned"
check_equal "the ladder ends in vain" 7 $?
check_match "and says what is left to do" 'Unplug it from port 1-2 and plug it in again' "$(cat "$scratch/other.log")"
check_match "no other step helped" 'reset its USB port +no answer' "$(cat "$scratch/other.log")"
check_match "nor those that take root" 'set it up anew +no answer' "$(cat "$scratch/other.log")"
check_match "as far as they are possible" 'off and on +not possible: the kernel has no switch' "$(cat "$scratch/other.log")"
check_equal "others are told" needs-replug "$(wedge $two)"
check_match "by run" 'nothing but a re-plug helps' "$(ctl run --probe $two -- true 2>&1)"
check_match "and by the daemon" 'does not answer, whatever was tried' "$(cat "$scratch/daemon.log")"
run ctl recover --json $two
check_equal "as JSON" 7 "$status"
check_match "with each step" '"step": *"reset"' "$output"
check_match "and the end" '"outcome": *"needs-replug"' "$output"
re_plug 2 $two
check_equal "and unmarked" none "$(wedge $two)"

# Not when somebody works with it.
spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $one -- sleep 300
check_soon "somebody has it" 10 is $one leased
run ctl recover --wait=0 $one
check_equal "then it is left alone" 4 "$status"
kill "$spawned"
check_soon "free again" 10 is $one free
exec 9<>"$(field $one node)"
check_soon "somebody has it open without a lease" 10 is $one in-use
sim set 1 state=wedged
run ctl recover $one 9>&-
check_equal "then nothing is forced either" 4 "$status"
check_match "and he is named" "open in .* \(pid $$\)" "$output"
exec 9>&-
check_soon "gone" 20 eval "! is $one in-use"
run ctl recover $one
check_equal "then it is" 0 "$status"

# One's own lease will do.
number=$(ctl lock $one --pid=$$)
spawn member openocd -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f1x.cfg \
        -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init
check_soon "a program of the owner's works" 20 grep -q 'STLINK V2' "$scratch/member.log"
run ctl recover $one
check_equal "nobody tears the probe from it" 4 "$status"
check_match "it is named" "is used by openocd \(pid $spawned\)" "$output"
check "and goes on" kill "$spawned"
wait "$spawned" 2>/dev/null
sim set 1 state=wedged
run ctl recover $one
check_equal "under a lease of one's own" 0 "$status"
check "which stays" ctl unlock "$number"

# A fault at every transfer.
transfers=$(counter 1 transfers)
ctl recover $one >/dev/null
transfers=$(($(counter 1 transfers) - transfers))
check_match "there are transfers to fail" '^[1-9]' "$transfers"
for fault in unplug-at stall-at wedge-at pulled-out-while-wedged; do
        for ((k = 1; k <= transfers + 1; k++)); do
                case $fault in
                pulled*) sim set 1 state=wedged && sim set 1 unplug-at=$k ;;
                *) sim set 1 $fault=$k ;;
                esac
                run timeout -s KILL 60 "$TOP_BUILDDIR/stlinkctl" recover $one
                case $status in
                0 | 3 | 7) ;;
                *) fail "$fault=$k ends in a clear word" "status $status: $output" ;;
                esac
                wait_until 30 no_worker || fail "$fault=$k leaves no worker"
                is $one gone || sim unplug 1
                wait_until 20 is $one gone || fail "$fault=$k: unplugged" "$(ctl status $one)"
                for setting in unplug-at=0 stall-at=0 wedge-at=0 state=ok; do sim set 1 $setting; done
                sim plug 1
                wait_until 30 is $one free || fail "$fault=$k: usable afterwards" "$(ctl status $one)"
        done
        ok "$fault at each of $transfers transfers ends in a clear word, and the probe is usable"
done
kill "$admin_pid" 2>/dev/null # or it has gone, since nobody called
wait "$admin_pid"
check_equal "stlinkd-admin ends in good order" 0 $?
stop_daemon
finish
