/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl net-edit: an editor on a copy, which takes the file's place when it is good. Whoever
 * made a mistake gets the own text again, not the old one. */
#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ctl/net-folder.h"
#include "ctl/read-all.h"
#include "xml/network-xml.h"

typedef struct {
    const NrNetFolder *folder;
    const char *path;   /* the network's file */
    char *copy;         /* the editor's */
    GByteArray *before; /* what was in it */
} Edit;

typedef enum { OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_AGAIN } Outcome;

static gboolean same(const GByteArray *a, const GByteArray *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static const char *editor_wished(void)
{
    static const char *const variables[] = { "VISUAL", "EDITOR" };

    for (guint i = 0; i < G_N_ELEMENTS(variables); i++) {
        const char *wish = g_getenv(variables[i]);

        if (wish && *wish)
            return wish;
    }
    return "vi";
}

/* $VISUAL or $EDITOR may have arguments of its own; no shell sees them. */
static gboolean call_editor(const char *file)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) editor = NULL;
    int status = 0;

    if (!g_shell_parse_argv(editor_wished(), NULL, &editor, &error)) {
        nr_complain("$VISUAL or $EDITOR: %s", error->message);
        return FALSE;
    }
    for (char **word = editor; *word; word++)
        g_ptr_array_add(words, g_strdup(*word));
    g_ptr_array_add(words, g_strdup(file));
    g_ptr_array_add(words, NULL);
    if (!g_spawn_sync(NULL, (char **)words->pdata, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
                      &status, &error) ||
        !g_spawn_check_wait_status(status, &error)) {
        nr_complain("the editor: %s", error->message);
        return FALSE;
    }
    return TRUE;
}

/* FALSE also at the end of input: a script has nobody who would mend it. */
static gboolean ask_again(void)
{
    char answer[64];

    for (;;) {
        fputs("Try again? [y,n]: ", stdout);
        fflush(stdout);
        if (!fgets(answer, sizeof(answer), stdin)) {
            putchar('\n');
            return FALSE;
        }
        if (g_ascii_tolower(answer[0]) == 'y' || g_ascii_tolower(answer[0]) == 'n')
            return g_ascii_tolower(answer[0]) == 'y';
    }
}

static Outcome put_in_place(const Edit *edit, const GByteArray *text)
{
    g_autofree char *shown = g_path_get_basename(edit->path);
    g_autoptr(GByteArray) now = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(NrNetwork) network = nr_net_folder_judge(edit->folder, (const char *)text->data,
                                                       text->len, shown, edit->path, &error);

    if (!network) {
        nr_complain("%s", error->message);
        return OUTCOME_AGAIN;
    }
    if (nr_read_named(edit->path, NR_NETWORK_XML_MAX, &now) < 0 || !same(now, edit->before)) {
        nr_complain("%s was changed by somebody else meanwhile; nothing is written", edit->path);
        return OUTCOME_FAILED;
    }
    if (!nr_net_folder_write(edit->folder, edit->path, (const char *)text->data, text->len) ||
        !nr_net_folder_apply(edit->folder, edit->path))
        return OUTCOME_FAILED;
    printf("Network %s XML configuration edited.\n", network->name);
    return OUTCOME_DONE;
}

static Outcome edit_once(const Edit *edit, const char *name)
{
    g_autoptr(GByteArray) after = NULL;
    int r;

    if (!call_editor(edit->copy))
        return OUTCOME_FAILED;
    r = nr_read_named(edit->copy, NR_NETWORK_XML_MAX, &after);
    if (r < 0) {
        nr_complain("cannot read %s: %s", edit->copy, g_strerror(-r));
        return OUTCOME_FAILED;
    }
    if (same(after, edit->before)) {
        printf("Network %s XML configuration not changed.\n", name);
        return OUTCOME_DONE;
    }
    return put_in_place(edit, after);
}

static gboolean make_copy(Edit *edit)
{
    g_autoptr(GError) error = NULL;
    int r = nr_read_named(edit->path, NR_NETWORK_XML_MAX, &edit->before);
    int fd;

    if (r < 0) {
        nr_complain("cannot read %s: %s", edit->path, g_strerror(-r));
        return FALSE;
    }
    fd = g_file_open_tmp("netrelay-XXXXXX.xml", &edit->copy, &error);
    if (fd >= 0)
        close(fd);
    if (fd < 0 || !g_file_set_contents_full(edit->copy, (const char *)edit->before->data,
                                            (gssize)edit->before->len, G_FILE_SET_CONTENTS_NONE,
                                            0600, &error)) {
        nr_complain("cannot make a copy to edit: %s", error->message);
        return FALSE;
    }
    return TRUE;
}

static void edit_clear(Edit *edit)
{
    if (edit->copy)
        (void)g_unlink(edit->copy);
    g_free(edit->copy);
    g_clear_pointer(&edit->before, g_byte_array_unref);
}

NrExit nr_net_edit_run(const NrCall *call)
{
    const char *name = call->operands[0];
    Outcome outcome = OUTCOME_FAILED;
    g_autofree char *path = NULL;
    Edit edit = { 0 };
    NrExit code;
    g_autoptr(NrNetFolder) folder = nr_net_folder_open(call, &path, &code);

    if (!folder)
        return code;
    edit.folder = folder;
    edit.path = path;
    if (make_copy(&edit)) {
        do
            outcome = edit_once(&edit, name);
        while (outcome == OUTCOME_AGAIN && ask_again());
    }
    edit_clear(&edit);
    return outcome == OUTCOME_DONE ? NR_EXIT_DONE : NR_EXIT_FAILED;
}
