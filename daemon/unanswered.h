/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much somebody may ask before the answers are taken. */
#pragma once

#include <gio/gio.h>

#define NR_UNANSWERED_MAX 16

/*
 * Before the first message: a connection on which more calls than that are under way is closed. Who
 * does not read its answers, or asks faster than it can be answered, would fill the memory.
 */
void nr_unanswered_limit(GDBusConnection *connection);
