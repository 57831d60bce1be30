/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device/spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The models, their defaults and their names. */
typedef struct Model {
        const char *name;
        FirmwareModel model;
        uint16_t product_id, loader_product_id;
        const char *version;
        const char *chip;
} Model;

static const Model models[] = {
        { "v1", FIRMWARE_V1, 0x3744, 0, "V1J13S4", "f103" },
        { "v2", FIRMWARE_V2, 0x3748, 0x3748, "V2J37S7", "f103" },
        { "v2-1", FIRMWARE_V2_1, 0x374b, 0x3748, "V2J45M31", "f411" },
        { "v3", FIRMWARE_V3, 0x374e, 0x374d, "V3J10M3", "f411" },
        { "v3pwr", FIRMWARE_V3PWR, 0x3757, 0x3755, "V4J6B2P6", "f411" },
};

#define LOADER_SUFFIX "-loader"

/* A serial as most ST-LINKs have one, with room for a number. */
#define SERIAL_FORMAT "066BFF5649778867%08X"

#define DEFAULT_REENUMERATE  (500 * USEC_PER_MSEC)
#define DEFAULT_INSTRUCTIONS 50000

int spec_error(char **ret_error, const char *format, ...) {
        char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (r < 0)
                return -ENOMEM;
        *ret_error = text;
        return -EINVAL;
}

static int spec_set_model(SimSpec *spec, const char *name, char **ret_error) {
        size_t length = strlen(name), suffix = strlen(LOADER_SUFFIX);
        bool loader = length > suffix && strcmp(name + length - suffix, LOADER_SUFFIX) == 0;

        if (loader)
                length -= suffix;
        for (size_t i = 0; i < ELEMENTSOF(models); i++) {
                const Model *m = &models[i];

                if (strlen(m->name) != length || strncmp(m->name, name, length) != 0)
                        continue;
                if (loader && !m->loader_product_id)
                        return spec_error(ret_error, "the boot loader of model \"%s\" is unknown",
                                          m->name);
                spec->model = m->model;
                spec->starts_in_loader = loader;
                spec->product = product_find(m->product_id);
                spec->loader = m->loader_product_id ? product_find(m->loader_product_id) : NULL;
                (void) firmware_version_parse(m->version, &spec->version);
                (void) snprintf(spec->chip, sizeof(spec->chip), "%s", m->chip);
                return 0;
        }
        return spec_error(ret_error,
                          "unknown model \"%s\"; it is v1, v2, v2-1, v3 or v3pwr, or one of them "
                          "with \"-loader\"",
                          name);
}

/* One "key=value", or a state's name alone. */
static int spec_parse_item(SimSpec *spec, char *item, char **ret_error) {
        static const char *const shorthands[] = { "condition", "state" };
        char *equals = strchr(item, '=');

        if (equals) {
                *equals = '\0';
                return spec_set(spec, item, equals + 1, /* live= */ false, ret_error);
        }
        for (size_t i = 0; i < ELEMENTSOF(shorthands); i++) {
                _cleanup_free_ char *ignored = NULL;
                int r = spec_set(spec, shorthands[i], item, /* live= */ false, &ignored);

                if (r != -EINVAL)
                        return r;
        }
        return spec_error(ret_error, "\"%s\" is neither key=value nor the name of a state", item);
}

static void spec_init(SimSpec *spec) {
        spec->has_application = true;
        spec->mode = -1;
        spec->settings.reenumerate = DEFAULT_REENUMERATE;
        spec->settings.instructions = DEFAULT_INSTRUCTIONS;
        spec->settings.vcp_loopback = true;
}

static int spec_check(const SimSpec *spec, char **ret_error) {
        bool loader = spec->starts_in_loader || spec->mode == FIRMWARE_MODE_LOADER;

        if (spec->version.hardware != (spec->model == FIRMWARE_V3PWR ? 4
                                       : spec->model == FIRMWARE_V3  ? 3
                                       : spec->model == FIRMWARE_V1  ? 1
                                                                     : 2))
                return spec_error(ret_error, "firmware V%u does not run on this model",
                                  spec->version.hardware);
        if (spec->product->model != spec->model)
                return spec_error(ret_error, "this model never has product ID %04x",
                                  spec->product->product_id);
        if (!spec->loader && (loader || !spec->has_application))
                return spec_error(ret_error, "the boot loader of this model is unknown");
        if ((spec->starts_in_loader || !spec->has_application) && spec->mode > FIRMWARE_MODE_LOADER)
                return spec_error(ret_error, "a boot loader has no other mode than \"loader\"");
        if (spec->mode == FIRMWARE_MODE_SWIM && spec->version.swim == 0)
                return spec_error(ret_error,
                                  "this firmware has no SWIM: ask for one with S, as in V2J37S7");
        return 0;
}

int sim_spec_parse(const char *text, SimSpec **ret, char **ret_error) {
        _cleanup_(sim_spec_freep) SimSpec *spec = calloc(1, sizeof(*spec));
        _cleanup_free_ char *copy = strdup(text);
        char *items, *item;
        int r;

        if (!spec || !copy)
                return -ENOMEM;
        spec_init(spec);
        items = copy;
        item = strsep(&items, ":");
        r = spec_set_model(spec, item, ret_error);
        while (r >= 0 && (item = strsep(&items, ",")))
                if (*item)
                        r = spec_parse_item(spec, item, ret_error);
        if (r >= 0)
                r = spec_check(spec, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(spec);
        return 0;
}

SimSpec *sim_spec_free(SimSpec *spec) {
        if (!spec)
                return NULL;
        free(spec->port);
        free(spec->flash);
        free(spec);
        return NULL;
}

const char *sim_spec_port(const SimSpec *spec) {
        return spec->port;
}

const char *sim_spec_flash(const SimSpec *spec) {
        return spec->flash;
}

void sim_spec_set_number(SimSpec *spec, unsigned number) {
        spec->number = number;
}

void spec_get_serial(const SimSpec *spec, SimSerial *ret) {
        char text[SIM_SERIAL_MAX];
        int n;

        if (spec->has_serial) {
                *ret = spec->serial;
                return;
        }
        /* V1 never had a unique one (stlink-protocol §1.1). */
        n = spec->model == FIRMWARE_V1 ? snprintf(text, sizeof(text), "0000001")
                                       : snprintf(text, sizeof(text), SERIAL_FORMAT, spec->number);
        ret->n = (size_t) n;
        memcpy(ret->units, text, ret->n);
}
