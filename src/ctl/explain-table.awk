# SPDX-License-Identifier: LGPL-2.1-or-later
# Make the C table of error texts from explain.ini. Anything unexpected is an error.

BEGIN { print "/* Made from src/ctl/explain.ini. */" }

function fail(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	failed = 1
	exit 1
}

# As a C string; what is not ASCII passes as it is.
function quote(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	gsub(/\?/, "\\?", text) # no trigraphs
	return "\"" text "\""
}

function finish(    i, n, words) {
	if (name == "")
		return
	if (n_texts == 0 && value["last"] == "" || value["tool"] == "" || value["causes"] == "" || value["source"] == "")
		fail("[" name "] lacks tool, text, causes or source")
	printf "{ %s, %s, %s, %s, %s,\n  { ", quote(name), quote(value["tool"]), quote(value["note"]),
		quote(value["source"]), quote(value["last"])
	for (i = 1; i <= n_texts; i++)
		printf "%s, ", quote(texts[i])
	printf "NULL },\n  { "
	n = split(value["causes"], words, " ")
	for (i = 1; i <= n; i++) {
		gsub(/-/, "_", words[i])
		printf "CAUSE_%s, ", toupper(words[i])
	}
	print "_CAUSE_MAX } },"
	split("", value)
	n_texts = 0
}

/^#/ || /^$/ { next }
/^\[[a-z0-9-]+\]$/ {
	finish()
	name = substr($0, 2, length($0) - 2)
	if (name in seen)
		fail("[" name "] stands here twice")
	seen[name] = 1
	next
}
/^(tool|text|last|causes|note|source)=./ {
	if (name == "")
		fail("a setting without a section")
	equals = index($0, "=")
	key = substr($0, 1, equals - 1)
	text = substr($0, equals + 1)
	if (key == "text") {
		if (length(text) < 3)
			fail("this text is too short to mean anything: " text)
		texts[++n_texts] = text
		next
	}
	if (key in value)
		fail(key " stands in [" name "] twice")
	value[key] = text
	next
}
{ fail("cannot read this line: " $0) }
END { if (!failed) finish() }
