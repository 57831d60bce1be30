/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <stdlib.h>
#include <string.h>

#include "usbfs/usbfs-node.h"
#include "usbfs/usbfs-private.h"

static const char usbfs_driver[] = "usbfs";

static void set_driver(UsbfsNode *node, unsigned interface, const char *driver, UsbfsFile *owner) {
        UsbfsBinding *binding = &node->bindings[interface];

        binding->driver = driver;
        binding->owner = owner;
        if (node->ops && !node->gone)
                node->ops->driver_changed(interface, driver, node->userdata);
}

/* What the kernel does when a device gets its configuration: every interface goes to the driver
 * that knows its class. */
static void bind_interfaces(UsbfsNode *node) {
        for (unsigned i = 0; i < USBFS_INTERFACES; i++) {
                const UsbInterface *interface = usb_config_interface(&node->config, i);

                if (!interface)
                        continue;
                node->bindings[i].present = true;
                if (!node->bindings[i].driver)
                        set_driver(node, i, usb_interface_driver(interface), NULL);
        }
}

int usbfs_node_new(UsbDevice *device, UsbClock *clock, unsigned devnum, const UsbfsNodeOps *ops,
                   void *userdata, UsbfsNode **ret) {
        _cleanup_(usbfs_node_unrefp) UsbfsNode *node = calloc(1, sizeof(UsbfsNode));
        int r;

        if (!node)
                return -ENOMEM;
        node->n_references = 1;
        list_init(&node->files);
        node->device = device;
        node->clock = clock;
        node->devnum = devnum;
        node->speed = device->speed;
        r = usb_config_parse(device->descriptors, device->descriptors_size, &node->config);
        if (r < 0)
                return r;
        node->descriptors = malloc(device->descriptors_size);
        if (!node->descriptors)
                return -ENOMEM;
        memcpy(node->descriptors, device->descriptors, device->descriptors_size);
        node->descriptors_size = device->descriptors_size;

        bind_interfaces(node);
        node->ops = ops;
        node->userdata = userdata;
        *ret = TAKE_PTR(node);
        return 0;
}

UsbfsNode *usbfs_node_unref(UsbfsNode *node) {
        if (!node || --node->n_references > 0)
                return NULL;
        free(node->descriptors);
        free(node);
        return NULL;
}

void usbfs_node_disconnect(UsbfsNode *node) {
        if (node->gone)
                return;
        LIST_FOREACH(&node->files, UsbfsFile, file, link)
                usbfs_file_kill_urbs(file, USBFS_ANY_INTERFACE, -ESHUTDOWN);
        node->gone = true;
        node->device = NULL;
        node->clock = NULL;
        for (unsigned i = 0; i < USBFS_INTERFACES; i++)
                node->bindings[i] = (UsbfsBinding){};
        LIST_FOREACH(&node->files, UsbfsFile, file, link)
                usbfs_file_wake(file);
}

int usbfs_file_open(UsbfsNode *node, bool writable, UsbfsFile **ret) {
        UsbfsFile *file;

        if (node->gone)
                return -ENODEV;
        file = calloc(1, sizeof(UsbfsFile));
        if (!file)
                return -ENOMEM;
        file->node = node;
        node->n_references++;
        file->writable = writable;
        file->allowed = UINT32_MAX;
        list_init(&file->pending);
        list_init(&file->completed);
        list_append(&node->files, &file->link);
        if (node->ops)
                node->ops->opened(node->userdata);
        *ret = file;
        return 0;
}

UsbfsFile *usbfs_file_close(UsbfsFile *file) {
        UsbfsNode *node;
        UsbfsUrb *urb;

        if (!file)
                return NULL;
        node = file->node;
        file->wake = NULL;
        for (unsigned i = 0; i < USBFS_INTERFACES; i++)
                if (node->bindings[i].owner == file)
                        usbfs_unbind(node, i);
        usbfs_file_kill_urbs(file, USBFS_ANY_INTERFACE, -ENOENT);
        while ((urb = usbfs_file_reap(file)))
                usbfs_urb_free(urb);
        list_remove(&file->link);
        if (node->ops && !node->gone)
                node->ops->closed(node->userdata);
        usbfs_node_unref(node);
        free(file);
        return NULL;
}

void usbfs_unbind(UsbfsNode *node, unsigned interface) {
        UsbfsFile *owner = node->bindings[interface].owner;

        /* An unbound driver's endpoints are disabled, which ends what is queued on them. */
        if (owner)
                usbfs_file_kill_urbs(owner, (int) interface, -ESHUTDOWN);
        set_driver(node, interface, NULL, NULL);
}

static int check_interface(const UsbfsNode *node, unsigned interface) {
        if (interface >= USBFS_INTERFACES)
                return -EINVAL;
        return node->bindings[interface].present ? 0 : -ENOENT;
}

int usbfs_file_claim(UsbfsFile *file, unsigned interface) {
        UsbfsNode *node = file->node;
        int r;

        if (node->gone)
                return -ENODEV;
        if (interface >= USBFS_INTERFACES)
                return -EINVAL;
        if (node->bindings[interface].owner == file)
                return 0;
        if (file->dropped && !(file->allowed & UINT32_C(1) << interface))
                return -EACCES;
        r = check_interface(node, interface);
        if (r < 0)
                return r;
        if (node->bindings[interface].driver)
                return -EBUSY;
        set_driver(node, interface, usbfs_driver, file);
        return 0;
}

