/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Print the help or the version on stdout; returns the exit code. */
int help_print(void);
int help_print_version(void);
