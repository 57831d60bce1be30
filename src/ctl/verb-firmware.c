/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "proto/firmware.h"

#define NEVER   0xFF
#define UNKNOWN 0xFE

/* The least J that each tool works with, by generation. */
static const struct {
        const char *tool;
        uint8_t v1, v2, v3;
        const char *note; /* NULL: none */
} needs[] = {
        /* stlink_usb.c: SWD takes API v2, the DAP registers of interface/stlink.cfg take J24 */
        { "openocd", 11, 24, 1, "interface/stlink-hla.cfg works with older ones" },
        /* probe/stlink/mod.rs: MIN_JTAG_VERSION, MIN_JTAG_VERSION_V3 */
        { "probe-rs", NEVER, 26, 3, NULL },
        /* probe/stlink/stlink.py: MIN_JTAG_VERSION; its own 0.13 asks for J24 of a V3 too, and so
         * refuses all of them */
        { "pyocd", NEVER, 24, 1, "0.13, as Debian 12 has it, refuses every V3" },
        /* ST does not say; it asks for an update when it wants one */
        { "cubeprogrammer", NEVER, UNKNOWN, UNKNOWN, "ST does not publish it" },
};

static const Column columns[] = {
        { "tool", "TOOL", 0 },
        { "minimum", "NEEDS", 0 },
        { "met", "MET", 0 },
        { "note", "NOTE", 1 },
};

static uint8_t minimum(size_t i, const Firmware *firmware) {
        switch (firmware->major) {
        case 1:
                return needs[i].v1;
        case 2:
                return needs[i].v2;
        default: /* V3, and the V3PWR, of which all are later than any tool asks for */
                return firmware->major > 3 && needs[i].v3 < UNKNOWN ? 1 : needs[i].v3;
        }
}

static void describe(Rows *rows, size_t i, const Firmware *firmware) {
        uint8_t least = minimum(i, firmware);
        Row *row = rows_add(rows);
        char text[16];

        row_set_string(row, "tool", needs[i].tool);
        (void) snprintf(text, sizeof(text), "V%uJ%u", firmware->major, least);
        row_set_string(row, "minimum", least < UNKNOWN ? text : NULL);
        if (least == NEVER)
                row_set_text(row, "minimum", "no V%u", firmware->major);
        if (least == UNKNOWN)
                row_set_none(row, "met");
        else
                row_set_boolean(row, "met", least != NEVER && firmware->jtag >= least);
        row_set_string(row, "note", needs[i].note);
}

static ExitCode print(const ProbeView *probe, const Firmware *firmware, const Options *options) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Row *row = rows_add(rows);
        Rows *tools = row ? row_set_rows(row, "tools") : NULL;
        int r;

        if (!tools)
                return client_report(NULL, -ENOMEM);
        row_set_string(row, "id", probe->id);
        row_set_string(row, "firmware", probe->firmware);
        for (size_t i = 0; i < ELEMENTSOF(needs); i++)
                describe(tools, i, firmware);
        if (options->json)
                r = output_json_row(row, /* one_line= */ false);
        else {
                (void) printf("%sST-LINK/%s %s: %s%s\n", text_style(STYLE_BOLD),
                              probe->model ? probe->model : "?", row_get_text(row, "id"),
                              row_get_text(row, "firmware"), text_style(STYLE_NORMAL));
                r = output_table(tools, columns, ELEMENTSOF(columns), options->legend);
        }
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}

int verb_firmware(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        Firmware firmware;
        ProbeView *probe;
        bool in_loader;
        ExitCode code;

        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 0 ? words[0] : options->probe, &probe);
        if (code != EXIT_CODE_OK)
                return code;
        /* The boot loader of a V3 knows its own generation and no more. */
        in_loader = probe->mode && strcmp(probe->mode, "loader") == 0;
        if (!probe->firmware || firmware_parse(probe->firmware, &firmware) < 0 ||
            (in_loader && firmware.jtag == 0)) {
                client_say("The probe's firmware was not read yet.");
                if (in_loader)
                        client_say_more("It is in its boot loader; its application tells it:  "
                                        "stlinkctl connect");
                return EXIT_CODE_FAILURE;
        }
        return print(probe, &firmware, options);
}
