#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Make configure from configure.ac.
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all
