# SPDX-License-Identifier: LGPL-2.1-or-later
# Make the C table of products from udev/70-stlinkd.hwdb. Anything unexpected is an error:
# the table decides which devices the daemon speaks to.

BEGIN {
	models["unknown"] = "UNKNOWN"; models["V1"] = "V1"; models["V2"] = "V2"
	models["V2-1"] = "V2_1"; models["V3"] = "V3"; models["V3PWR"] = "V3PWR"
	parts["debug"] = "DEBUG"; parts["vcp"] = "VCP"; parts["msd"] = "MSD"; parts["bridge"] = "BRIDGE"
	print "/* Made from udev/70-stlinkd.hwdb. */"
}

function fail(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	failed = 1
	exit 1
}

function finish(    names, n, i, mask) {
	if (id == "")
		return
	if (!(value["STLINK_MODEL"] in models))
		fail(id ": STLINK_MODEL is missing or unknown")
	if (value["STLINK_ROLE"] != "probe" && value["STLINK_ROLE"] != "loader")
		fail(id ": STLINK_ROLE is missing or unknown")
	if (value["STLINK_NAME"] == "" || value["STLINK_NAME"] ~ /["\\]/)
		fail(id ": STLINK_NAME is missing or has a quote")
	if (value["ID_STLINK"] != "1")
		fail(id ": ID_STLINK=1 is missing")
	n = split(value["STLINK_PARTS"], names, " ")
	mask = ""
	for (i = 1; i <= n; i++) {
		if (!(names[i] in parts))
			fail(id ": unknown part " names[i])
		mask = mask (i > 1 ? " | " : "") "PROBE_PART_" parts[names[i]]
	}
	if (mask == "")
		fail(id ": STLINK_PARTS is missing")
	printf "{ 0x%s, PROBE_MODEL_%s, %s, %s, \"%s\" },\n", tolower(id), models[value["STLINK_MODEL"]],
		value["STLINK_ROLE"] == "loader" ? "true" : "false", mask, value["STLINK_NAME"]
	id = ""
	split("", value)
}

/^#/ { next }
/^$/ { finish(); next }
/^usb:v0483p[0-9A-F][0-9A-F][0-9A-F][0-9A-F]\*$/ {
	if (id != "")
		fail("a match after " id " without an empty line between")
	id = substr($0, 11, 4)
	if (id in seen)
		fail(id " stands here twice")
	seen[id] = 1
	next
}
/^ [A-Z_]+=./ {
	if (id == "")
		fail("a property without a match")
	equals = index($0, "=")
	value[substr($0, 2, equals - 2)] = substr($0, equals + 1)
	next
}
{ fail("cannot read this line: " $0) }
END { if (!failed) finish() }
