# SPDX-License-Identifier: LGPL-2.1-or-later
# Condense "lsusb -v" into the facts that matter: a line for the device, the configuration, and
# each interface, association, class descriptor and endpoint.

function flush() {
        if (line != "")
                print line
        line = ""
}

function begin(name) {
        flush()
        line = name
}

function add(name, value) {
        line = line " " name "=" value
}

# The text of a string descriptor, which lsusb prints behind its index.
function text(    t) {
        t = $0
        sub(/^ *[^ ]+ +[0-9]+ */, "", t)
        return $2 == 0 ? "-" : "\"" t "\""
}

/^Device Descriptor:/ { begin("device") }
/^ *Configuration Descriptor:/ { begin("configuration") }
/^ *Interface Descriptor:/ { begin("interface") }
/^ *Interface Association:/ { begin("association") }
/^ *Endpoint Descriptor:/ { begin("endpoint") }
/^ *CDC (Header|Call Management|ACM|Union):/ {
        name = $0
        gsub(/^ *|: *$/, "", name)
        gsub(/ /, "-", name)
        begin(tolower(name))
}
/^(Device (Status|Qualifier)|Binary Object)/ { flush(); in_tail = 1 }
/^Device Descriptor:/ { in_tail = 0 }
in_tail { next }
$1 ~ /^(bcdUSB|bDeviceClass|bDeviceSubClass|bDeviceProtocol|bMaxPacketSize0|idVendor|idProduct|bcdDevice|bNumConfigurations)$/ { add($1, $2) }
$1 ~ /^(wTotalLength|bNumInterfaces|bConfigurationValue|bmAttributes|MaxPower)$/ { add($1, $2) }
$1 ~ /^(bInterfaceNumber|bAlternateSetting|bNumEndpoints|bInterfaceClass|bInterfaceSubClass|bInterfaceProtocol)$/ { add($1, $2) }
$1 ~ /^(bFirstInterface|bInterfaceCount|bFunctionClass|bFunctionSubClass|bFunctionProtocol)$/ { add($1, $2) }
$1 ~ /^(bEndpointAddress|wMaxPacketSize|bInterval)$/ { add($1, $2) }
$1 ~ /^(bcdCDC|bmCapabilities|bDataInterface|bMasterInterface|bSlaveInterface)$/ { add($1, $2) }
$1 ~ /^(iManufacturer|iProduct|iConfiguration|iInterface|iFunction)$/ { add($1, text()) }
END { flush() }
