#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each message with a number is explained in the catalog, as journalctl understands it.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

need journalctl
header=$root/src/daemon/journal.h
catalog=$root/systemd/stlinkd.catalog
database=$scratch/var/lib/systemd/catalog/database

ids=$(sed -n 's/^#define MESSAGE_[A-Z_]* *"\([0-9a-f]*\)"$/\1/p' "$header" | sort)
check_match "there are numbers" '^[0-9a-f]{32}$' "$(head -n 1 <<<"$ids")"
check_equal "no number stands for two messages" "" "$(uniq -d <<<"$ids")"
check_equal "each is explained, and nothing else is" "$ids" "$(sed -n 's/^-- //p' "$catalog" | sort)"
mkdir -p "$scratch/usr/lib/systemd/catalog" "${database%/*}"
cp "$catalog" "$scratch/usr/lib/systemd/catalog/"
run journalctl --root="$scratch" --update-catalog
check_equal "journalctl takes it" "0 " "$status $output"
check_match "and has it all" "^$(wc -l <<<"$ids")\$" \
        "$(journalctl --root="$scratch" --list-catalog 2>/dev/null | wc -l)"
finish
