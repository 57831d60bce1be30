/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The folders of a private world; see enter.h. To be called in a mount namespace of one's own
 * that passes nothing on. */
int mounts_dev(void);
int mounts_run(void);
int mounts_sys(void);
