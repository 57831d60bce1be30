#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Folders below src/ are floors: a file includes only its own folder and lower floors. core/ and
# proto/ are pure, and each outside library is met in one folder only.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

cat >"$scratch/layers.awk" <<'EOF'
BEGIN {
        split("base:0 gate:1 core:1 usbfs:1 bus:2 udev:2 proto:2 daemon:3 share:3 sim:3 usb:3 " \
              "worker:4 ctl:4 admin:4", list, " ")
        for (i in list) {
                split(list[i], pair, ":")
                floor_of[pair[1]] = pair[2]
        }
        # Header prefix, and the folders that may include it.
        home["libusb"] = "src/usb/"
        home["libudev.h"] = "src/udev/"
        home["unicorn/"] = "src/sim/target/"
        home["fuse"] = "src/usbfs/"
        home["libsmartcols"] = "src/ctl/"
        home["bpf/"] = "src/gate/"
        home["sys/fanotify.h"] = "src/gate/"
        home["sys/acl.h"] = "src/admin/"
        home["check.h"] = "tests/"
        pure_base = "^base/(" pure_modules ")[.]h$"
        pure_system = "^(assert|ctype|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|" \
                      "stdlib|search|strings?|sys/types)\\.h$"
}
function bad(why) {
        printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0
}
function check_own(header, from,    to) {
        if (header !~ /^[a-z0-9-]+\//)
                return bad("write the folder too, as in \"core/lease.h\"")
        to = header
        sub(/\/.*/, "", to)
        if (!(to in floor_of))
                return bad("no such floor: " to)
        if (to != from && floor_of[to] >= floor_of[from])
                bad(from "/ may not reach up or across to " to "/")
        if (pure && to == "base" && header !~ pure_base)
                bad(from "/ is pure and may not use " header)
}
function check_system(header, from,    prefix) {
        for (prefix in home)
                if (index(header, prefix) == 1 && index(FILENAME, home[prefix]) != 1)
                        bad(prefix " belongs to " home[prefix])
        if (pure && header !~ pure_system)
                bad(from "/ is pure and may not include <" header ">")
}
FNR == 1 {
        split(FILENAME, part, "/")
        folder = part[2]
        pure = folder == "core" || folder == "proto"
        if (!(folder in floor_of))
                bad("no such floor: " folder)
}
/^[ \t]*#[ \t]*include/ {
        header = $0
        gsub(/^[^"<]*["<]|[">].*$/, "", header)
        if ($0 ~ /</)
                check_system(header, folder)
        else
                check_own(header, folder)
}
EOF

mapfile -t files < <(tree_files_like '^src/.*\.[ch]$')
violations=$(cd "$root" && awk -v pure_modules="$pure_base" -f "$scratch/layers.awk" "${files[@]}")
check_empty "includes of ${#files[@]} files in src/ only go down" "$violations"
finish
