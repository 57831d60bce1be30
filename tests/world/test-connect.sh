#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# connect, reset, halt, resume, read and write: on a target that a debugger has left with a
# breakpoint, on targets that hide, and on each generation of probe.
# deadline: 400
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need openocd
flash=$TOP_SRCDIR/tests/proof/firmware/counter
enter_world v2:serial=066DFF000000000000000001,mode=mass,target=f411,flash="$flash-f411.bin" \
        v2-1:serial=066DFF000000000000000002,target=f103,flash="$flash-f103.bin" \
        v3:serial=066DFF000000000000000003,target=h743 v1:target=f103,flash="$flash-f103.bin"
# shellcheck disable=SC2119 # the defaults will do
start_daemon
one=066DFF000000000000000001 two=066DFF000000000000000002 three=066DFF000000000000000003
check_soon "the probes are read" 30 eval "! ctl list --no-legend | grep -q identifying"

# word PROBE ADDRESS: what stands there, as a bystander reads it
word() {
        ctl read -p "$1" "$2" 4 | od -An -tx4 | tr -d ' '
}

value() { # KEY: of the JSON in $output
        sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" <<<"$output"
}

# --- hotplug: OpenOCD set a breakpoint and left; nobody's business but its own ---
main=0x$(awk '$3 == "count" { print $1 }' "$flash-f411.symbols.txt")
check "OpenOCD sets a breakpoint and leaves the core running" \
        openocd -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f4x.cfg \
        -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
        -c init -c halt -c "bp $main 2 hw" -c 'resume; exit'
units() { # breakpoint unit, DEMCR and core state, without the bits that reading clears
        ctl read -p $one 0xe0002000 40 | od -An -tx4
        ctl read -p $one 0xe0001000 96 | od -An -tx4
        printf '%s\n' "$((0x$(word $one 0xe000edf0) & 0x00ffffff))"
        word $one 0xe000edfc
}
check_soon "the core comes to the breakpoint" 20 eval '[ $((0x$(word $one 0xe000edf0) & 0x20000)) -ne 0 ]'
before=$(units)
check_match "a breakpoint is set" "$(printf '%x' $((main & ~3 | 1)))" "$before"
sim reset-counters 1
check "hotplug connects" ctl connect --mode=hotplug --json $one
check_equal "it says halted" halted "$(value core_state)"
check_equal "and that somebody debugs" true "$(value debugged)"
check_equal "no reset, no halt" "0 0" "$(counter 1 target_resets) $(counter 1 target_halts)"
check "again, from a probe left in SWD" ctl connect --mode=hotplug --leave=attached $one
check "once more" ctl connect --mode=hotplug $one
check_equal "no reset, no halt, still" "0 0" "$(counter 1 target_resets) $(counter 1 target_halts)"
check_equal "breakpoints, core and debug registers are as before" "$before" "$(units)"
# What it says, but for a word about the last command's end, which may be late.
said_by() {
        "$@" 2>&1 | grep -vE '^stlinkctl: (Waiting for probe|Got it after) '
}
check_equal "resume says that it will halt again" \
        "stlinkctl: Breakpoints are set (1); the core halts when it comes to one." \
        "$(said_by ctl resume $one)"
check_soon "which it does" 20 eval '[ $((0x$(word $one 0xe000edf0) & 0x20000)) -ne 0 ]'
check "the breakpoint can be taken out by hand" ctl write -p $one "$(printf '0x%x' $((0xe0002008)))" 0x00000000
for i in 0xe000200c 0xe0002010 0xe0002014 0xe0002018 0xe000201c 0xe0002020 0xe0002024; do
        ctl write -p $one $i 0x00000000
done
check_equal "and resume is quiet" "" "$(said_by ctl resume $one)"
check_equal "debugging is off then" 0 $((0x$(word $one 0xe000edf0) & 3))

# --- what is left behind ---
for probe in $one $two; do
        check "connect" ctl connect --json "$probe"
        check_equal "the core runs" running "$(value core_state)"
        check_equal "nobody debugs" false "$(value debugged)"
        check_equal "the flash is open" 0 "$(value rdp)"
        check "connect under reset" ctl connect --mode=under-reset --json "$probe"
        check_equal "by the wire" nrst "$(value reset)"
        check_equal "and it runs again" 0 $((0x$(word "$probe" 0xe000edf0) & 0x20003))
        check "and stays halted on demand" ctl connect --mode=under-reset --leave=halted "$probe"
        check_equal "at its first instruction" $((0x20001)) $((0x$(word "$probe" 0xe000edf0) & 0x20001))
        check_equal "without a vector catch" 00000000 "$(word "$probe" 0xe000edfc)"
        check "reset" ctl reset "$probe"
        check "halt" ctl halt "$probe"
        a=$(ctl read -p "$probe" 0x20000000 16 | od -An -tx4)
        check_equal "halted, memory stands still" "$a" "$(ctl read -p "$probe" 0x20000000 16 | od -An -tx4)"
        check "resume" ctl resume "$probe"
done
check "reset, without nRST" ctl reset 0000001
run ctl connect --mode=under-reset 0000001
check_equal "a V1 cannot hold a target in reset" 1 "$status"
check_match "and says so" 'cannot hold a target in reset' "$output"

# --- targets that hide ---
for condition in asleep remapped; do
        sim set 2 condition=$condition
        run ctl connect $two
        check_equal "$condition: no target" 8 "$status"
        check "$condition: under reset it is there" ctl connect --mode=under-reset --leave=halted $two
        sim set 2 condition=ok
        ctl reset $two
