#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# st-info and st-flash: probe, write, verify, read back, erase, reset.
# deadline: 200
# shellcheck source=proof.sh
. "$(dirname "$0")/proof.sh"
need st-info st-flash cmp

declare -A chipid=([f103]=0x0410 [f411]=0x0431) flash=([f103]=65536 [f411]=524288)

check_probe() {
        local spec=$1 chip=$2
        in_world "$spec" st-info --probe
        check_equal "$spec: st-info succeeds" 0 "$status"
        check_match "$spec: st-info finds it" 'Found 1 stlink programmers' "$output"
        check_match "$spec: st-info reads the chip id" "chipid: +${chipid[$chip]}" "$output"
        check_match "$spec: st-info reads the flash size" "flash: +${flash[$chip]} " "$output"
}

check_flash() {
        local spec=$1 chip=$2 bin back=$scratch/back.bin size
        bin=$(random_image)
        size=$(stat -c %s "$bin")
        rm -f "$back"
        in_world "$spec" bash -euc '
                st-flash --reset write "$1" 0x08000000
                st-flash read "$2" 0x08000000 "$3"' - "$bin" "$back" "$size"
        check_equal "$spec: st-flash writes" 0 "$status"
        check_match "$spec: st-flash verifies" 'Flash written and verified' "$output"
        check "$spec: what is read back is what was written" cmp "$bin" "$back"
        [ -s "$back" ] || printf '%s\n' "$output" | tail -n 20 | sed 's/^/      | /'
}

check_erase() {
        local spec=$1 bin back=$scratch/erased.bin
        bin=$(random_image)
        rm -f "$back"
        in_world "$spec" bash -euc '
                st-flash write "$1" 0x08000000
                st-flash erase
                st-flash read "$2" 0x08000000 4096
                st-flash reset' - "$bin" "$back"
        check_equal "$spec: st-flash erases and resets" 0 "$status"
        check_equal "$spec: erased flash is all ones" "" "$(tr -d '\377' <"$back" | head -c 1)"
}

# 20 KiB that no loader can guess, with a vector table that a core can start from; the same each time,
# for the core executes them.
random_image() {
        local bin=$scratch/random.bin
        [ -s "$bin" ] || {
                printf '\0\040\0\040\101\0\0\010'
                python3 -c 'import random, sys
random.seed(1)
sys.stdout.buffer.write(random.randbytes(20 * 1024 - 8))'
        } >"$bin"
        echo "$bin"
}

for spec in v2 v2-1 v3; do
        for chip in f103 f411; do
                check_probe "$spec:target=$chip" "$chip"
                check_flash "$spec:target=$chip" "$chip"
        done
        check_erase "$spec:target=f103"
done
finish
