/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status as people and programs are shown it, once or again and again. */
#ifndef NR_CTL_STATUS_H
#define NR_CTL_STATUS_H

#include "ctl/command.h"

#define NR_STATUS_TIMEOUT_MS 10000

/* Of an answer to the method Status: the rows that the call asks for, and the summary. */
char *nr_status_text(GVariant *reply, const NrCall *call); /* lines for a person; new string */
GVariant *nr_status_document(GVariant *reply, const NrCall *call); /* a{sv}, the caller's */
/* status --watch */
NrExit nr_status_watch(const NrCall *call);

#endif
