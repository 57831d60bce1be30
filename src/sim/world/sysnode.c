/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "sim/world/sysnode.h"
#include "sim/world/tree.h"
#include "sim/world/uevent.h"

void sysnode_done(SysNode *node) {
        free(node->path);
        free(node->node);
        properties_done(&node->kernel);
        properties_done(&node->udev);
        properties_done(&node->links);
        *node = (SysNode){};
}

static const char *name_of(const SysNode *node) {
        return strrchr(node->path, '/') + 1;
}

/* Its name in /run/udev/data, by device number or by subsystem (udev's device_get_device_id). */
static void format_id(const SysNode *node, char *id, size_t size) {
        if (node->type)
                snprintf(id, size, "%c%u:%u", node->type, node->major, node->minor);
        else
                snprintf(id, size, "+%s:%s", node->subsystem, name_of(node));
}

static void write_uevent_file(int *r, const SysNode *node) {
        char text[1024] = "";
        size_t n = 0;

        if (node->type)
                n += (size_t) snprintf(text, sizeof(text), "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n",
                                       node->major, node->minor, node->node);
        if (node->devtype)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "DEVTYPE=%s\n", node->devtype);
        if (node->driver)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "DRIVER=%s\n", node->driver);
        for (const char *line = properties_next(&node->kernel, NULL); line && n < sizeof(text);
             line = properties_next(&node->kernel, line))
                n += (size_t) snprintf(text + n, sizeof(text) - n, "%s\n", line);
        if (n >= sizeof(text))
                *r = *r < 0 ? *r : -E2BIG;
        tree_print(r, node->path, "uevent", "%s", text);
}

static void class_link(const SysNode *node, char *path, size_t size) {
        snprintf(path, size, node->is_bus ? "/sys/bus/%s/devices/%s" : "/sys/class/%s/%s",
                 node->subsystem, name_of(node));
}

static void number_link(const SysNode *node, char *path, size_t size) {
        snprintf(path, size, "/sys/dev/%s/%u:%u", node->type == 'c' ? "char" : "block", node->major,
                 node->minor);
}

static void publish_links(int *r, const SysNode *node) {
        char folder[128], link[PATH_MAX];

        snprintf(folder, sizeof(folder), "/sys/%s/%s", node->is_bus ? "bus" : "class",
                 node->subsystem);
        snprintf(link, sizeof(link), "%s/subsystem", node->path);
        tree_link(r, folder, link);
        class_link(node, link, sizeof(link));
        tree_link(r, node->path, link);
        if (!node->type)
                return;
        number_link(node, link, sizeof(link));
        tree_link(r, node->path, link);
        tree_print(r, node->path, "dev", "%u:%u\n", node->major, node->minor);
}

/* The record of the device (udev's database, and an index by tag). */
static void publish_record(int *r, const SysNode *node) {
        _cleanup_free_ char *text = NULL;
        char id[128], folder[128];
        size_t size;
        FILE *out;

        if (*r < 0)
                return;
        out = open_memstream(&text, &size);
        if (!out) {
                *r = -ENOMEM;
                return;
        }
        format_id(node, id, sizeof(id));
        for (const char *line = properties_next(&node->links, NULL); line;
             line = properties_next(&node->links, line))
                fprintf(out, "S:%s\n", line + strlen("L="));
        fprintf(out, "I:%llu\n", (unsigned long long) now_usec(CLOCK_MONOTONIC));
        for (const char *line = properties_next(&node->udev, NULL); line;
             line = properties_next(&node->udev, line))
                fprintf(out, "E:%s\n", line);
        for (const char *const *tag = node->tags; tag && *tag; tag++) {
                fprintf(out, "G:%s\nQ:%s\n", *tag, *tag);
                snprintf(folder, sizeof(folder), "/run/udev/tags/%s", *tag);
                tree_print(r, folder, id, "%s", "");
        }
        fputs("V:1\n", out);
        if (fclose(out) != 0)
                *r = *r < 0 ? *r : -ENOMEM;
        else
                tree_print(r, "/run/udev/data", id, "%s", text);
}

/* /dev/bus/usb is served by FUSE, and by this very thread: it must not be touched here. */
static bool makes_its_node(const SysNode *node) {
        return node->node && strncmp(node->node, "bus/usb/", strlen("bus/usb/")) != 0;
}

static void publish_node(int *r, const SysNode *node) {
        char path[PATH_MAX], link[PATH_MAX];

        if (!makes_its_node(node))
                return;
        tree_print(r, "/dev", node->node, "%s", "");
        snprintf(path, sizeof(path), "/dev/%s", node->node);
        for (const char *line = properties_next(&node->links, NULL); line;
             line = properties_next(&node->links, line)) {
                snprintf(link, sizeof(link), "/dev/%s", line + strlen("L="));
                tree_link(r, path, link);
        }
}

