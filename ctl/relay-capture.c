/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl --relay PATH capture: frames of a running relay as pcapng. */
#include <string.h>
#include "common/capture-proto.h"
#include "ctl/capture.h"
#include "daemon/row.h"

static gboolean add_matches(GArray *ids, const GPtrArray *rows,
                            gboolean (*is_meant)(GVariant *, const char *), const char *word)
{
    guint before = ids->len;

    for (guint i = 0; i < rows->len && *word; i++) {
        guint32 id = (guint32)nr_row_number(rows->pdata[i], "id");

        if (is_meant(rows->pdata[i], word))
            g_array_append_val(ids, id);
    }
    return ids->len > before;
}

/* A number is a port's; anything else may be an endpoint, with all its ports, or a port's name. */
static gboolean add_named(NrCaptureSource *source, const char *word)
{
    const NrRelayRows *rows = source->rows;

    if ((!g_ascii_isdigit(*word) || strchr(word, ':')) &&
        (add_matches(source->endpoints, rows->endpoints, nr_relay_is_endpoint, word) ||
         add_matches(source->endpoints, rows->endpoints, nr_relay_is_endpoint_without_options,
                     word)))
        return TRUE;
    return add_matches(source->ports, rows->ports, nr_relay_is_port, word);
}

static gboolean choose(NrCaptureSource *source, const NrCall *call)
{
    char **words = call->operands;
    guint count = call->operand_count;

    for (guint i = 0; i < count && !g_str_equal(words[i], "all"); i++) {
        if (!add_named(source, words[i])) {
            nr_complain("there is no port or endpoint '%s'", words[i]);
            return FALSE;
        }
    }
    if (count > 1 && g_strv_contains((const char *const *)words, "all")) {
        nr_complain("'all' stands alone: it is each frame once, where it comes in");
        return FALSE;
    }
    if (source->ports->len > CAPTURE_NAMES_MAX || source->endpoints->len > CAPTURE_NAMES_MAX) {
        nr_complain("these are more than %d ports or endpoints; name fewer, or all",
                    CAPTURE_NAMES_MAX);
        return FALSE;
    }
    return TRUE;
}

static NrCaptureSource *open_source(const NrCall *call, NrExit *ret_code)
{
    NrRelayClient *client = nr_relay_client_new(call, FALSE, ret_code);

    return client ? nr_capture_source_new(client, call->relay, ret_code) : NULL;
}

NrExit nr_relay_capture_run(const NrCall *call)
{
    g_auto(NrCapture) capture = { 0 };
    g_autoptr(NrCaptureSource) source = NULL;
    NrExit code;

    if (!nr_capture_init(&capture, call))
        return NR_EXIT_USAGE;
    source = open_source(call, &code);
    if (!source)
        return code;
    if (!choose(source, call) || !nr_capture_open(&capture))
        return NR_EXIT_FAILED;
    code = nr_capture_source_begin(source, capture.bounds.snaplen);
    if (code != NR_EXIT_DONE)
        return code;
    nr_capture_add(&capture, g_steal_pointer(&source));
    return nr_capture_run(&capture);
}
