#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# OpenOCD drives each probe and chip by both of its ST-LINK drivers: registers, memory,
# breakpoints, single steps, and flashing by the loader that it runs on the target.
# deadline: 400
# shellcheck source=proof.sh
. "$(dirname "$0")/proof.sh"
need openocd

declare -A config=([f103]=target/stm32f1x.cfg [f411]=target/stm32f4x.cfg)
declare -A cpuid=([f103]=411fc231 [f411]=410fc241)

# openocd_session SPEC CHIP INTERFACE: one session that uses all of it.
openocd_session() {
        local elf=$firmware/counter-$2.elf
        in_world "$1" openocd -f "interface/$3" -f "${config[$2]}" \
                -c init -c 'reset halt' -c reg \
                -c 'mdw 0xE000ED00' \
                -c 'mww 0x20000100 0xdeadbeef' -c 'mdw 0x20000100' \
                -c 'mwh 0x20000104 0x1234' -c 'mdh 0x20000104' \
                -c 'mwb 0x20000107 0xab' -c 'mdb 0x20000107' \
                -c "program $elf verify" \
                -c 'reset halt' \
                -c "bp 0x$(symbol "$2" count) 2 hw" -c resume -c 'wait_halt 5000' -c 'reg pc' \
                -c step -c 'reg pc' -c "rbp 0x$(symbol "$2" count)" \
                -c resume -c 'sleep 50' -c halt -c 'mdw 0x20000004' \
                -c 'reset run' -c shutdown
}

# symbol CHIP NAME: the address of a function, from the list that nm printed for the ELF file.
symbol() {
        awk -v name="$2" '$3 == name { print $1 }' "$firmware/counter-$1.symbols.txt"
}

check_session() {
        local spec=$1 chip=$2 interface=$3 name="${1%%:*} $2 ${3%.cfg}" count
        openocd_session "$spec" "$chip" "$interface"
        count=$(symbol "$chip" count)
        check_equal "$name: openocd succeeds" 0 "$status"
        check_match "$name: reads CPUID" "0xe000ed00: ${cpuid[$chip]}" "$output"
        check_match "$name: reads back a word" '0x20000100: deadbeef' "$output"
        check_match "$name: reads back a half-word" '0x20000104: 1234' "$output"
        check_match "$name: reads back a byte" '0x20000107: ab' "$output"
        check_match "$name: verifies what it programmed" 'Verified OK' "$output"
        check_match "$name: stops at the breakpoint" "pc \(/32\): 0x$count" "$output"
        check_match "$name: steps one instruction" \
                "pc \(/32\): 0x$(printf %08x $((0x$count + 2)))" "$output"
        check_no_match "$name: complains of nothing" '^Error' "$output"
        [ "$lib_failed" -eq "$failed_before" ] || printf '%s\n' "$output" | sed 's/^/      | /'
        failed_before=$lib_failed
}

failed_before=0
for spec in v2 v2-1 v3; do
        for chip in f103 f411; do
                for interface in stlink.cfg stlink-dap.cfg; do
                        check_session "$spec:target=$chip,flash=$firmware/counter-$chip.bin" "$chip" "$interface"
                done
        done
done

in_world v2:target=f103,absent openocd -f interface/stlink.cfg -f target/stm32f1x.cfg -c init
check_match "without a target openocd says so" 'unable to connect to the target' "$output"
check_equal "without a target openocd fails" 1 "$status"
finish
