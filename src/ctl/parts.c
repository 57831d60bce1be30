/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ids.h"
#include "ctl/client.h"
#include "ctl/parts.h"
#include "ctl/properties.h"

/* Mounts as we see them: our own mount namespace is the one that its user works in. */
#define MOUNTS     "/proc/self/mounts"
#define MOUNTS_MAX 16

static bool same(const char *a, const char *b) {
        return a && strcmp(a, b) == 0;
}

bool parts_is_beside(const HolderView *holder) {
        return holder->part && strcmp(holder->part, "debug") != 0;
}

const PartView *parts_find(const ProbeView *probe, const char *name) {
        for (size_t i = 0; i < probe->n_parts; i++)
                if (same(probe->parts[i].part, name) && probe->parts[i].device)
                        return &probe->parts[i];
        return NULL;
}

/* "/dev/sda" itself, or "/dev/sda1". */
static bool is_on(const char *source, const char *device) {
        size_t n = strlen(device);

        return strncmp(source, device, n) == 0 &&
               source[n + strspn(source + n, "0123456789")] == '\0';
}

char **parts_mounts(const PartView *part) {
        char **mounts = calloc(MOUNTS_MAX + 1, sizeof(char *));
        const struct mntent *mount;
        size_t n = 0;
        FILE *file;

        if (!mounts || !same(part->part, "msd") || !part->device)
                return mounts;
        file = setmntent(MOUNTS, "re");
        while (file && n < MOUNTS_MAX && (mount = getmntent(file)))
                if (is_on(mount->mnt_fsname, part->device) && (mounts[n] = strdup(mount->mnt_dir)))
                        n++;
        if (file)
                endmntent(file);
        return mounts;
}

static void describe_part(Row *row, const PartView *part) {
        _cleanup_(strings_freep) char **mounts = parts_mounts(part);

        row_set_string(row, "part", part->part);
        row_set_integer(row, "interface", part->interface);
        row_set_string(row, "device", part->device);
        row_set_string(row, "link", part->link);
        row_set_list(row, "mounts", mounts);
        if (mounts && mounts[0])
                row_set_text(row, "mounts", "mounted on %s", row_get_text(row, "mounts"));
}

void parts_describe(Row *row, const ProbeView *probe) {
        const PartView *tty = parts_find(probe, "vcp"), *disk = parts_find(probe, "msd");
        Rows *rows = row_set_rows(row, "parts");

        for (size_t i = 0; i < probe->n_parts; i++)
                describe_part(rows_add(rows), &probe->parts[i]);
        row_set_string(row, "tty", tty ? tty->device : NULL);
        row_set_string(row, "disk", disk ? disk->device : NULL);
}

int parts_parse(const char *text, unsigned *ret) {
        unsigned parts = PROBE_PART_DEBUG;

        while (*text) {
                size_t n = strcspn(text, ",");
                _cleanup_free_ char *name = strndup(text, n);
                unsigned part = name ? probe_part_from_string(name) : 0;

                if (!part)
                        return -EINVAL;
                parts |= part;
                text += n;
                text += *text == ',';
        }
        *ret = parts;
        return 0;
}

static ExitCode check_mounts(const PartView *part) {
        _cleanup_(strings_freep) char **mounts = parts_mounts(part);

        if (!mounts || !mounts[0])
                return EXIT_CODE_OK;
        client_say("The probe's disk %s is mounted on %s.", part->device, mounts[0]);
        client_say_more("Unmount it first:  udisksctl unmount -b %s", part->device);
        return EXIT_CODE_BUSY;
}

ExitCode parts_check(const ProbeView *probe, unsigned parts) {
        for (size_t i = 0; i < probe->n_holders; i++) {
                const HolderView *holder = &probe->holders[i];

                if (parts_is_beside(holder) && probe_part_from_string(holder->part) & parts)
                        client_say("%s (PID %u) of %s has the probe's %s open.",
                                   holder->command ? holder->command : "?", holder->pid,
                                   holder->user ? holder->user : "?",
                                   same(holder->part, "vcp") ? "serial port" : "disk");
        }
        for (size_t i = 0; i < probe->n_parts; i++)
                if (parts & PROBE_PART_MSD && check_mounts(&probe->parts[i]) != EXIT_CODE_OK)
                        return EXIT_CODE_BUSY;
        return EXIT_CODE_OK;
}
