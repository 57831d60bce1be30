/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "core/serial.h"
#include "ctl/facts-internal.h"
#include "ctl/parts.h"
#include "gate/process.h"
#include "gate/scan.h"

static void set_name(char *name, const char *value) {
        (void) text_escape(value, strlen(value), name, FACTS_NAME_MAX);
}

void facts_user_name(uid_t uid, char *name) {
        const struct passwd *user = getpwuid(uid);

        if (user)
                set_name(name, user->pw_name);
        else
                (void) snprintf(name, FACTS_NAME_MAX, "%u", uid);
}

static void group_name(gid_t gid, char *name) {
        const struct group *group = getgrgid(gid);

        if (group)
                set_name(name, group->gr_name);
        else
                (void) snprintf(name, FACTS_NAME_MAX, "%u", gid);
}

static bool is_member(gid_t gid) {
        gid_t groups[NGROUPS_MAX];
        int n = getgroups(ELEMENTSOF(groups), groups);

        for (int i = 0; i < n; i++)
                if (groups[i] == gid)
                        return true;
        return getegid() == gid;
}

/* A POSIX ACL as an extended attribute (linux/posix_acl_xattr.h): a version, then entries of tag,
 * permissions and id. */
#define ACL_VERSION   2
#define ACL_ENTRY     8
#define ACL_TAG_USER  0x02
#define ACL_TAG_GROUP 0x08
#define ACL_RW        6

static void read_acl(const char *node, char *acl) {
        uint8_t data[4 + 64 * ACL_ENTRY];
        ssize_t n = getxattr(node, "system.posix_acl_access", data, sizeof(data));

        if (n < 4 || get_le32(data) != ACL_VERSION)
                return;
        for (const uint8_t *entry = data + 4; entry + ACL_ENTRY <= data + n; entry += ACL_ENTRY) {
                unsigned tag = get_le16(entry), permissions = get_le16(entry + 2);
                char name[FACTS_NAME_MAX];

                if ((permissions & ACL_RW) != ACL_RW ||
                    (tag != ACL_TAG_USER && tag != ACL_TAG_GROUP))
                        continue;
                if (tag == ACL_TAG_USER)
                        facts_user_name(get_le32(entry + 4), name);
                else
                        group_name(get_le32(entry + 4), name);
                (void) snprintf(acl, FACTS_NAME_MAX, "%s:%.56s",
                                tag == ACL_TAG_USER ? "user" : "group", name);
                return;
        }
}

static void read_node(ProbeFact *fact) {
        struct stat st;

        fact->access = faccessat(AT_FDCWD, fact->node, R_OK | W_OK, AT_EACCESS) < 0 ? -errno : 0;
        if (stat(fact->node, &st) < 0)
                return;
        fact->mode = st.st_mode & 07777;
        facts_user_name(st.st_uid, fact->owner);
        group_name(st.st_gid, fact->group);
        fact->in_group = is_member(st.st_gid);
        read_acl(fact->node, fact->acl);
}

static void read_link_name(const char *folder, const char *link, char *name) {
        char path[PATH_MAX], target[PATH_MAX];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "%s/%s", folder, link);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return;
        target[n] = '\0';
        set_name(name, basename(target));
}

/* The folder of the device that a USB bus belongs to has the host controller's driver. */
static void read_controller(const char *path, ProbeFact *fact) {
        char folder[PATH_MAX];
        const char *usb;

        (void) snprintf(folder, sizeof(folder), "%s", path);
        usb = strstr(folder, "/usb");
        while (usb && (usb[4] < '0' || usb[4] > '9'))
                usb = strstr(usb + 1, "/usb");
        if (!usb)
                return;
        folder[usb - folder] = '\0';
        fact->is_remote = strstr(folder, "/vhci_hcd") != NULL;
        read_link_name(folder, "driver", fact->controller);
}

