#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Build the ELF files beside this script (Debian: gcc-arm-none-eabi). They are checked in, so
# that tests need no cross compiler.
set -eu
cd "$(dirname "$0")"
build() { # NAME CORE RAM
  arm-none-eabi-gcc -mcpu="$2" -mthumb -std=gnu17 -O1 -g -Wall -Wextra -ffreestanding -nostdlib \
    -ffile-prefix-map="$PWD"=. -fno-optimize-sibling-calls -Wl,--defsym=RAM_SIZE="$3" \
    -Wl,--build-id=none -T counter.ld -o "counter-$1.elf" counter.c -lgcc
  arm-none-eabi-nm "counter-$1.elf" | sort >"counter-$1.symbols.txt"
  arm-none-eabi-objcopy -O binary "counter-$1.elf" "counter-$1.bin"
}
build f103 cortex-m3 20K
build f411 cortex-m4 128K
build g071 cortex-m0plus 36K
