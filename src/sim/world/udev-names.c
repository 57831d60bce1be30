/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "sim/world/udev-names.h"

#define NAME_SIZE 256

static bool is_fit(char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c != '\0' && strchr("#+-.:=@_", c));
}

static bool is_space(char c) {
        return c != '\0' && strchr(" \t\n\r\v\f", c);
}

/* Length of the UTF-8 sequence of more than one byte at text, or 0. */
static size_t multibyte(const char *text) {
        uint32_t code;
        size_t n = utf8_decode(text, strlen(text), &code);

        return n > 1 ? n : 0;
}

void udev_names_replace(const char *text, char *buffer, size_t size) {
        size_t used = 0, n;

        while (is_space(*text))
                text++;
        while (*text && used + 5 < size) {
                if (is_space(*text)) {
                        while (is_space(*text))
                                text++;
                        if (*text)
                                buffer[used++] = '_';
                        continue;
                }
                n = multibyte(text);
                if (n > 0)
                        memcpy(buffer + used, text, n);
                else
                        buffer[used] = is_fit(*text) ? *text : '_';
                n = n > 0 ? n : 1;
                used += n;
                text += n;
        }
        buffer[used] = '\0';
}

void udev_names_encode(const char *text, char *buffer, size_t size) {
        size_t used = 0, n;

        while (*text && used + 5 < size) {
                n = multibyte(text);
                if (n > 0 || is_fit(*text)) {
                        n = n > 0 ? n : 1;
                        memcpy(buffer + used, text, n);
                        used += n;
                        text += n;
                } else {
                        used += (size_t) snprintf(buffer + used, size - used, "\\x%02x",
                                                  (unsigned char) *text);
                        text++;
                }
        }
        buffer[used] = '\0';
}

/* udev drops a serial whole when one of its bytes is unfit; such as those of probes whose serial
 * is raw bytes. */
static bool is_usable_serial(const char *serial) {
        if (!serial || !*serial)
                return false;
        for (; *serial; serial++)
                if ((unsigned char) *serial < 0x20 || (unsigned char) *serial > 0x7f ||
                    *serial == ',')
                        return false;
        return true;
}

/* Each class triple once, in the order of the interfaces. */
static void add_interfaces(Properties *properties, const UsbConfig *config) {
        char text[8 * USB_INTERFACES_MAX + 2] = ":", triple[16];

        for (size_t i = 0; i < config->n_settings; i++) {
                const UsbInterface *interface = &config->interfaces[i];

                snprintf(triple, sizeof(triple), "%02x%02x%02x:", interface->class_code,
                         interface->subclass, interface->protocol);
                if (!strstr(text, triple))
                        strncat(text, triple, sizeof(text) - strlen(text) - 1);
        }
        properties_add(properties, "ID_USB_INTERFACES", "%s", text);
}

static void add_string(Properties *properties, const char *key, const char *text, unsigned number,
                       char *name) {
        char encoded[NAME_SIZE], fallback[8], key_encoded[32];

        snprintf(fallback, sizeof(fallback), "%04x", number);
        if (!text || !*text)
                text = fallback;
        udev_names_replace(text, name, NAME_SIZE);
        udev_names_encode(text, encoded, sizeof(encoded));
        snprintf(key_encoded, sizeof(key_encoded), "%s_ENC", key);
        properties_add(properties, key, "%s", name);
        properties_add(properties, key_encoded, "%s", encoded);
}

void udev_names_add(Properties *properties, const UsbConfig *config, const UdevStrings *strings) {
        char vendor[NAME_SIZE], model[NAME_SIZE], serial[NAME_SIZE] = "";

        properties_add(properties, "ID_BUS", "usb");
        add_string(properties, "ID_MODEL", strings->product, config->product_id, model);
        properties_add(properties, "ID_MODEL_ID", "%04x", config->product_id);
        add_string(properties, "ID_VENDOR", strings->manufacturer, config->vendor_id, vendor);
        properties_add(properties, "ID_VENDOR_ID", "%04x", config->vendor_id);
        properties_add(properties, "ID_REVISION", "%04x", config->release);
        if (is_usable_serial(strings->serial)) {
                udev_names_replace(strings->serial, serial, sizeof(serial));
                properties_add(properties, "ID_SERIAL_SHORT", "%s", serial);
                properties_add(properties, "ID_SERIAL", "%s_%s_%s", vendor, model, serial);
        } else
                properties_add(properties, "ID_SERIAL", "%s_%s", vendor, model);
        add_interfaces(properties, config);
}
