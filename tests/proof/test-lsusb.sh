#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# lsusb -v prints the descriptors of each simulated probe as it does those of a real one. The
# files in descriptors/ hold what matters of the dumps that OpenOCD collects in its
# doc/usb_adapters/stlink, condensed by the same script.
# deadline: 60
# shellcheck source=proof.sh
. "$(dirname "$0")/proof.sh"
need lsusb

descriptors=$TOP_SRCDIR/tests/proof/descriptors

check_descriptors() {
        local spec=$1 pid=$2
        in_world "$spec" lsusb -v -d "0483:$pid"
        check_equal "$spec: lsusb succeeds" 0 "$status"
        awk -f "$descriptors/condense.awk" <<<"$output" >"$scratch/got"
        check "$spec: the descriptors are those of a real $pid" \
                diff -u "$descriptors/$pid.txt" "$scratch/got"
}

check_descriptors v1 3744
check_descriptors v2 3748
check_descriptors v2-loader 3748
check_descriptors v2-1 374b
check_descriptors v2-1:pid=3752 3752
check_descriptors v2-1-loader 3748
check_descriptors v3 374e
check_descriptors v3:pid=374f 374f
check_descriptors v3:pid=3753 3753
check_descriptors v3-loader 374d
finish
