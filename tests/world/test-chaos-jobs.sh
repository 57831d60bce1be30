#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Twenty jobs of three users on three probes, all at once, as a CI machine has them: each writes the
# flash and verifies it. Nobody is told that a probe is busy, everybody has his turn in the order of
# his coming and ends with the right status, also beside jobs that end badly; and all that again
# while the daemon is killed at any moment.
# deadline: 400
# shellcheck source=chaos.sh
. "$(dirname "$0")/chaos.sh"
need setpriv st-flash
probes=(066DFF000000000000000001 066DFF000000000000000002 066DFF000000000000000003)
enter_world "v2-1:serial=${probes[0]},target=f103" "v2-1:serial=${probes[1]},target=f103" \
        "v2-1:serial=${probes[2]},target=f103"
users=(daemon bin games) # any that are in /etc/passwd
n_jobs=20
seed=${CHAOS_SEED:-$$}
RANDOM=$seed
printf 'seed %s (CHAOS_SEED sets it)\n' "$seed"
# All three are members of one group; the world has its own mounts.
sed 's/^daemon:.*/daemon:x:1:bin,games/' /etc/group >"$scratch/group"
check "users of a group" mount --bind "$scratch/group" /etc/group
start_daemon '[Access]' 'Group=daemon'
for probe in "${probes[@]}"; do check_soon "the probes are identified" 60 is "$probe" free; done
chmod 755 "$scratch"
mkdir -m 777 "$scratch/jobs"

# What a job does. It says when it begins and ends to all who use that probe.
cat >"$scratch/job" <<'END'
number=$1 probe=$2 dir=$3
echo "begin $number" >>"$dir/log.$probe"
head -c 2048 /dev/urandom >"$dir/image.$number"
st-flash --serial "$probe" write "$dir/image.$number" 0x8000000 >"$dir/flash.$number" 2>&1 &&
        st-flash --serial "$probe" read "$dir/read.$number" 0x8000000 2048 >>"$dir/flash.$number" 2>&1 &&
        cmp "$dir/image.$number" "$dir/read.$number"
status=$?
echo "end $number" >>"$dir/log.$probe"
exit $status
END