int usbfs_file_release(UsbfsFile *file, unsigned interface) {
        int r;

        if (file->node->gone)
                return -ENODEV;
        r = check_interface(file->node, interface);
        if (r < 0)
                return r;
        if (file->node->bindings[interface].owner != file)
                return -EINVAL;
        usbfs_unbind(file->node, interface);
        return 0;
}

int usbfs_file_drop_privileges(UsbfsFile *file, uint32_t allowed) {
        if (file->node->gone)
                return -ENODEV;
        /* One way: a wider mask later widens nothing. */
        file->allowed &= allowed;
        file->dropped = true;
        return 0;
}

/* cdc_acm holds a control and a data interface and lets go of both together. */
static void detach_driver(UsbfsNode *node, unsigned interface) {
        const char *driver = node->bindings[interface].driver;

        if (node->bindings[interface].owner || strcmp(driver, "cdc_acm") != 0) {
                usbfs_unbind(node, interface);
                return;
        }
        for (unsigned i = interface > 0 ? interface - 1 : 0; i <= interface + 1; i++)
                if (i < USBFS_INTERFACES && node->bindings[i].driver &&
                    strcmp(node->bindings[i].driver, "cdc_acm") == 0 &&
                    usbfs_same_function(&node->config, interface, i))
                        usbfs_unbind(node, i);
}

int usbfs_file_detach_driver(UsbfsFile *file, unsigned interface) {
        UsbfsNode *node = file->node;

        if (file->dropped)
                return -EACCES;
        if (node->gone)
                return -ENODEV;
        if (check_interface(node, interface) < 0)
                return -EINVAL;
        if (!node->bindings[interface].driver)
                return -ENODATA;
        detach_driver(node, interface);
        return 0;
}

int usbfs_file_attach_driver(UsbfsFile *file, unsigned interface) {
        UsbfsNode *node = file->node;
        const UsbInterface *descriptor;
        const char *driver;

        if (file->dropped)
                return -EACCES;
        if (node->gone)
                return -ENODEV;
        if (check_interface(node, interface) < 0)
                return -EINVAL;
        if (node->bindings[interface].driver)
                return -EBUSY;
        descriptor = usb_config_interface(&node->config, interface);
        driver = usb_interface_driver(descriptor);
        if (!driver || descriptor->class_code == USBFS_CLASS_DATA)
                return 0;
        set_driver(node, interface, driver, NULL);
        if (interface + 1 < USBFS_INTERFACES && node->bindings[interface + 1].present &&
            !node->bindings[interface + 1].driver &&
            usbfs_same_function(&node->config, interface, interface + 1))
                set_driver(node, interface + 1, driver, NULL);
        return 1; /* as device_attach() says that a driver took it */
}

int usbfs_file_detach_and_claim(UsbfsFile *file, unsigned interface, unsigned flags,
                                const char *driver) {
        UsbfsNode *node = file->node;
        const char *bound;
        bool same;

        if (node->gone)
                return -ENODEV;
        if (check_interface(node, interface) < 0)
                return -EINVAL;
        bound = node->bindings[interface].driver;
        if (bound) {
                if (file->dropped)
                        return -EACCES;
                same = strncmp(driver, bound, USBDEVFS_MAXDRIVERNAME) == 0;
                if ((flags & USBDEVFS_DISCONNECT_CLAIM_IF_DRIVER && !same) ||
                    (flags & USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER && same))
                        return -EBUSY;
                detach_driver(node, interface);
        }
        return usbfs_file_claim(file, interface);
}

const char *usbfs_file_get_driver(UsbfsFile *file, unsigned interface) {
        if (interface >= USBFS_INTERFACES)
                return NULL;
        return file->node->bindings[interface].driver;
}

int usbfs_file_reset(UsbfsFile *file) {
        UsbfsNode *node = file->node;
        UsbClock *clock = node->clock;

        if (node->gone)
                return -ENODEV;
        for (unsigned i = 0; file->dropped && i < USBFS_INTERFACES; i++)
                if (node->bindings[i].driver && node->bindings[i].owner != file)
                        return -EACCES;
        /* The kernel unbinds drivers that cannot live through a reset, and usbfs is one; then
         * it looks for drivers by class, so a claim is lost. */
        for (unsigned i = 0; i < USBFS_INTERFACES; i++)
                if (node->bindings[i].owner)
                        usbfs_unbind(node, i);
        usb_clock_tick(clock);
        if (!node->gone)
                node->device->ops->reset(node->device);
        usb_clock_arm(clock);
        if (node->gone)
                return -ENODEV;
        bind_interfaces(node);
        return 0;
}

int usbfs_file_check_configuration(UsbfsFile *file, int value) {
        const UsbfsNode *node = file->node;

        if (node->gone)
                return -ENODEV;
        for (unsigned i = 0; i < USBFS_INTERFACES; i++)
                if (node->bindings[i].driver)
                        return -EBUSY;
        return value == node->config.value ? 0 : -EINVAL;
}

int usbfs_file_check_alternate(UsbfsFile *file, unsigned interface, unsigned alternate) {
        int r = usbfs_file_claim(file, interface);

        if (r < 0)
                return r;
        return usb_config_has_alternate(&file->node->config, interface, alternate) ? 0 : -EINVAL;
}
