/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gate/process.h"

/* A process and all its living descendants. pidfd is valid during the call only. It returns 1 for a
 * process that it had not had before, else 0. A negative errno ends the walk and is returned;
 * -ESRCH does not, the process is gone. */
typedef int (*FamilyVisitor)(int pidfd, void *userdata);

/* Visit each once, parents before their children. The walk is repeated until the visitor had all
 * that it finds, so that it misses nobody as long as a visited process's children need no visit;
 * but not for ever, whoever starts programs without end. Returns
 * 0 or a negative errno; -ESRCH when the process itself is gone. */
int family_walk(const Process *process, FamilyVisitor visit, void *userdata);
