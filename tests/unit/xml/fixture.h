/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests made of files: every *.xml of a folder in tests/data/xml is a case, and what it must give
 * stands in FOLDER.expect beside, one block "== FILE" for each. With NR_EXPECT_OUT=DIR what is got
 * is appended to DIR/FOLDER.expect, to be read and then copied by a person.
 */
#ifndef NR_TESTS_XML_FIXTURE_H
#define NR_TESTS_XML_FIXTURE_H

#include <libxml/tree.h>

#include "xml/network.h"

typedef struct {
    char *folder; /* "network/bad" */
    char *name;   /* "no-name.xml" */
    char *text;
    gsize length;
} Case;

/* One test for each file, named PREFIX/FOLDER/FILE without ".xml"; and one that no block of the
 * expectations is without its file. */
void fixture_add(const char *folder, void (*test)(const Case *));
void fixture_expect(const Case *c, const char *got);
/* New strings. */
char *fixture_dump_guest(const NrGuest *guest);
char *fixture_dump_network(const NrNetwork *network);
/* Does the tree under root match that schema of ours ("network.rng")? */
gboolean fixture_is_valid(const char *schema, xmlNode *root);
/* For what must be well-formed. Free with xmlFreeDoc(). */
xmlDoc *fixture_tree(const Case *c);

#endif