done
sim set 2 nrst=unwired
check "nRST ends nowhere" ctl connect --mode=under-reset --json $two
check_equal "which is told" system "$(value reset)"
check_match "reset tells it too" 'nRST does not reach the target' "$(ctl reset $two 2>&1)"
sim set 2 nrst=wired condition=unpowered
launch_power_up() {
        ctl connect --mode=power-up --json $two >"$scratch/power-up" 2>"$scratch/power-up.err"
}
launch_power_up &
waiting=$!
check_soon "it waits for power" 20 grep -q 'switch its power on' "$scratch/power-up.err"
sim set 2 condition=ok
check "and gets hold of the target then" wait $waiting
output=$(<"$scratch/power-up")
check_equal "which runs afterwards" running "$(value core_state)"
sim set 2 condition=unpowered
background power "$TOP_BUILDDIR/stlinkctl" connect --mode=power-up $two
wait_until 20 grep -q 'switch its power on' "$scratch/power.err"
kill -TERM "$job"
ended "$job"
check_equal "a signal ends the wait" 130 "$status"
sim set 2 condition=ok rdp=1
check "read-out protection is seen" ctl connect --json $two
check_equal "at level 1" 1 "$(value rdp)"
run ctl read -p $two 0x08000000 16
check_equal "flash cannot be read" 8 "$status"
check_match "and the address is named" 'At 0x08000000: .*read-out protected' "$output"
sim set 2 rdp=0

# --- memory ---
head -c 20011 /dev/urandom >"$scratch/data"
for probe in $one $three 0000001; do
        ctl halt "$probe"
        for at in 0x20000000 0x20000103; do
                ctl write -p "$probe" $at @"$scratch/data" || fail "write to $at of $probe"
                check "what was written to $at is read back" eval \
                        "ctl read -p $probe $at 20011 | cmp - '$scratch/data'"
        done
        ctl reset "$probe"
done
check "to a file" ctl read -p $one -o "$scratch/out" 0x08000000 1K
check "it is what the target's flash holds" cmp -n 200 "$scratch/out" "$flash-f411.bin"
ctl write -p $three 0x20000000 0x12345678 0xabcd 0xef 00112233
check_equal "numbers and bytes" "78 56 34 12 cd ab ef 00 11 22 33" \
        "$(ctl read -p $three 0x20000000 11 | od -An -tx1 | sed 's/^ *//')"
check_fails "there is no file in the way of a failed read" ctl read -p $one -o "$scratch/none" 0x70000000 4
check_fails "nothing was created" test -e "$scratch/none"
bad() { # exit code, message, words...
        local code=$1 message=$2
        shift 2
        run ctl "$@"
        check_equal "$*: exit code" "$code" "$status"
        check_match "$*: message" "$message" "$output"
}
bad 2 'memory ends at 0xffffffff' read -p $one 0xfffffffc 5
bad 2 "Not an address: 'x'" read -p $one x 5
bad 2 "Not a number of bytes: '0'" read -p $one 0x20000000 0
bad 2 'At most 256M' read -p $one 0x20000000 257M
bad 2 'is flash memory' write -p $one 0x08000000 00
bad 2 "Not data: '0x123456789'" write -p $one 0x20000000 0x123456789
bad 2 "Not data: 'abc'" write -p $one 0x20000000 abc
bad 2 'There is nothing to write' write -p $one 0x20000000 @/dev/null
bad 2 'Cannot read /nonexistent' write -p $one 0x20000000 @/nonexistent
bad 8 'At 0x70000000: the target refused' read -p $one 0x70000000 4
bad 8 'has no access port 7' connect $three --ap=7
bad 2 'touches nothing' connect --mode=hotplug --leave=halted $one
check "another access port" ctl connect --ap=2 $three
bad 8 '^stlinkctl: Access port 9: the target has no such' read -p $three --ap=9 0x20000000 4
bad 8 '^stlinkctl: Access port 9: the target has no such' connect --mode=power-up --ap=9 $three
check_no_match "which power would not cure" 'switch its power' "$output"
bad 1 'at 0x00000000 does not take a plain write' write -p $one 0 0x12345678
check "where there is memory at 0 it does" ctl write -p $three 0 0x12345678
check_equal "as is read" 12345678 "$(word $three 0)"

# Whatever answer gets lost on the way to a target under reset, it is let go of.
stuck=''
for ((at = 4; at <= 14; at++)); do
        sim set 1 stall-at=$at
        ctl connect --mode=under-reset $one >/dev/null 2>&1
        sim set 1 stall-at=0
        word $one 0xe000edf0 >/dev/null # S_RESET_ST is cleared by reading
        [ $((0x$(word $one 0xe000edf0) & 0x2000000)) -eq 0 ] || stuck+=" $at"
done
check_equal "no lost answer leaves the target in reset" "" "$stuck"

# The simulator's own: read-out protection that a program has set stays (RM0383 3.6.3).
for value in 0x08192a3b 0x4c5d6e7f; do ctl write -p $one 0x40023c08 $value; done
for value in 0x0fff55ec 0x0fff55ee; do ctl write -p $one 0x40023c14 $value; done
ctl reset $one
check_fails "protected, flash memory cannot be read" ctl read -p $one -o /dev/null 0x08000000 4
sim set 1 latency=0
check_fails "also after another setting" ctl read -p $one -o /dev/null 0x08000000 4
sim unplug 1
sim plug 1
check_soon "and a re-plug" 20 eval "ctl list --no-legend | grep $one | grep -q free"
check_fails "it cannot" ctl read -p $one -o /dev/null 0x08000000 4

sim unplug 4
sim unplug 3
stop_daemon
finish
