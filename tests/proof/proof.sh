# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the proofs share: tools that none of us wrote, unmodified, against a simulated probe.
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2034 # for the proofs
stlinksim=$TOP_BUILDDIR/stlinksim
# shellcheck disable=SC2034
firmware=$TOP_SRCDIR/tests/proof/firmware

# in_world SPEC CMD...: run CMD in a private world with one probe; $status and $output as run.
in_world() {
        local spec=$1
        shift
        run timeout 120 "$stlinksim" run -p "$spec" -- "$@"
}
