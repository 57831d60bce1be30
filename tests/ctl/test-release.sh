#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# stlinkctl release: what it asks of the daemon, and what it says when there is nothing to ask.
# deadline: 120
# shellcheck source=fake.sh
. "${0%/*}/fake.sh"
need dbus-daemon

me=$(id -u)
fake_start
probe a 066EFF303435554157102345 1-1.2 V2-1 V2J45M31

ctl release
check_equal "nobody has it: no failure" 0 "$status"
check_equal "and said" "Nobody holds probe 066EFF30." "$out"
for how in --ask --force --stale; do
        ctl release $how
        check_equal "nobody has it, $how" "0 Nobody holds probe 066EFF30." "$status $out"
done

# Another user's
tell 'set State leased' 'list Leases /io/github/stlinkd1/lease/4' \
        'lease 4' 'set Probe /io/github/stlinkd1/probe/a' 'set State held' 'set Form fd' \
        'set Reason nightly HIL run' 'set User bob' 'set Uid 4242' 'set Pid 300' 'set Command stlinkctl'
ctl release
check_equal "another user's is not given back" 4 "$status"
check_equal "whose it is, and what to do" \
        "stlinkctl: Probe 066EFF30 is leased to stlinkctl (PID 300) of bob, for: nightly HIL run.
Ask for it:  stlinkctl release 066EFF30 --ask" "$err"
check_fails "nothing was released" heard '^Release'
ctl release --ask --reason 'a release is due' 066E
check_equal "asking" 0 "$status"
check_equal "is said" "Asked bob, who holds probe 066EFF30 by stlinkctl (PID 300)." "$out"
check "and done" heard '^Ask /io/github/stlinkd1/lease/4 reason=a release is due$'
ctl release --stale
check_equal "a lease is nothing that was left behind" 4 "$status"

# By force: it is told when the lease is gone, and who has the probe then.
( wait_until 10 heard '^Revoke' && printf '%s\n' 'probe a' 'set State free' 'clear Leases' 'lease 4' removed >&7 ) &
ctl release --force --grace 20s --reason 'he is at lunch'
wait $!
check_equal "force" 0 "$status"
check "is asked for" heard '^Revoke /io/github/stlinkd1/lease/4 reason=he is at lunch grace=20000000$'
check_match "how long he has" 'stlinkctl \(PID 300\) of bob has 20 s to finish' "$err"
check_equal "what became of it" "Probe 066EFF30 is taken back; now it is free." "$out"

# One's own, from this or another shell
tell 'probe a' 'set State leased' 'list Leases /io/github/stlinkd1/lease/5 /io/github/stlinkd1/lease/6' \
        'lease 5' 'set Probe /io/github/stlinkd1/probe/a' 'set State held' 'set Form process' \
        'set User me' "set Uid $me" 'set Pid 300' 'set Command bash' \
        'lease 6' 'set Probe /io/github/stlinkd1/probe/a' 'set State waiting' 'set Form process' \
        'set User me' "set Uid $me" 'set Pid 301' 'set Command bash'
ctl release 1-1.2
check_equal "one's own is given back without a word" "0 " "$status $out$err"
check "that which is held" heard '^Release /io/github/stlinkd1/lease/5$'
check_fails "not the request that waits" heard '^Release /io/github/stlinkd1/lease/6$'
tell 'probe a' 'clear Leases' 'lease 5' removed 'lease 6' removed

# Programs without a lease
tell 'probe a' 'set State claimed' \
        'dict Holders Pid=4711 Uid=4242 User=alice Command=openocd Since=90 Started=100 Claimed=1 Orphaned=0 Clients=0'
ctl release --ask
check_equal "who has no lease cannot be asked" 4 "$status"
check_match "his program is named" 'is used by openocd \(PID 4711\) of alice, who holds no lease' "$err"
check_match "and how to end it" "kill 4711" "$err"
ctl release --stale
check_equal "what is not left behind is not ended" 4 "$status"
check_match "and said" 'Nothing was left behind' "$err"
check_fails "nothing was ended" heard '^EndHolder'
tell 'clear Holders' \
        'dict Holders Pid=4710 Uid=4242 User=alice Command=minicom Since=90 Started=100 Orphaned=1 Part=vcp Device=/dev/ttyACM0' \
        'dict Holders Pid=4711 Uid=4242 User=alice Command=openocd Since=90 Started=100 Claimed=1 Orphaned=1 Part=debug' \
        'dict Holders Pid=4712 Uid=4242 User=alice Command=gdb Since=90 Started=100 Claimed=0 Orphaned=0 Part=debug'
ctl release
check_match "left behind: the next step" 'release 066EFF30 --stale' "$err"
ctl release --stale
check_equal "what was left behind" "0 Ended openocd (PID 4711) of alice, which was left behind with probe 066EFF30." \
        "$status $out"
check "is named by its start, too" heard '^EndHolder 4711 with its start$'
check_fails "and nothing else is ended" heard '^EndHolder 471[02]'

# What the daemon refuses
tell 'fail EndHolder io.github.stlinkd1.Error.NoSuchHolder It has just ended.'
ctl release --stale
check_equal "gone meanwhile" "1 stlinkctl: It has just ended." "$status $err"

# Usage
for wrong in '--ask --force' '--stale --ask' '--grace=3s' '--ask --grace=3s' '--reason=x' '--stale --reason=x' \
        '--force --grace=never' '1-1.2 1-1.3'; do
        # shellcheck disable=SC2086 # several words
        ctl release $wrong
        check_equal "usage: $wrong" 2 "$status"
done
fake_stop
finish
