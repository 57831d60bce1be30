/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/serial.h"
#include "gate/cgroup.h"
#include "udev/descriptors.h"

/* What devices and processes say of themselves: nothing is read or written out of bounds, and
 * nothing unprintable comes out. The first byte of the input chooses what is tried with the
 * rest. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

static bool is_printable(const char *text) {
        for (; *text; text++)
                if ((unsigned char) *text < ' ' || *text == 0x7f)
                        return false;
        return true;
}

static void try_serial(const char *text) {
        char canonical[SERIAL_MAX], again[SERIAL_MAX], id[PROBE_ID_MAX];
        SerialKind kind = serial_canonicalize(text, canonical);

        require(strlen(canonical) < sizeof(canonical) && is_printable(canonical));
        require((kind == SERIAL_MISSING) == (canonical[0] == 0));
        (void) serial_canonicalize(canonical, again);
        require(strcmp(canonical, again) == 0);
        probe_id_make(canonical, kind, false, "1-1.2", id);
        require(id[0] && strlen(id) < sizeof(id));
}

static void try_text(const char *text, size_t size) {
        char buffer[64];

        require(text_escape(text, size, buffer, sizeof(buffer)) < sizeof(buffer));
        require(is_printable(buffer));
}

static void try_cgroup(const char *text) {
        CgroupPlace place;

        if (cgroup_parse(text, &place) < 0)
                return;
        require(!place.unit || is_printable(place.unit));
        require(!place.session || is_printable(place.session));
        require(!place.container || is_printable(place.container));
        cgroup_place_done(&place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text;

        if (size == 0)
                return 0;
        text = strndup((const char *) data + 1, size - 1);
        require(text);
        switch (data[0]) {
        case 's':
                try_serial(text);
                break;
        case 'd':
                (void) descriptors_look_like_stlink(data + 1, size - 1);
                break;
        case 't':
                try_text((const char *) data + 1, size - 1);
                break;
        case 'c':
                try_cgroup(text);
                break;
        }
        free(text);
        return 0;
}
