# SPDX-License-Identifier: LGPL-2.1-or-later
# Fill the product IDs of the first file (the hwdb) into the second one (the rules).

FNR == NR {
	if (/^usb:v0483p/)
		products = products (products == "" ? "" : "|") tolower(substr($0, 11, 4))
	next
}
{
	gsub(/@PRODUCTS@/, products)
	print
}
