#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every text file says its licence in its first lines; what cannot (binaries, recorded output,
# fuzz corpora) is covered by .reuse/dep5.
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

exempt='^(LICENSES/|\.reuse/|tests/fuzz/corpus/|tests/.*/(expected|golden|dumps)/)|\.(elf|bin|hex|json|txt)$'
violations=$(cd "$root" && tree_files | grep -vE "$exempt" | while read -r path; do
        grep -qI . "$path" || continue
        head -n 5 "$path" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' || echo "$path"
done)
check_empty "every file names its licence" "$violations"

# Only in a checkout: reuse asks git which files count.
if [ ! -e "$root/.git" ]; then
        ok "a tarball or a fixture: reuse has been asked in the checkout"
elif ! command -v reuse >/dev/null; then
        skip "reuse lint" "reuse is missing (./dev deps installs it)"
else
        check "reuse lint" env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory \
                GIT_CONFIG_VALUE_0='*' reuse --root "$root" lint
fi
finish
