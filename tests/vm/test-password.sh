#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may with an administrator's password is asked for it at his terminal, by the real pkttyagent,
# polkitd and PAM: with the right one he gets the probe, with a wrong one a clear refusal.
# deadline: 300
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

# at_terminal NAME CMD: as visitor, at a terminal of his own; what is typed comes from NAME.in, what
# he sees is in NAME.log.
at_terminal() {
        mkfifo "$scratch/$1.in"
        spawn "$1" typed_from "$scratch/$1.in" as_user visitor script -qec "$2" /dev/null
}
typed_from() { # FIFO CMD...
        local fifo=$1
        shift
        "$@" <>"$fifo"
}
agents() {
        pgrep -x -c pkttyagent
}

# The agent throws away what was typed before it has switched the terminal's echo off.
is_silent() {
        stty -a -F "/dev/$(ps -o tty= -C pkttyagent | tr -d ' ')" | grep -q -- ' -echo '
}

chmod 755 "$scratch"
echo root:Zwiebelkuchen | chpasswd
probes "v2-1:target=f411"
check_soon "the probe is identified" 60 identified 1

# work_with NAME PASSWORD: take the probe with it, and work; $output and $status tell what came of it.
work_with() {
        at_terminal "$1" 'stlinkctl run -- sh -c "echo work is done"'
        check_soon "$1: he is asked for a password" 60 grep -q 'Password: *$' "$scratch/$1.log"
        check_soon "$1: which nobody will see" 60 is_silent
        printf '%s\n' "$2" >"$scratch/$1.in"
        run wait "$spawned"
        output=$(<"$scratch/$1.log")
}
work_with right Zwiebelkuchen
check_equal "with the right one he gets the probe" 0 "$status"
check_match "and his command runs" 'work is done' "$output"
check_match "he was told what for" 'io.github.stlinkd1.lease' "$output"
check_equal "the agent is gone" 0 "$(agents)"

systemctl restart polkit # which else remembers
work_with wrong Pflaumenkuchen
check_equal "with a wrong one he is refused" 124 "$status"
check_match "and told so" 'stlinkctl: .*polkit' "$output"
check_no_match "his command does not run" 'work is done' "$output"
check_equal "that agent is gone, too" 0 "$(agents)"

at_terminal away 'stlinkctl run -- true'
away=$spawned
check_soon "a third time he is asked" 60 grep -q 'Password: *$' "$scratch/away.log"
pkill -KILL -u visitor -x script
wait "$away"
check_soon "and his terminal goes: the agent, too" 30 eval '[ "$(agents)" = 0 ]'
check_soon "nothing is left of his request" 30 identified 1
finish
