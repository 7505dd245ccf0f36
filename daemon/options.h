/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayd's command line, with the paths that stand where it names none. */
#ifndef NR_DAEMON_OPTIONS_H
#define NR_DAEMON_OPTIONS_H

#include <glib.h>

typedef struct {
    char *config_file, *networks_dir, *relay_program;
    char *uri; /* NULL: as the settings have it */
    gboolean cleanup, retire, debug, version;
} NrOptions;

/* Takes the options out of argv, and fails on what is left. Strings are for the program's life. */
gboolean nr_options_parse(NrOptions *options, int *argc, char ***argv, GError **error);
/* The usual paths for what was not named; relay: its program's. */
gboolean nr_options_default_paths(NrOptions *options, const char *relay, GError **error);

#endif