int sysnode_publish(const SysNode *node) {
        int r = node->kernel.error < 0 ? node->kernel.error : node->udev.error;

        if (r == 0)
                r = node->links.error;
        write_uevent_file(&r, node);
        publish_node(&r, node);
        publish_record(&r, node);
        publish_links(&r, node);
        return r;
}

static void withdraw_record(const SysNode *node) {
        char id[128], path[PATH_MAX];

        format_id(node, id, sizeof(id));
        snprintf(path, sizeof(path), "/run/udev/data/%s", id);
        tree_remove(path);
        for (const char *const *tag = node->tags; tag && *tag; tag++) {
                snprintf(path, sizeof(path), "/run/udev/tags/%s/%s", *tag, id);
                tree_remove(path);
        }
}

void sysnode_withdraw(const SysNode *node) {
        char path[PATH_MAX];

        class_link(node, path, sizeof(path));
        tree_remove(path);
        if (node->type) {
                number_link(node, path, sizeof(path));
                tree_remove(path);
        }
        withdraw_record(node);
        if (makes_its_node(node)) {
                for (const char *line = properties_next(&node->links, NULL); line;
                     line = properties_next(&node->links, line)) {
                        snprintf(path, sizeof(path), "/dev/%s", line + strlen("L="));
                        tree_remove(path);
                }
                snprintf(path, sizeof(path), "/dev/%s", node->node);
                tree_remove(path);
        }
        tree_remove(node->path);
}

int sysnode_set_driver(SysNode *node, const char *driver) {
        char link[PATH_MAX], target[128];
        int r = 0;

        if (node->driver) {
                snprintf(link, sizeof(link), "/sys/bus/usb/drivers/%s/%s", node->driver,
                         name_of(node));
                tree_remove(link);
        }
        node->driver = driver;
        snprintf(link, sizeof(link), "%s/driver", node->path);
        tree_remove(link);
        if (driver) {
                snprintf(target, sizeof(target), "/sys/bus/usb/drivers/%s", driver);
                tree_link(&r, target, link);
                snprintf(link, sizeof(link), "%s/%s", target, name_of(node));
                tree_link(&r, node->path, link);
        }
        write_uevent_file(&r, node);
        return r;
}

static void add_links(Properties *message, const SysNode *node) {
        char links[1024] = "";
        size_t n = 0;

        for (const char *line = properties_next(&node->links, NULL); line && n < sizeof(links);
             line = properties_next(&node->links, line))
                n += (size_t) snprintf(links + n, sizeof(links) - n, "%s/dev/%s", n > 0 ? " " : "",
                                       line + strlen("L="));
        if (n > 0)
                properties_add(message, "DEVLINKS", "%s", links);
}

static void add_tags(Properties *message, const SysNode *node) {
        char tags[256] = ":";

        for (const char *const *tag = node->tags; tag && *tag; tag++) {
                strncat(tags, *tag, sizeof(tags) - strlen(tags) - 2);
                strcat(tags, ":");
        }
        if (node->tags) {
                properties_add(message, "TAGS", "%s", tags);
                properties_add(message, "CURRENT_TAGS", "%s", tags);
        }
}

int sysnode_announce(const SysNode *node, int socket, const char *action) {
        static unsigned long long sequence = 1000;
        _cleanup_properties_ Properties message = {};

        properties_add(&message, "ACTION", "%s", action);
        properties_add(&message, "DEVPATH", "%s", node->path + strlen("/sys"));
        properties_add(&message, "SUBSYSTEM", "%s", node->subsystem);
        properties_add(&message, "SEQNUM", "%llu", sequence++);
        properties_add(&message, "USEC_INITIALIZED", "%llu",
                       (unsigned long long) now_usec(CLOCK_MONOTONIC));
        if (node->devtype)
                properties_add(&message, "DEVTYPE", "%s", node->devtype);
        if (node->driver)
                properties_add(&message, "DRIVER", "%s", node->driver);
        if (node->type) {
                properties_add(&message, "MAJOR", "%u", node->major);
                properties_add(&message, "MINOR", "%u", node->minor);
                properties_add(&message, "DEVNAME", "/dev/%s", node->node);
        }
        properties_append(&message, &node->kernel);
        properties_append(&message, &node->udev);
        add_links(&message, node);
        add_tags(&message, node);
        if (message.error < 0)
                return message.error;
        return uevent_send(socket, &(UeventMessage){ .subsystem = node->subsystem,
                                                     .devtype = node->devtype,
                                                     .tags = node->tags,
                                                     .properties = &message });
}