static void read_sysfs(const UdevProbe *probe, ProbeFact *fact) {
        char path[PATH_MAX], line[32];

        (void) snprintf(path, sizeof(path), "%s/speed", probe->path);
        if (read_line_at(AT_FDCWD, path, line, sizeof(line)) > 0)
                fact->speed = (unsigned) strtoul(line, NULL, 10);
        for (const char *s = probe->port_path; *s; s++)
                fact->hubs += *s == '.';
        read_controller(probe->path, fact);
        if (probe->debug)
                read_link_name(probe->debug->path, "driver", fact->driver);
        for (size_t i = 0; i < probe->n_children; i++)
                fact->has_tty |= probe->children[i].part == PROBE_PART_VCP;
}

int facts_read_probe(const UdevProbe *probe, ProbeFact *fact) {
        char canonical[SERIAL_MAX];
        SerialKind kind = serial_canonicalize(probe->serial, canonical);

        *fact = (ProbeFact){
                .port = strdup(probe->port_path),
                .node = strdup(probe->node),
                .name = strdup(probe->product ? probe->product->name : "unknown ST-LINK"),
                .serial = strdup(canonical),
                .product_id = probe->product_id,
                .is_known = probe->product,
                .is_loader_product = probe->product && probe->product->loader,
                .is_shared_serial = kind == SERIAL_SHARED || kind == SERIAL_MISSING,
        };
        if (!fact->port || !fact->node || !fact->name || !fact->serial) {
                probe_fact_done(fact);
                return -ENOMEM;
        }
        read_node(fact);
        read_sysfs(probe, fact);
        return 0;
}

void probe_fact_done(ProbeFact *fact) {
        free(fact->port);
        free(fact->node);
        free(fact->name);
        free(fact->serial);
        *fact = (ProbeFact){};
}

/* --- holders ------------------------------------------------------------------------------ */

static HolderFact *add_holder(ProbeFact *fact, uint32_t pid) {
        HolderFact *holder;

        if (fact->n_holders == HOLDER_FACTS_MAX)
                return NULL;
        holder = &fact->holders[fact->n_holders++];
        *holder = (HolderFact){ .pid = pid };
        return holder;
}

static void take_over_holders(ProbeFact *fact) {
        for (size_t i = 0; i < fact->view->n_holders; i++) {
                const HolderView *view = &fact->view->holders[i];
                HolderFact *holder;

                if (parts_is_beside(view)) /* a terminal program is in nobody's way */
                        continue;
                holder = add_holder(fact, view->pid);
                if (!holder)
                        return;
                holder->claimed = view->claimed;
                set_name(holder->command, view->command ? view->command : "?");
                set_name(holder->user, view->user ? view->user : "?");
                holder->orphaned =
                        !view->parent_command && view->unit && !strstr(view->unit, ".service");
        }
}

static void look_at_holder(ProbeFact *fact, pid_t pid) {
        _cleanup_(process_freep) Process *process = NULL;
        HolderFact *holder;

        if (pid == getpid() || process_new(pid, &process) < 0)
                return;
        holder = add_holder(fact, (uint32_t) pid);
        if (!holder)
                return;
        set_name(holder->command, process->command);
        set_name(holder->user, process->user);
        holder->orphaned = !process->parent_command;
}

int facts_find_holders(Facts *facts) {
        _cleanup_free_ ScanTarget *targets = calloc(facts->n_probes + 1, sizeof(*targets));
        _cleanup_(scan_hits_clear) ScanHits hits = {};
        size_t n = 0;
        int r = 0;

        if (!targets)
                return -ENOMEM;
        for (size_t i = 0; i < facts->n_probes; i++) {
                ProbeFact *fact = &facts->probes[i];

                if (fact->view)
                        take_over_holders(fact);
                else if (node_key_read(AT_FDCWD, fact->node, &targets[n].key) >= 0)
                        targets[n++].owner = fact;
        }
        if (n == 0)
                return 0;
        scan_targets_sort(targets, n);
        r = scan_processes(targets, n, &hits);
        for (size_t i = 0; r >= 0 && i < hits.n; i++)
                look_at_holder(hits.items[i].owner, hits.items[i].pid);
        return r;
}
