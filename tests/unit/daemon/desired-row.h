/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of who meets whom: a world as model-fixture.h has it, and what must come of it. */
#ifndef NR_TESTS_DESIRED_ROW_H
#define NR_TESTS_DESIRED_ROW_H

#include "model-fixture.h"

typedef struct {
    const char *name;
    const char *guests;
    const char *expected;
    const char *says; /* "web.0: word|word": in this binding's reason; lines of it */
    const char *files[4];
    NrImplicit implicit;
    gboolean unhooked;
    gboolean session;
    const char *bridges, *peers, *addresses, *ports; /* as in the configuration, ';' between */
} DesiredRow;

/* A test for each, /desired/FOLDER/NAME, which also looks at what holds in every world. */
void desired_rows_add(const char *folder, const DesiredRow *rows, gsize count);
void desired_check_words(const NrDesired *desired, const char *says);

#endif
