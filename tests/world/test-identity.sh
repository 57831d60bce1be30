#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which probe is which: what selector prints makes the real tools take that probe and no other,
# also where serials are raw bytes, shared or missing; names given by alias; what run tells its
# command.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need openocd st-info pyocd-tool
enter_world v2:serial=raw:57FF72064966534938431567,mode=mass,target=f103,port=1-1 \
        v2:serial=raw:49FF68066684565731361387,mode=mass,target=f103,port=1-2 \
        v2:serial=clone,mode=mass,target=f103,port=1-3 \
        v2:serial=clone,mode=mass,target=f103,port=1-4 \
        v2-1:serial=066DFF000000000000000005,target=f103,port=1-5 \
        v2:serial=none,mode=mass,target=f103,port=1-6
export HOME=$scratch/home XDG_CONFIG_HOME=''
mkdir "$HOME"
# shellcheck disable=SC2119 # the defaults will do
start_daemon
check_soon "the probes are read" 30 eval "! ctl list --no-legend | grep -q identifying"

# taken NAME PROBE CMD...: it enters SWD through that probe, and through no other
taken() {
        local name=$1 probe=$2 n others=''
        shift 2
        sim reset-counters
        run "$@"
        for n in 1 2 3 4 5 6; do
                if [ "$n" != "$probe" ] && [ "$(counter $n swd_entered_at)" != 0 ]; then others+=" $n"; fi
        done
        check "$name: it takes probe $probe" test "$(counter "$probe" swd_entered_at)" != 0
        check_equal "$name: and no other" "" "$others"
}

by() { # TOOL PROBE: what selector prints, as words
        mapfile -t words < <(ctl selector --for="$1" "$2" | xargs printf '%s\n')
}

for probe in 1 2 3 4 5 6; do
        by openocd 1-$probe
        taken "openocd, ${words[*]}" $probe openocd -f interface/stlink.cfg "${words[@]}" \
                -f target/stm32f1x.cfg -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
                -c init -c exit
done
for probe in 1 2 5; do
        by stlink 1-$probe
        taken "st-flash, ${words[*]}" $probe st-flash "${words[@]}" read "$scratch/out" 0x08000000 4
done
# Debian's pyOCD is older than --uid, and than the decoding of raw bytes; a probe without any
# serial makes it fail with all the others.
sim unplug 6
by pyocd 1-5
taken "pyocd-tool, -b ${words[1]}" 5 pyocd-tool -b "${words[1]}" status
check_equal "pyOCD is told raw bytes as digits" "--uid 57FF72064966534938431567" "$(ctl selector --for=pyocd 1-1)"
sim plug 6
check_soon "it is back" 20 is usb-1-6 free
for tool in stlink pyocd probe-rs cubeprogrammer; do
        run ctl selector --for=$tool 1-3
        check_equal "$tool cannot be told one of two clones" 1 "$status"
        check_match "and why" 'another probe has the same one' "$output"
        run ctl selector --for=$tool 1-6
        check_match "$tool cannot be told a probe without a serial" 'this probe has none' "$output"
done
check_equal "STM32CubeProgrammer" "-c port=SWD sn=57FF72064966534938431567" \
        "$(ctl selector --for=cubeprogrammer 1-1)"
check_equal "probe-rs" "--probe 0483:374b:066DFF000000000000000005" "$(ctl selector --for=probe-rs 1-5)"
check_equal "all of them" 5 "$(ctl selector --no-legend 1-1 | wc -l)"
check_match "as JSON" '"adapter serial 57FF72064966534938431567"' "$(ctl selector --json 1-1)"
run ctl selector --for=gdb 1-1
check_equal "a tool that is not known" 2 "$status"
run ctl selector --for=stlink
check_equal "several probes: none is picked" 3 "$status"
run ctl connect 000000000001
check_equal "two with one serial: none is picked" 3 "$status"
check_match "which is explained" 'fits 2 probes; name one of them' "$output"

# --- what run tells its command ---
check_equal "in the environment" \
        "57FF72064966534938431567 57FF72064966534938431567 1-1 $(field 57FF72064966534938431567 node) 0483:3748:57C3BF72064966534938431567" \
        "$(ctl run -p 1-1 -- sh -c 'echo $STLINKD_PROBE $STLINKD_SERIAL $STLINKD_PORT $STLINKD_NODE $PROBE_RS_PROBE')"
check_equal "on the command line, on request" "a 1-1 x57FF72064966534938431567y {} {other} --serial 57FF72064966534938431567" \
        "$(ctl run -p 1-1 --expand -- echo a '{usbpath}' 'x{serial}y' '{}' '{other}' '{stlink}')"
check_equal "and only then" "{usbpath}" "$(ctl run -p 1-1 -- echo '{usbpath}')"
taken "run --expand openocd" 2 ctl run -p 1-2 --expand -- openocd -f interface/stlink.cfg '{openocd}' \
        -f target/stm32f1x.cfg -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init -c exit
run ctl run -p 1-3 --expand -- st-flash '{stlink}' reset
check_equal "what cannot be told is not run" 120 "$status"
check_match "and said" 'stlink cannot be told to use this probe' "$output"
run ctl run -p 1-1 --expand -- echo '{tty}'
check_match "there is no tty" 'nothing to put in place of \{tty\}' "$output"

# --- names ---
check "a name by serial" ctl alias bench3 57FF7206
check "a name by port" ctl alias left-rack 1-3
check_equal "they are listed" "bench3    57FF72064966534938431567 57FF72064966534938431567
left-rack 1-3                      000000000001@1-3" "$(ctl alias --no-legend | sed 's/ *$//')"
taken "a name stands for a probe" 1 ctl connect bench3
taken "also for one of two clones" 3 ctl connect left-rack
check_equal "and for run" 1-3 "$(ctl run -p left-rack -- sh -c 'echo $STLINKD_PORT')"
sim unplug 1
check_soon "it goes" 20 is 57FF72064966534938431567 gone
run ctl connect bench3
check_equal "a probe that is not there: exit code" 3 "$status"
check_match "is said by name" "that 'bench3' stands for \(57FF72064966534938431567\) is not plugged in" "$output"
sim plug 1
check_soon "it comes back" 20 is 57FF72064966534938431567 free
run ctl alias clone 000000000001@1-4
check_equal "no name by a serial that others have" 1 "$status"
check_match "but by port" 'stlinkctl alias NAME 1-4' "$output"
run ctl alias 1-3 1-4
check_equal "no name that looks like a port" 2 "$status"
run ctl alias beef 1-4
check_equal "nor like a serial" 2 "$status"
check "a name is moved" ctl alias left-rack 1-4
taken "moved" 4 ctl connect left-rack
check "and forgotten" ctl unalias left-rack
run ctl unalias left-rack
check_match "once" "You have no alias 'left-rack'" "$output"
run ctl connect left-rack
check_match "it means nothing then" "No probe is called 'left-rack'" "$output"
printf '[Aliases]\nbench3 = 57FF72064966534938431567\nnonsense\n' >"$HOME/.config/stlinkd/aliases.conf"
run ctl connect bench3
check_match "a file that makes no sense is said" 'aliases.conf, line 3, is no alias' "$output"
stop_daemon
finish
