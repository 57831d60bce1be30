/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/pidfd.h>

#include "base/fd.h"
#include "gate/family.h"

/* Two do, unless programs start while we look. */
#define PASSES_MAX 8

typedef struct Kin {
        pid_t pid, parent;
        Usec start;
} Kin;

typedef struct KinList {
        Kin *items;
        size_t n, allocated;
} KinList;

static void kin_list_done(KinList *list) {
        free(list->items);
}

static int kin_list_add(KinList *list, Kin kin) {
        if (list->n == list->allocated) {
                size_t wanted = MAX(list->allocated * 2, (size_t) 64);
                Kin *items = reallocarray(list->items, wanted, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->allocated = wanted;
        }
        list->items[list->n++] = kin;
        return 0;
}

static const Kin *kin_list_find(const KinList *list, pid_t pid) {
        for (size_t i = 0; i < list->n; i++)
                if (list->items[i].pid == pid)
                        return &list->items[i];
        return NULL;
}

/* A pid that was given to another process since is not the same kin. */
static bool kin_list_has(const KinList *list, const Kin *kin) {
        for (size_t i = 0; i < list->n; i++)
                if (list->items[i].pid == kin->pid && list->items[i].start == kin->start)
                        return true;
        return false;
}

static int read_everybody(KinList *ret) {
        _cleanup_(closedirp) DIR *proc = opendir("/proc");
        struct dirent *entry;

        if (!proc)
                return -errno;
        while ((entry = readdir(proc))) {
                Kin kin = { .pid = atoi(entry->d_name) };
                int r;

                if (kin.pid <= 0 || process_read_parent(kin.pid, &kin.parent, &kin.start) < 0)
                        continue;
                r = kin_list_add(ret, kin);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Returns what the visitor does; -ESRCH when it is gone. */
static int visit_kin(const Kin *kin, FamilyVisitor visit, void *userdata) {
        _cleanup_close_ int pidfd = pidfd_open(kin->pid, 0);
        pid_t parent;
        Usec start;

        if (pidfd < 0)
                return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -ESRCH;
        /* What the pidfd is of may have the pid only since we looked. */
        if (process_read_parent(kin->pid, &parent, &start) < 0 || start != kin->start)
                return -ESRCH;
        return visit(pidfd, userdata);
}

/* Visit whose parents are in the family. Returns how many the visitor had not had before, or a
 * negative errno. */
static int visit_children(KinList *family, FamilyVisitor visit, void *userdata) {
        _cleanup_(kin_list_done) KinList everybody = {};
        size_t before;
        int r, n = 0;

        r = read_everybody(&everybody);
        if (r < 0)
                return r;
        do {
                before = family->n;
                for (size_t i = 0; i < everybody.n; i++) {
                        const Kin *kin = &everybody.items[i];
                        const Kin *parent = kin_list_find(&everybody, kin->parent);

                        if (!parent || !kin_list_has(family, parent) || kin_list_has(family, kin))
                                continue;
                        r = visit_kin(kin, visit, userdata);
                        if (r == -ESRCH || r == -ENOSPC) /* it belongs to too many already */
                                continue;
                        if (r > 0)
                                n++;
                        if (r >= 0)
                                r = kin_list_add(family, *kin);
                        if (r < 0)
                                return r;
                }
        } while (family->n != before);
        return n;
}

int family_walk(const Process *process, FamilyVisitor visit, void *userdata) {
        _cleanup_(kin_list_done) KinList family = {};
        int r;

        if (process->pidfd < 0)
                return -ESRCH;
        r = visit(process->pidfd, userdata);
        if (r < 0)
                return r;
        r = kin_list_add(&family, (Kin){ .pid = process->pid, .start = process->start });
        if (r < 0)
                return r;
        r = 1;
        for (unsigned i = 0; r > 0 && i < PASSES_MAX; i++)
                r = visit_children(&family, visit, userdata);
        return r < 0 ? r : 0;
}
