/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "sim/world/uevent.h"

/* systemd 252, src/libsystemd/sd-device/device-monitor.c: the multicast group of udev's own
 * messages, their header, and the tags' bloom filter. Offsets are in the machine's byte order;
 * what socket filters compare is big-endian. */
#define GROUP_UDEV 2
#define MAGIC      0xfeedcafe

typedef struct Header {
        char prefix[8]; /* "libudev" */
        uint32_t magic;
        uint32_t header_size;
        uint32_t properties_offset;
        uint32_t properties_size;
        uint32_t subsystem_hash;
        uint32_t devtype_hash;
        uint32_t tag_bloom_high;
        uint32_t tag_bloom_low;
} Header;

/* MurmurHash2 with seed 0 (Austin Appleby, public domain). */
uint32_t uevent_hash(const char *text) {
        const uint32_t m = 0x5bd1e995;
        size_t left = strlen(text);
        const uint8_t *p = (const uint8_t *) text;
        uint32_t h = (uint32_t) left, tail = 0;

        for (; left >= 4; left -= 4, p += 4) {
                uint32_t k = get_le32(p) * m;

                h = (h * m) ^ ((k ^ k >> 24) * m);
        }
        for (size_t i = 0; i < left; i++)
                tail |= (uint32_t) p[i] << 8 * i;
        if (left > 0)
                h = (h ^ tail) * m;
        h = (h ^ h >> 13) * m;
        return h ^ h >> 15;
}

static uint64_t tag_bloom(const char *const *tags) {
        uint64_t bits = 0;

        for (; tags && *tags; tags++) {
                uint32_t hash = uevent_hash(*tags);

                for (unsigned shift = 0; shift <= 18; shift += 6)
                        bits |= UINT64_C(1) << (hash >> shift & 63);
        }
        return bits;
}

int uevent_open(void) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        return fd < 0 ? -errno : fd;
}

int uevent_send(int socket, const UeventMessage *message) {
        uint64_t bloom = tag_bloom(message->tags);
        Header header = {
                .prefix = "libudev",
                .magic = htonl(MAGIC),
                .header_size = sizeof(Header),
                .properties_offset = sizeof(Header),
                .properties_size = (uint32_t) message->properties->size,
                .subsystem_hash = htonl(uevent_hash(message->subsystem)),
                .devtype_hash = message->devtype ? htonl(uevent_hash(message->devtype)) : 0,
                .tag_bloom_high = htonl((uint32_t) (bloom >> 32)),
                .tag_bloom_low = htonl((uint32_t) bloom),
        };
        struct iovec parts[] = { { &header, sizeof(header) },
                                 { message->properties->data, message->properties->size } };
        struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = GROUP_UDEV };
        struct msghdr msg = {
                .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2
        };

        if (sendmsg(socket, &msg, MSG_DONTWAIT) < 0 && errno != ECONNREFUSED && errno != ENOBUFS &&
            errno != EAGAIN)
                return -errno;
        return 0;
}
