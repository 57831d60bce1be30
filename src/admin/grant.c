/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <acl/libacl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/policy.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/macro.h"

/* What was granted is written down, because udev and logind take every ACL off a node when they
 * give one to the seat's user. One file per node, one uid per line. */
#define RECORDS    "/run/stlinkd-admin"
#define RECORD_MAX (sizeof(RECORDS) + DEVICE_NODE_MAX + 8)
#define UIDS_MAX   64

static int cleanup_acl(acl_t *acl) {
        return *acl ? acl_free(*acl) : 0;
}
#define _cleanup_acl_ __attribute__((cleanup(cleanup_acl)))

/* "/dev/bus/usb/001/004" is kept in "001-004". */
static int record_path(const char *node, char path[static RECORD_MAX]) {
        unsigned bus, address;
        int n = 0;

        if (sscanf(node, "/dev/bus/usb/%3u/%3u%n", &bus, &address, &n) != 2 || node[n])
                return -EINVAL;
        (void) snprintf(path, RECORD_MAX, RECORDS "/%03u-%03u", bus, address);
        return 0;
}

static int record_write(const char *path, const uid_t *uids, size_t n) {
        char temporary[RECORD_MAX + 4];
        FILE *file;
        bool failed;

        if (n == 0)
                return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
        if (mkdir(RECORDS, 0700) < 0 && errno != EEXIST)
                return -errno;
        (void) snprintf(temporary, sizeof(temporary), "%s.new", path);
        file = fopen(temporary, "we");
        if (!file)
                return -errno;
        for (size_t i = 0; i < n; i++)
                (void) fprintf(file, "%u\n", (unsigned) uids[i]);
        failed = ferror(file);
        failed = fclose(file) != 0 || failed;
        if (failed)
                return -EIO;
        return rename(temporary, path) < 0 ? -errno : 0;
}

static size_t record_read(const char *path, uid_t uids[static UIDS_MAX]) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0, size;

        if (read_file_at(AT_FDCWD, path, 4096, &text, &size) < 0)
                return 0;
        for (char *end, *at = text; n < UIDS_MAX && *at; at = end) {
                uids[n] = (uid_t) strtoul(at, &end, 10);
                if (end == at)
                        break;
                n++;
                end += *end == '\n';
        }
        return n;
}

static int add_user(acl_t *acl, uid_t uid) {
        acl_entry_t entry;
        acl_permset_t permissions;

        if (acl_create_entry(acl, &entry) < 0 || acl_set_tag_type(entry, ACL_USER) < 0 ||
            acl_set_qualifier(entry, &uid) < 0 || acl_get_permset(entry, &permissions) < 0 ||
            acl_add_perm(permissions, ACL_READ) < 0 || acl_add_perm(permissions, ACL_WRITE) < 0 ||
            acl_set_permset(entry, permissions) < 0)
                return -errno;
        return 0;
}

int grant_apply(const AdminDevice *device) {
        _cleanup_acl_ acl_t acl = acl_from_mode(0600);
        char path[RECORD_MAX];
        uid_t uids[UIDS_MAX];
        size_t n = 0;
        int r = acl ? record_path(device->node, path) : -ENOMEM;

        if (r >= 0)
                n = record_read(path, uids);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = add_user(&acl, uids[i]);
        if (r >= 0 && n > 0 && acl_calc_mask(&acl) < 0)
                r = -errno;
        if (r >= 0 && acl_set_file(device->node, ACL_TYPE_ACCESS, acl) < 0)
                r = -errno;
        return r;
}

int grant_set(const AdminDevice *device, const uid_t *uids, size_t n) {
        char path[RECORD_MAX];
        int r = record_path(device->node, path);

        if (r >= 0 && n > UIDS_MAX)
                r = -E2BIG;
        if (r >= 0)
                r = record_write(path, uids, n);
        if (r >= 0 && policy_is_strict())
                r = grant_apply(device);
        return r;
}

int grant_forget(const char *node) {
        char path[RECORD_MAX];
        int r = record_path(node, path);

        return r < 0 ? r : record_write(path, NULL, 0);
}

int grant_drop(const AdminDevice *device) {
        int r = grant_forget(device->node);

        return r < 0 ? r : grant_apply(device);
}
