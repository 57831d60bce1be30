#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# GDB through OpenOCD on a small real firmware: load, break, continue, backtrace, finish.
# deadline: 200
# shellcheck source=proof.sh
. "$(dirname "$0")/proof.sh"
need openocd gdb-multiarch

declare -A config=([f103]=target/stm32f1x.cfg [f411]=target/stm32f4x.cfg)

gdb_session() {
        local spec=$1 chip=$2
        in_world "$spec" gdb-multiarch -nx -batch -ex 'set remotetimeout 30' \
                -ex "target extended-remote | openocd -f interface/stlink.cfg -f ${config[$chip]} \
                        -c 'gdb_port pipe; log_output $scratch/openocd.log'" \
                -ex 'monitor reset halt' -ex load -ex 'break main' -ex continue -ex backtrace \
                -ex 'break fibonacci' -ex continue -ex backtrace -ex 'print answer' -ex 'print n' \
                -ex 'delete' -ex finish -ex stepi -ex 'info registers pc' -ex kill \
                "$firmware/counter-$chip.elf"
}

for spec in v2 v2-1 v3; do
        for chip in f103 f411; do
                name="$spec $chip"
                gdb_session "$spec:target=$chip" "$chip"
                check_equal "$name: gdb succeeds" 0 "$status"
                check_match "$name: gdb loads the sections" 'Loading section .text' "$output"
                check_match "$name: stops in main" 'Breakpoint 1, .*main \(\)' "$output"
                check_match "$name: stops in fibonacci" 'Breakpoint 2, .*fibonacci \(n=' "$output"
                check_match "$name: the backtrace reaches main" '#[23] .* in (main|reset_handler) \(\)' "$output"
                check_match "$name: start-up code has run" '\$1 = 42' "$output"
                check_match "$name: finish returns a value" 'Value returned is' "$output"
        done
done
finish
