#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A client that keeps using the descriptor of a lease that it lost, on a real kernel, with the gate
# that binds and without it.
# deadline: 600
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

keeper=$scratch/keeper
cp "$TOP_BUILDDIR/tests/world/keeper" "$keeper"
chmod 755 "$scratch" "$keeper"
said() { # WHAT: what the client said of it
        sed -n "s/^$1: //p" "$scratch/$name.log"
}

at_exit rm -f /etc/stlinkd.conf.d/gate.conf
systemctl stop stlinkd
probes "v2-1:target=f411"
check_soon "the probe starts the daemon" 60 identified 1
object=$(busctl --list tree io.github.stlinkd1 | grep /probe/ | tail -n 1)
for gate in bpf poll; do
        name=keeper-$gate
        mkdir -p /etc/stlinkd.conf.d
        printf '[Daemon]\nGate=%s\n' $gate >/etc/stlinkd.conf.d/gate.conf
        systemctl restart stlinkd
        check_soon "$gate: the daemon is there" 60 identified 1
        check_equal "$gate: that is how uses are seen" "s \"$gate\"" \
                "$(busctl get-property io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager Gate)"
        spawn "$name" setpriv --reuid=labuser --regid=labuser --init-groups "$keeper" "$object" 15000000
        client=$spawned
        check_soon "$gate: a client has the debug interface claimed" 60 grep -q '^claimed' "$scratch/$name.log"
        run stlinkctl run --wait=120 -- st-info --probe
        check_equal "$gate: when its time is over the next one gets the probe" 0 "$status"
        check_match "$gate: and works with it" 'chipid: +0x0431' "$output"
        check_soon "$gate: the client woke with an error" 20 grep -qE '^woken: E' "$scratch/$name.log"
        run stlinkctl run -- bash -c 'for i in 1 2 3; do st-info --probe || exit; done'
        check_equal "$gate: it disturbs nobody" 0 "$status"
        check_equal "$gate: who works with it" 3 "$(grep -c 'chipid: *0x0431' <<<"$output")"
        kill -TERM "$client"
        wait "$client"
        check_match "$gate: it tried all the time" '^[1-9]' "$(said tried)"
        check_equal "$gate: it could not claim again" 0 "$(said claims)"
        check_equal "$gate: nor transfer" 0 "$(said transfers)"
        check_equal "$gate: nor detach" 0 "$(said detaches)"
        [ $gate != bpf ] || check_equal "$gate: nor reset the probe" 0 "$(said resets)"
done
rm /etc/stlinkd.conf.d/gate.conf
systemctl restart stlinkd # as it was
finish