run_as() { # UID OPTION... -- CMD...
        local uid=$1
        shift
        # The capability stands for the rule that gives people probes; the world has no udev.
        exec setpriv --reuid="$uid" --regid=daemon --clear-groups --inh-caps=+dac_override \
                --ambient-caps=+dac_override "$TOP_BUILDDIR/stlinkctl" run "$@"
}
start_job() { # NUMBER OPTION... -- CMD...: on the probe and by the user whose turn it is
        local number=$1
        shift
        spawn "job-$number" run_as "${users[number % 3]}" --probe "${probes[number / 3 % 3]}" \
                --reason "job $number" "$@"
        pids[number]=$spawned
}
# Whose requests the daemon knows of a probe, in the order of their coming.
queue_of() { # PROBE
        ctl leases --json | awk -v probe="\"$1\"" '
                $1 == "\"lease\":" { gsub(/[^0-9]/, "", $2); lease = $2 }
                $1 == "\"id\":" { mine = index($2, probe) > 0 }
                mine && /"reason": *"job / { gsub(/[^0-9]/, ""); print lease, $0 }' | sort -n | cut -d ' ' -f 2
}
queued() { # N
        [ "$(for probe in "${probes[@]}"; do queue_of "$probe"; done | wc -l)" -eq "$1" ]
}
# begin_round: hold all probes, queue the jobs, remember their order, let go.
begin_round() {
        local i
        rm -f "$scratch"/jobs/*
        pids=() holders=()
        for i in 0 1 2; do
                spawn "holder-$i" "$TOP_BUILDDIR/stlinkctl" run --wait --probe "${probes[i]}" -- sleep 300
                holders[i]=$spawned
                wait_until 60 is "${probes[i]}" leased
        done
        for ((i = 0; i < n_jobs; i++)); do
                start_job $i --wait -- bash "$scratch/job" $i "${probes[i / 3 % 3]}" "$scratch/jobs"
        done
}
let_go() {
        wait_until 120 queued "$1" || fail "all jobs wait" "$(ctl leases)"
        for i in 0 1 2; do queue_of "${probes[i]}" >"$scratch/queue.$i"; done
        kill -TERM "${holders[@]}"
}
# end_round NAME: every job ran once, alone, in its turn, and well.
end_round() {
        local i status bad=0 lost=0 late=0
        for ((i = 0; i < n_jobs; i++)); do
                status=0
                wait "${pids[i]}" 2>/dev/null || status=$?
                [ $status -eq 0 ] || { bad=$((bad + 1)); printf 'job %s: status %s\n' $i $status
                        cat "$scratch/job-$i.log" "$scratch/jobs/flash.$i"; }
                lost=$((lost + $(grep -ciE 'busy|lost|stopped' "$scratch/job-$i.log")))
        done
        for i in 0 1 2; do
                # Between its begin and its end there is nobody else.
                awk '{ print $2 }' "$scratch/jobs/log.${probes[i]}" | uniq -c | awk '$1 != 2' | grep . &&
                        late=$((late + 1))
                diff "$scratch/queue.$i" <(awk '$1 == "begin" { print $2 }' "$scratch/jobs/log.${probes[i]}") ||
                        late=$((late + 1))
        done
        check_equal "$1: every job ended well" 0 $bad
        check_equal "$1: nobody was told that a probe is busy" 0 $lost
        check_equal "$1: each had his turn, alone, in the order of coming" 0 $late
        for i in 0 1 2; do
                wait_until 60 is "${probes[i]}" free || fail "$1: the probes are free" "$(ctl status)"
        done
}

# A good day, but for jobs that end badly: one killed, one that leaves somebody behind, one that
# would not wait that long.
begin_round
wait_until 120 queued $n_jobs || {
        fail "all jobs wait" "$(cat "$scratch/job-19.log"; ctl leases)"
        finish
}
start_job 30 --wait -- sh -c 'kill -KILL $$'
start_job 31 --wait=2s -- touch "$scratch/jobs/never"
wait "${pids[31]}"
check_equal "a wait ends at its deadline" 123 $?
check "and its command never ran" test ! -e "$scratch/jobs/never"
wait_until 60 queued $((n_jobs + 1))
start_job 32 --wait --until=tree -- sh -c "(sleep 2; echo 'end 32' >>$scratch/jobs/log.${probes[1]}) & echo 'begin 32' >>$scratch/jobs/log.${probes[1]}; exit 5"
wait_until 60 queued $((n_jobs + 2))
start_job 33 --wait -- sh -c "echo 'begin 33' >>$scratch/jobs/log.${probes[2]}; echo 'end 33' >>$scratch/jobs/log.${probes[2]}"
let_go $((n_jobs + 3))
sed -i '/^30$/d' "$scratch/queue.1" # it had no time to say that it began
wait "${pids[30]}"
check_equal "a job that is killed is told by its status" 137 $?
wait "${pids[32]}"
check_equal "one that leaves somebody behind by its own" 5 $?
check "one more" wait "${pids[33]}"
end_round "a good day"
order=$(grep -oE 'is leased to [^:]*: [^,]*, job [0-9]+' "$scratch/daemon.log" | grep -oE '[0-9]+$')
check_equal "the log tells of all of them" $((n_jobs + 3)) "$(wc -l <<<"$order")"
for i in 0 1 2; do
        check_equal "in their order" "$(paste -sd ' ' "$scratch/queue.$i")" \
                "$(grep -xF -f "$scratch/queue.$i" <<<"$order" | paste -sd ' ')"
done

# The probe of one is pulled out while it works, and others wait for it. (At some moments st-flash
# waits for a probe that is gone for ever; and then at some, it waits for itself when it is
# terminated, as its signal handler calls libusb.)
start_job 9 --wait -- sh -c "echo began; while timeout -s KILL 30 bash $scratch/job 9 ${probes[0]} $scratch/jobs; do :; done; echo tool failed; sleep 10; exit 9"
wait_until 60 grep -q began "$scratch/job-9.log"
start_job 10 --wait -- true
wait_until 60 grep -q place "$scratch/job-10.log"
sim unplug 1
wait "${pids[10]}"
check_equal "who waits for a probe that is pulled is told" 122 $?
check_match "and why" 'unplugged' "$(<"$scratch/job-10.log")"
wait "${pids[9]}"
check_equal "who works with it ends as he likes" 9 $?
check_match "once his tool has failed" 'tool failed' "$(<"$scratch/job-9.log")"
sim plug 1
check_soon "it comes back" 60 is "${probes[0]}" free

# Killed at any moment.
kills=$(scaled 6 "${TEST_SCALE-}") killed=0 round=0
while [ $killed -lt "$kills" ]; do
        round=$((round + 1))
        begin_round
        let_go $n_jobs
        while [ $killed -lt "$kills" ] && kill -0 "${pids[@]}" 2>/dev/null; do
                sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
                kill -KILL "$daemon_pid"
                wait "$daemon_pid" 2>/dev/null
                [ $((RANDOM % 2)) -eq 0 ] || sleep 0.$((RANDOM % 5))
                run_daemon
                killed=$((killed + 1))
        done
        end_round "round $round, after $killed kills"
done
check "so many times it was killed" test $killed -ge "$kills"
stop_daemon
finish
