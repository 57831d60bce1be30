# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for ST's updater: it speaks the protocol of the boot loader (stlink-protocol,
section 9), but has no firmware to write; the simulated loader takes any blocks.

    python3 updater.py [BLOCKS [PAUSE]]

sends the probe into its boot loader, writes that many blocks of 1024 bytes with a pause of so
many seconds after each, and starts the application. Only for what is erased by pages: V2, V2-1."""

import struct
import sys
import time

import usb.core
import usb.util

LOADERS = {0x3748: 2, 0x374D: 1, 0x3755: 1}  # product ID: address of the OUT endpoint
APPLICATIONS = {0x374B: 1, 0x3752: 1}
APPLICATION_START = 0x08004000
sent = 0


class Probe:
    def __init__(self, products, port=None):
        deadline = time.monotonic() + 30
        while True:
            found = [d for d in usb.core.find(find_all=True, idVendor=0x0483)
                     if d.idProduct in products and (port is None or (d.bus, d.port_numbers) == port)]
            if found:
                break
            if time.monotonic() > deadline:
                sys.exit("updater: the probe did not come back")
            time.sleep(0.1)
        self.device = found[0]
        self.out = products[self.device.idProduct]
        self.port = (self.device.bus, self.device.port_numbers)
        usb.util.claim_interface(self.device, 0)

    def command(self, *head, data=None, reply=0):
        global sent
        sent += 1
        self.device.write(self.out, bytes(head) + bytes(16 - len(head)), 5000)
        if data is not None:
            self.device.write(self.out, data, 5000)
        return bytes(self.device.read(0x81, max(reply, 64), 5000)) if reply else b""

    def close(self):
        usb.util.dispose_resources(self.device)


def status(loader, expected):
    answer = loader.command(0xF3, 0x03, reply=6)
    if answer[0] != 0 or answer[4] != expected:
        sys.exit("updater: status %d, state %d" % (answer[0], answer[4]))
    time.sleep(int.from_bytes(answer[1:4], "little") / 1000)


def download(loader, block, data):
    head = struct.pack("<BBHHH", 0xF3, 0x01, block, sum(data) & 0xFFFF, len(data))
    loader.command(*head, data=data)
    status(loader, 4)  # dfuDNBUSY
    status(loader, 5)  # dfuDNLOAD-IDLE


def main():
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 0
    probe = Probe(APPLICATIONS)
    probe.command(0xF1, 0x80, reply=6)
    if probe.command(0xF9, 0x00, reply=2)[0] != 0x80:
        sys.exit("updater: there is no boot loader to be started")
    probe.command(0xF9, 0x01)
    probe.close()
    loader = Probe(LOADERS, probe.port)
    if loader.command(0xF5, reply=2)[0] != 0:
        sys.exit("updater: this is not the boot loader")
    loader.command(0xF3, 0x08, reply=20)
    print("in the boot loader", flush=True)
    for i in range(blocks):
        address = APPLICATION_START + 1024 * i
        download(loader, 0, struct.pack("<BI", 0x41, address))
        download(loader, 0, struct.pack("<BI", 0x21, address))
        download(loader, 2, bytes((i + j) & 0xFF for j in range(1024)))
        print("block", i, flush=True)
        time.sleep(pause)
    loader.command(0xF3, 0x07)
    loader.close()
    probe = Probe(APPLICATIONS, loader.port)
    version = probe.command(0xF1, 0x80, reply=6)
    probe.close()
    print("updated:", version.hex(), "commands:", sent, flush=True)


main()
