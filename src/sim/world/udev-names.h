/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sim/world/properties.h"
#include "usbfs/usb-config.h"

/* What udev's usb_id builtin makes of a device's strings (systemd 252,
 * src/udev/udev-builtin-usb_id.c). */

typedef struct UdevStrings {
        const char *manufacturer, *product, *serial; /* UTF-8, as in sysfs; each may be NULL */
} UdevStrings;

/* Add ID_VENDOR, ID_MODEL, ID_SERIAL and their like. */
void udev_names_add(Properties *properties, const UsbConfig *config, const UdevStrings *strings);

/* Copy text with runs of white space made one '_' and what is unfit for a name made '_'. */
void udev_names_replace(const char *text, char *buffer, size_t size);

/* Copy text with everything that is unfit for a name as \xNN. */
void udev_names_encode(const char *text, char *buffer, size_t size);
