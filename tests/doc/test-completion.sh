#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shell completions know every verb and option, and complete what they should.
# deadline: 60
# shellcheck source=../ctl/fake.sh
. "${0%/*}/../ctl/fake.sh"
need dbus-daemon
completions=$TOP_SRCDIR/doc/completions
PATH=$TOP_BUILDDIR:$PATH

help=$("$TOP_BUILDDIR/stlinkctl" --help)
for shell in bash/stlinkctl zsh/_stlinkctl fish/stlinkctl.fish; do
        text=$(<"$completions/$shell")
        for word in $(grep -oE -- '--[a-z][a-z-]+' <<<"$help" | sed 's/^--//' | sort -u) \
                $(sed -nE '/^See who/,/^Options:/s/^  ([a-z]+) .*/\1/p' <<<"$help"); do
                check_match "$shell knows $word" "\b$word\b" "$text"
        done
done
for shell in zsh fish; do
        file=("$completions/$shell"/*)
        if command -v $shell >/dev/null; then
                check "$shell reads its file" $shell -n "${file[0]}"
        else
                skip "$shell reads its file" "$shell is not installed"
        fi
done

fake_start
probe a 066EFF303435554157102345 1-1.2 V2-1 V2J45M31
probe b 37FF71064E57343620530843 1-1.10 V2 V2J37S7
# shellcheck source=/dev/null
. "$completions/bash/stlinkctl"

completed() { # WORD...: what the last of them may become
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _stlinkctl
        echo "${COMPREPLY[*]}"
}
check_equal "a verb" "status" "$(completed stlinkctl st)"
check_equal "verbs" "status list monitor run connect reset halt resume read write mode firmware selector alias unalias lock unlock delegate renew recover policy tty leases history doctor explain release" "$(completed stlinkctl '')"
check_equal "options of a verb" "--json --no-legend" \
        "$(completed stlinkctl list -- | sed 's/ --help//')"
check_equal "a probe" "37FF71064E57343620530843" "$(completed stlinkctl status 3)"
check_equal "probes" "066EFF303435554157102345 37FF71064E57343620530843" \
        "$(completed stlinkctl run -p '')"
check_equal "a probe behind =" "066EFF303435554157102345" "$(completed stlinkctl connect --probe = 06)"
check_equal "values" "tree main" "$(completed stlinkctl run --until '')"
check_match "a command" '\bstlinkctl\b' "$(completed stlinkctl run stlinkc)"
check_equal "nothing for a command's own arguments" "" "$(completed stlinkctl run ls --js)"
check_equal "nor behind --" "" "$(completed stlinkctl run -- ls --js)"
fake_stop
finish
