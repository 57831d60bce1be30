#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A probe is sent into its boot loader and out of it, stays the same probe meanwhile, and keeps its
# lease; a firmware update has the probe to itself, and nobody sends a byte in between.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need python3
enter_world v2-1:serial=066DFF000000000000000001,reenumerate=300ms v2:serial=066DFF000000000000000002 \
        v2:serial=066DFF000000000000000003,mode=debug,firmware=V2J20S4 v3-loader:serial=066DFF000000000000000004
# shellcheck disable=SC2119 # the defaults will do
start_daemon
one=066DFF000000000000000001 two=066DFF000000000000000002 three=066DFF000000000000000003
check_soon "the probes are read" 30 eval "! ctl list --no-legend | grep -q identifying"
updater=$TOP_SRCDIR/tests/updater.py

property() { # NAME
        busctl --system get-property io.github.stlinkd1 "$(busctl --system tree --list io.github.stlinkd1 |
                grep "/probe/.*$one")" io.github.stlinkd1.Probe "$1" | cut -d ' ' -f 2
}
mode_is() { # PROBE MODE
        [ "$(ctl mode "$1")" = "$2" ]
}

# --- there and back ---
check_equal "its mode" mass "$(ctl mode $one)"
check_equal "its product" 14155 "$(property ProductId)" # 374b
node=$(field $one node)
run ctl mode $one loader
check_equal "it goes into its boot loader" 0 "$status"
check_match "which is said" 'Switching, expected back within [0-9]+ s' "$output"
check_soon "it is the same probe, in its boot loader" 20 mode_is $one loader
check_equal "as another product" 14152 "$(property ProductId)" # 3748
check_fails "on another node" test "$(field $one node)" = "$node"
check "once more is fine" ctl mode $one loader
run ctl connect $one
check_match "nobody throws it out of there unasked" 'has just entered its boot loader' "$output"
check "asked, it leaves" ctl mode $one idle
check_soon "and idles" 20 mode_is $one mass
check_equal "as what it was" 14155 "$(property ProductId)"
check_equal "nothing is awaited" 0 "$(property ReturnBy)"

check_soon "a V2 rests in its boot loader" 20 mode_is $two loader
# That of a V3 knows only that it is one.
run ctl firmware 066DFF000000000000000004
check_match "where its firmware is not told" 'is in its boot loader' "$output"
check "it leaves on demand" ctl mode $two idle
check_match "and idles" '"mode": "mass"' "$(ctl connect --json $two)"
run ctl mode $two loader
check_equal "there is no way back by command" 1 "$status"
check_match "which is explained" 'is in it after it was plugged in' "$output"
check "a probe left in SWD" ctl mode $three idle
check_equal "a word that is no mode" 2 "$(ctl mode $three sleep 2>/dev/null; echo $?)"

"$TOP_BUILDDIR/stlinkctl" run -p $one -- sleep 100 &
holder=$!
check_soon "somebody has it" 20 is $one leased
run ctl mode --wait=0 $one loader
check_equal "then nobody switches it" 4 "$status"
kill $holder
wait $holder 2>/dev/null
check_soon "it is free again" 20 is $one free

# --- away ---
sim set 1 reenumerate=4500ms
"$TOP_BUILDDIR/stlinkctl" mode $one loader 2>"$scratch/mode.err" &
switching=$!
check_soon "meanwhile it is switching" 20 is $one switching
check_match "expected back in time" 'switching, expected back in at most [1-5] s' "$(ctl status $one)"
check "it comes back" wait $switching
sim set 1 reenumerate=300ms
check "and out again" ctl mode $one idle
sim set 1 reenumerate=never
run ctl mode $one loader
check_equal "one that never comes back" 3 "$status"
sim set 1 reenumerate=300ms
sim plug 1
check_soon "plugged in anew it is well" 30 is $one free

# --- an update, with everybody else at the door ---
sim reset-counters 1
"$TOP_BUILDDIR/stlinkctl" run -p $one --for=firmware-update -- sh -c "/usr/bin/python3 $updater 6 0.3
        until [ -e $scratch/enough ]; do sleep 0.1; done" >"$scratch/update.log" 2>&1 &
update=$!
check_soon "the update is under way" 30 grep -q 'in the boot loader' "$scratch/update.log"
intruders=0 refused=0
until { [ $intruders -ge 2 ] && grep -q '^updated: ' "$scratch/update.log"; } || ! kill -0 $update; do
        intruders=$((intruders + 1))
        run ctl run -p $one -- true
        [ "$status" = 123 ] && refused=$((refused + 1))
        run ctl connect --wait=0 $one
        [ "$status" = 4 ] || [ "$status" = 3 ] || fail "connect is held off" "$status: $output"
        ctl status $one >/dev/null
done
touch "$scratch/enough"
check "the update ends well" wait $update
check_match "and says so" '^updated: ' "$(<"$scratch/update.log")"
check "others tried ($intruders times)" test $intruders -ge 2
check_equal "and were refused each time" $intruders $refused
check_no_match "the lease was never lost" 'lease is lost' "$(<"$scratch/update.log")"
check_soon "afterwards it is read" 30 is $one free
# F1, F5 and F7 of the daemon, once it is over
check_equal "nobody else sent anything meanwhile" $(($(sed -n 's/.*commands: //p' "$scratch/update.log") + 3)) \
        "$(counter 1 commands)"

# --- firmware ---
check_match "what is needed and met" '^openocd +V2J24 +yes' "$(ctl firmware $two)"
check_match "what is not" '^probe-rs +V2J26 +no' "$(ctl firmware $three)"
check_match "what nobody knows" '^cubeprogrammer +- +- +ST does not publish it' "$(ctl firmware $two)"
check_match "as JSON" '"met": true' "$(ctl firmware --json $one)"
stop_daemon
finish
