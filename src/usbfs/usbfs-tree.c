/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "usbfs/usbfs-fuse.h"

/* Names and attributes. The kernel caches neither: nodes come and go at any time, and telling it
 * to forget one could wait for the very lookup that this thread has yet to answer. */

#define NAME_SIZE 16

UsbfsEntry *usbfs_tree_find(Usbfs *fs, fuse_ino_t ino) {
        LIST_FOREACH(&fs->entries, UsbfsEntry, entry, link)
                if (entry->inode == ino)
                        return entry;
        return NULL;
}

static UsbfsBus *find_bus(Usbfs *fs, fuse_ino_t ino) {
        LIST_FOREACH(&fs->buses, UsbfsBus, bus, link)
                if (bus->inode == ino)
                        return bus;
        return NULL;
}

int usbfs_tree_get_bus(Usbfs *fs, unsigned number, UsbfsBus **ret) {
        UsbfsBus *bus;

        LIST_FOREACH(&fs->buses, UsbfsBus, known, link)
                if (known->number == number) {
                        *ret = known;
                        return 0;
                }
        bus = calloc(1, sizeof(UsbfsBus));
        if (!bus)
                return -ENOMEM;
        bus->number = number;
        bus->inode = ++fs->last_inode;
        list_append(&fs->buses, &bus->link);
        *ret = bus;
        return 0;
}

UsbfsEntry *usbfs_entry_unref(UsbfsEntry *entry) {
        if (!entry || --entry->n_references > 0)
                return NULL;
        list_remove(&entry->link);
        usbfs_node_unref(entry->node);
        free(entry);
        return NULL;
}

static void fill_folder(const Usbfs *fs, fuse_ino_t ino, struct stat *st) {
        *st = (struct stat){
                .st_ino = ino,
                .st_mode = S_IFDIR | 0755,
                .st_nlink = 2,
                .st_uid = fs->uid,
                .st_gid = fs->gid,
                .st_mtim = fs->made,
                .st_ctim = fs->made,
                .st_atim = fs->made,
        };
}

static void fill_entry(const UsbfsEntry *entry, struct stat *st) {
        *st = (struct stat){
                .st_ino = entry->inode,
                .st_mode = S_IFREG | entry->mode,
                .st_nlink = entry->node->gone ? 0 : 1,
                .st_uid = entry->uid,
                .st_gid = entry->gid,
                .st_mtim = entry->changed,
                .st_ctim = entry->changed,
                .st_atim = entry->changed,
        };
}

static int fill_stat(Usbfs *fs, fuse_ino_t ino, struct stat *st) {
        const UsbfsEntry *entry = usbfs_tree_find(fs, ino);

        if (entry)
                fill_entry(entry, st);
        else if (ino == FUSE_ROOT_ID || find_bus(fs, ino))
                fill_folder(fs, ino, st);
        else
                return -ENOENT;
        return 0;
}

static fuse_ino_t lookup(Usbfs *fs, fuse_ino_t parent, const char *name) {
        char expected[NAME_SIZE];

        if (parent == FUSE_ROOT_ID) {
                LIST_FOREACH(&fs->buses, UsbfsBus, bus, link) {
                        snprintf(expected, sizeof(expected), "%03u", bus->number);
                        if (strcmp(name, expected) == 0)
                                return bus->inode;
                }
                return 0;
        }
        LIST_FOREACH(&fs->entries, UsbfsEntry, entry, link) {
                snprintf(expected, sizeof(expected), "%03u", entry->devnum);
                if (entry->bus->inode == parent && !entry->node->gone &&
                    strcmp(name, expected) == 0)
                        return entry->inode;
        }
        return 0;
}

void usbfs_tree_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
        Usbfs *fs = fuse_req_userdata(req);
        struct fuse_entry_param param = { .ino = lookup(fs, parent, name) };

        if (param.ino == 0 || fill_stat(fs, param.ino, &param.attr) < 0) {
                fuse_reply_err(req, ENOENT);
                return;
        }
        fuse_reply_entry(req, &param);
}

void usbfs_tree_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        struct stat st;

        (void) fi;
        if (fill_stat(fuse_req_userdata(req), ino, &st) < 0)
                fuse_reply_err(req, ENOENT);
        else
                fuse_reply_attr(req, &st, 0);
}

/* The kernel has checked who may (mount option default_permissions). Sizes and times are as
 * meaningless here as on a device node, and ignored. */
void usbfs_tree_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                        struct fuse_file_info *fi) {
        UsbfsEntry *entry = usbfs_tree_find(fuse_req_userdata(req), ino);
        struct stat st;

        (void) fi;
        if (!entry) {
                fuse_reply_err(req, EPERM);
                return;
        }
        if (to_set & FUSE_SET_ATTR_MODE)
                entry->mode = attr->st_mode & 07777;
        if (to_set & FUSE_SET_ATTR_UID)
                entry->uid = attr->st_uid;
        if (to_set & FUSE_SET_ATTR_GID)
                entry->gid = attr->st_gid;
        clock_gettime(CLOCK_REALTIME, &entry->changed);
        fill_entry(entry, &st);
        fuse_reply_attr(req, &st, 0);
}

typedef struct Listing {
        fuse_req_t req;
        char *buffer;
        size_t size, used;
        off_t offset; /* where the caller wants to go on */
        off_t next;   /* of the entry to be added */
} Listing;

static void listing_add(Listing *listing, const char *name, fuse_ino_t ino, mode_t type) {
        struct stat st = { .st_ino = ino, .st_mode = type };
        size_t n;

        if (listing->next++ < listing->offset)
                return;
        n = fuse_add_direntry(listing->req, listing->buffer + listing->used,
                              listing->size - listing->used, name, &st, listing->next);
        if (n <= listing->size - listing->used)
                listing->used += n;
        else
                listing->size = listing->used; /* full: nothing shorter may follow either */
}

static void list_root(Listing *listing, const Usbfs *fs) {
        char name[NAME_SIZE];

        LIST_FOREACH(&fs->buses, const UsbfsBus, bus, link) {
                snprintf(name, sizeof(name), "%03u", bus->number);
                listing_add(listing, name, bus->inode, S_IFDIR);
        }
}

static void list_bus(Listing *listing, const Usbfs *fs, const UsbfsBus *bus) {
        char name[NAME_SIZE];

        LIST_FOREACH(&fs->entries, const UsbfsEntry, entry, link) {
                if (entry->bus != bus || entry->node->gone)
                        continue;
                snprintf(name, sizeof(name), "%03u", entry->devnum);
                listing_add(listing, name, entry->inode, S_IFREG);
        }
}

void usbfs_tree_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                        struct fuse_file_info *fi) {
        Usbfs *fs = fuse_req_userdata(req);
        _cleanup_free_ char *buffer = malloc(size);
        Listing listing = { .req = req, .buffer = buffer, .size = size, .offset = offset };
        const UsbfsBus *bus = find_bus(fs, ino);

        (void) fi;
        if (!buffer || (!bus && ino != FUSE_ROOT_ID)) {
                fuse_reply_err(req, buffer ? ENOTDIR : ENOMEM);
                return;
        }
        listing_add(&listing, ".", ino, S_IFDIR);
        listing_add(&listing, "..", FUSE_ROOT_ID, S_IFDIR);
        if (bus)
                list_bus(&listing, fs, bus);
        else
                list_root(&listing, fs);
        fuse_reply_buf(req, buffer, listing.used);
}
