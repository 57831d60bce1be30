/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "ctl/kernel-log.h"

/* Enough for weeks of plugging; older ones say little about what is wrong now. */
#define MESSAGES_MAX 4096

/* Pieces of the kernel's messages (drivers/usb/core: hub.c, message.c, config.c; host/xhci.c). */
static const struct {
        const char *piece;
        size_t counter;
} kinds[] = {
        { "device descriptor read/", offsetof(KernelLog, enumeration) },
        { "device not accepting address", offsetof(KernelLog, enumeration) },
        { "unable to enumerate USB device", offsetof(KernelLog, enumeration) },
        { "can't set config", offsetof(KernelLog, enumeration) },
        { "can't read configurations", offsetof(KernelLog, enumeration) },
        { "unable to read config index", offsetof(KernelLog, enumeration) },
        { "Cannot enable. Maybe the USB cable is bad?", offsetof(KernelLog, enumeration) },
        { "device not responding to setup address", offsetof(KernelLog, enumeration) },
        { "over-current", offsetof(KernelLog, over_current) },
        { "insufficient available bus power", offsetof(KernelLog, over_current) },
        { "Not enough host controller resources", offsetof(KernelLog, no_resources) },
        { "Not enough bandwidth", offsetof(KernelLog, no_resources) },
        { "USB disconnect", offsetof(KernelLog, disconnects) },
        { "USB device number", offsetof(KernelLog, plugged) },
};

/* "usb 1-1.2: ", "usb 1-1-port2: " and "usb usb1-port2: " are about ports; the last two name a
 * hub and a port on it: port 1-1.2 and 1-2. */
static bool is_about(const char *message, const char *port) {
        char hub[64], name[128];
        unsigned number;
        size_t n;

        if (strncmp(message, "usb ", 4) != 0)
                return false;
        message += 4;
        n = strlen(port);
        if (strncmp(message, port, n) == 0 && message[n] == ':')
                return true;
        if (sscanf(message, "%63[^:]:", hub) != 1)
                return false;
        n = strlen(hub);
        while (n > 0 && isdigit((unsigned char) hub[n - 1]))
                n--;
        if (n < 5 || strncmp(hub + n - 5, "-port", 5) != 0 || sscanf(hub + n, "%u", &number) != 1)
                return false;
        hub[n - 5] = '\0';
        if (strncmp(hub, "usb", 3) == 0)
                (void) snprintf(name, sizeof(name), "%s-%u", hub + 3, number);
        else
                (void) snprintf(name, sizeof(name), "%s.%u", hub, number);
        return strcmp(name, port) == 0;
}

void kernel_log_add(KernelLog *log, const char *port, const char *message) {
        if (port ? !is_about(message, port)
                 : strncmp(message, "usb ", 4) != 0 && strncmp(message, "hub ", 4) != 0)
                return;
        if (strstr(message, ": reset ") && strstr(message, "USB device number")) {
                log->resets++;
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                unsigned *counter = (unsigned *) (void *) ((char *) log + kinds[i].counter);

                if (!strstr(message, kinds[i].piece))
                        continue;
                ++*counter;
                if (counter != &log->plugged && counter != &log->disconnects)
                        (void) text_escape(message, strlen(message), log->last, sizeof(log->last));
                return;
        }
}

bool kernel_log_complains(const KernelLog *log) {
        return log->enumeration + log->over_current + log->no_resources > 0;
}

static int add(KernelMessages *messages, Usec time, const char *text, size_t size) {
        char *copy = strndup(text, size);

        if (!copy)
                return -ENOMEM;
        if (messages->n == MESSAGES_MAX) {
                free(messages->items[0].text);
                memmove(messages->items, messages->items + 1,
                        (MESSAGES_MAX - 1) * sizeof(*messages->items));
                messages->n--;
        }
        messages->items[messages->n++] = (KernelMessage){ .time = time, .text = copy };
        return 0;
}

static bool is_usb(const char *text, size_t size) {
        return size > 4 && (memcmp(text, "usb ", 4) == 0 || memcmp(text, "hub ", 4) == 0);
}

/* "6,339,5140900,-;usb 1-1: …", then lines of further fields (Documentation/ABI/testing/dev-kmsg)
 */
static int read_kmsg(KernelMessages *messages) {
        _cleanup_close_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        char record[8192];

        if (fd < 0)
                return -errno;
        for (;;) {
                ssize_t n = read(fd, record, sizeof(record) - 1);
                uint64_t time;
                char *text, *end;
                int r = 0;

                if (n < 0 && (errno == EPIPE || errno == EINTR))
                        continue; /* overwritten before we came to it */
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                if (n == 0)
                        return 0;
                record[n] = '\0';
                text = strchr(record, ';');
                if (!text++ || sscanf(record, "%*u,%*u,%" SCNu64, &time) != 1)
                        continue;
                end = strchrnul(text, '\n');
                if (is_usb(text, (size_t) (end - text)))
                        r = add(messages, time, text, (size_t) (end - text));
                if (r < 0)
                        return r;
        }
}

static void closep_journal(sd_journal **journal) {
        sd_journal_close(*journal);
}

static int read_journal(KernelMessages *messages) {
        _cleanup_(closep_journal) sd_journal *journal = NULL;
        sd_id128_t boot;
        char match[64] = "_BOOT_ID=";
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        if (r >= 0)
                r = sd_id128_get_boot(&boot);
        if (r >= 0)
                r = sd_journal_add_match(journal, "_TRANSPORT=kernel", 0);
        if (r >= 0) {
                (void) sd_id128_to_string(boot, match + strlen(match));
                r = sd_journal_add_match(journal, match, 0);
        }
        if (r >= 0)
                r = sd_journal_seek_head(journal);
        while (r >= 0 && (r = sd_journal_next(journal)) > 0) {
                const void *data;
                uint64_t time;
                size_t size;

                if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0 || size < 8 ||
                    sd_journal_get_monotonic_usec(journal, &time, NULL) < 0)
                        continue;
                if (is_usb((const char *) data + 8, size - 8))
                        r = add(messages, time, (const char *) data + 8, size - 8);
        }
        return r;
}

int kernel_messages_read(KernelMessages *ret) {
        KernelMessages messages = { .items = calloc(MESSAGES_MAX, sizeof(KernelMessage)) };
        int r, again;

        if (!messages.items)
                return -ENOMEM;
        r = read_kmsg(&messages);
        if (r < 0 && r != -ENOMEM) {
                again = read_journal(&messages);
                /* A journal that may not be read just seems to be empty. */
                if (again >= 0 && messages.n > 0)
                        r = 0;
        }
        if (r < 0) {
                kernel_messages_done(&messages);
                return r;
        }
        *ret = messages;
        return 0;
}

void kernel_messages_done(KernelMessages *messages) {
        for (size_t i = 0; i < messages->n; i++)
                free(messages->items[i].text);
        free(messages->items);
        *messages = (KernelMessages){};
}
