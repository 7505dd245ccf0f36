/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/options.h"

#include <gio/gio.h>
#include <limits.h>
#include <unistd.h>
#include "common/paths.h"

gboolean nr_options_parse(NrOptions *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "config", 0, 0, G_OPTION_ARG_FILENAME, &options->config_file, "Settings", "FILE" },
        { "networks", 0, 0, G_OPTION_ARG_FILENAME, &options->networks_dir, "Network files", "DIR" },
        { "connect", 0, 0, G_OPTION_ARG_STRING, &options->uri, "libvirt connection", "URI" },
        { "relay", 0, 0, G_OPTION_ARG_FILENAME, &options->relay_program, "The relay's program",
          "PATH" },
        { "cleanup", 0, 0, G_OPTION_ARG_NONE, &options->cleanup,
          "End every relay, remove our sockets, and exit", NULL },
        { "retire", 0, 0, G_OPTION_ARG_NONE, &options->retire,
          "Make nothing new, and end with the last guest that is served", NULL },
        { "debug", 0, 0, G_OPTION_ARG_NONE, &options->debug, "Log more", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Show the version", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(context,
                                 "Makes the far ends of libvirt guests' socket NICs exist. "
                                 "Runs in the foreground.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                    "unexpected argument \"%s\"", (*argv)[1]);
        return FALSE;
    }
    return TRUE;
}

static void set_text(char **text, const char *directory, const char *name)
{
    if (!*text)
        *text = name ? g_build_filename(directory, name, NULL) : g_strdup(directory);
}

gboolean nr_options_default_paths(NrOptions *options, const char *relay, GError **error)
{
    char directory[PATH_MAX];
    int r = paths_config_dir(geteuid(), directory, sizeof(directory));

    if (r < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "no directory for settings: %s",
                    g_strerror(-r));
        return FALSE;
    }
    set_text(&options->config_file, directory, "netrelayd.conf");
    set_text(&options->networks_dir, directory, "networks");
    set_text(&options->relay_program, relay, NULL);
    return TRUE;
}
