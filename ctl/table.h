/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table: columns as wide as what is in them, and remarks below rows. Cells are made printable
 * here; nobody else has to. */
#ifndef NR_CTL_TABLE_H
#define NR_CTL_TABLE_H

#include <glib.h>

typedef enum { NR_TONE_PLAIN, NR_TONE_GOOD, NR_TONE_PENDING, NR_TONE_BAD, NR_TONE_QUIET } NrTone;

typedef enum {
    NR_COLUMN_TEXT,
    NR_COLUMN_NUMBER, /* at the right */
    /* Texts that are shortened where the table has no room: names are told apart by their
     * beginning and, where they are numbered or addresses, by their end; an address by its end. */
    NR_COLUMN_NAME,
    NR_COLUMN_ADDRESS,
} NrColumnKind;

typedef struct {
    const char *title;
    NrColumnKind kind;
    guint spare; /* 1 is left out first where all texts are as short as they can be; 0 never is */
} NrColumn;

typedef struct NrTable NrTable;

/* columns ends with a NULL title and must outlive the table. */
NrTable *nr_table_new(const NrColumn *columns);
void nr_table_free(NrTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrTable, nr_table_free)

/* A new row; its cells follow one by one. toned is the column that gets the tone. */
void nr_table_row(NrTable *table, guint toned, NrTone tone);
void nr_table_cell(NrTable *table, const char *text); /* NULL or "": "-" */
/* A remark below the newest row. */
void nr_table_remark(NrTable *table, const char *text);
/* For standard output: in colour only where that is a terminal which wants it. room is the width to
 * keep to, as far as columns may be shortened or left out and remarks broken; 0: as wide as it
 * likes. New string. */
char *nr_table_text(const NrTable *table, guint room);
void nr_table_print(const NrTable *table);
/* How many columns of a terminal a character takes. */
guint nr_text_width_of(gunichar c);

/* 1234567 -> "1.2M": powers of 1024. New string. */
char *nr_human_number(guint64 number);

#endif
