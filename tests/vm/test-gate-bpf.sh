#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The gate's program in the kernel that it is for: what it sees, whom it refuses, and that an
# ordinary user with two capabilities can load it.
# deadline: 600
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

# Where an ordinary user reaches it
unit=$scratch/test-gate-bpf
restart=$scratch/test-gate-restart
cp "$TOP_BUILDDIR/tests/unit/test-gate-bpf" "$TOP_BUILDDIR/tests/unit/test-gate-restart" "$scratch"
chmod 755 "$scratch"

with_capabilities() { # CAPS CMD...
        local caps=$1
        shift
        setpriv --reuid=visitor --regid=visitor --clear-groups --inh-caps="-all,$caps" \
                --ambient-caps="-all,$caps" --bounding-set="-all,$caps" -- "$@"
}

check_equal "the program was built in" yes "$(grep -q 'define HAVE_BPF 1' "$TOP_BUILDDIR/config.h" && echo yes)"
export TEST_GATE_BPF=must
run "$unit"
check_match "as root: everything holds" '^100%: Checks: [0-9]+, Failures: 0, Errors: 0' "$output"
check_equal "and the program succeeds" 0 "$status"
run "$restart"
check_match "what the next one takes over holds, too" '^100%: Checks: [0-9]+, Failures: 0, Errors: 0' "$output"
export CK_RUN_CASE=essence
run with_capabilities +bpf,+perfmon "$unit"
check_match "as a user with CAP_BPF and CAP_PERFMON: what it is for" \
        '^100%: Checks: [0-9]+, Failures: 0, Errors: 0' "$output"
unset TEST_GATE_BPF
for one in bpf perfmon; do
        run with_capabilities +$one "$unit"
        check_equal "with CAP_${one^^} alone there is no such gate" 77 "$status"
        check_match "and the reason is told" 'Operation not permitted' "$output"
done
finish
