#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# pyOCD: list, halt, read, registers, and flashing, on V2 and V2-1. Debian's 0.13.1 refuses every
# V3 below J24, and there are no others: that it finds and refuses it is all there is to see. It
# also asks for the target voltage before it leaves the boot loader, where nothing answers that;
# so the V2 is one whose application was started by an earlier user.
# deadline: 300
# shellcheck source=proof.sh
. "$(dirname "$0")/proof.sh"
need pyocd-tool pyocd-flashtool cmp

bin=$firmware/counter-f103.bin
size=$(stat -c %s "$bin")
for spec in v2:mode=mass v2-1:mode=mass; do
        in_world "$spec,serial=066DFF504955857567012345,target=f103" pyocd-tool list
        check_match "${spec%%:*}: pyocd lists the probe" '066DFF504955857567012345' "$output"

        in_world "$spec,target=f103" bash -euc '
                pyocd-tool -t stm32f103rc halt
                pyocd-tool -t stm32f103rc -H read32 0xE000ED00
                pyocd-tool -t stm32f103rc -H reg pc
                pyocd-tool -t stm32f103rc status'
        check_equal "${spec%%:*}: pyocd succeeds" 0 "$status"
        check_match "${spec%%:*}: pyocd halts the core" 'Halted' "$output"
        check_match "${spec%%:*}: pyocd reads CPUID" '411fc231' "$output"
        check_match "${spec%%:*}: pyocd reads the program counter" 'pc.*0x' "$output"

        rm -f "$scratch/back.bin"
        in_world "$spec,target=f103" bash -euc '
                pyocd-flashtool -hp -t stm32f103rc -a 0x08000000 "$1" bin
                pyocd-tool -t stm32f103rc -H savemem 0x08000000 "$3" "$2"' - \
                "$bin" "$scratch/back.bin" "$size"
        check_equal "${spec%%:*}: pyocd flashes" 0 "$status"
        check "${spec%%:*}: what is read back is what was flashed" cmp "$bin" "$scratch/back.bin"
        [ -s "$scratch/back.bin" ] || printf '%s\n' "$output" | tail -n 20 | sed 's/^/      | /'
done

in_world v3:target=f103 pyocd-tool -t stm32f103rc status
check_match "v3: pyocd 0.13.1 refuses it for its version" 'version|firmware' "$output"
finish
