#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The long forms, for ./dev soak: what make check does for a second, done for minutes, and all unit
# tests under valgrind. SOAK (default 30) multiplies the length of random runs.
# deadline: 14400
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need valgrind
scale=${SOAK:-30}
unit=$TOP_BUILDDIR/tests/unit
export CK_DEFAULT_TIMEOUT=7200

# long NAME PROGRAM [ARG...]: it succeeds, and says when it began and how long it took.
long() {
        local name=$1 started=$SECONDS
        shift
        printf 'begin %s\n' "$name"
        check "$name" "$@"
        printf '      %d s\n' $((SECONDS - started))
}

long "leases against their model" "$unit/test-lease-model" $((10000000 * scale))
long "probe states at random" "$unit/test-probe-model" $((300000 * scale))
long "the manager at random" "$unit/test-manager-random" $((20000 * scale)) "$RANDOM"
long "simulated probes at random" env SIM_SOAK_STEPS=$((20000 * scale)) SIM_SOAK_SEED=$RANDOM \
        "$unit/test-sim-soak"
long "the target at random" env TARGET_RANDOM_STEPS=$((20000 * scale)) "$unit/test-target-random"

# The random ones would take hours. The others left out use what valgrind 3.19 does not know
# (pidfd_open, bpf, usbfs ioctls, mount without a type); they run under ASan in ./dev check.
for program in "$unit"/test-*; do
        case ${program##*/} in
        *.* | *-random | *-model | *-soak | *-mutations) continue ;;
        test-family | test-gate* | test-process | test-revoke | test-udev | test-usbfs*) continue ;;
        test-manager-conflict | test-manager-delegate | test-manager-forms) continue ;;
        esac
        [ -x "$program" ] || continue
        long "valgrind: ${program##*/}" env CK_TIMEOUT_MULTIPLIER=30 TOP_SRCDIR="$TOP_SRCDIR" \
                TOP_BUILDDIR="$TOP_BUILDDIR" valgrind --quiet --error-exitcode=99 --leak-check=full \
                --errors-for-leak-kinds=definite --show-leak-kinds=definite "$program"
done
finish
