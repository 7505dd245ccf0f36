/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dbus-hello.h"

#include <stdio.h>
#include <string.h>

#define REJECTED "REJECTED EXTERNAL\r\n"

/* The decimal number of a user, its characters in hexadecimal. */
static char *encoded(uid_t uid)
{
    g_autofree char *number = g_strdup_printf("%u", (unsigned)uid);
    GString *text = g_string_new(NULL);

    for (const char *c = number; *c; c++)
        g_string_append_printf(text, "%02x", (unsigned)*c);
    return g_string_free(text, FALSE);
}

/* Who says nothing is who the kernel says. */
static void judge(NrHello *hello, const char *claim, GString *out)
{
    g_autofree char *uid = encoded(hello->uid);

    hello->expects_data = FALSE;
    hello->accepted = !*claim || g_ascii_strcasecmp(claim, uid) == 0;
    if (hello->accepted)
        g_string_append_printf(out, "OK %s\r\n", hello->guid);
    else
        g_string_append(out, REJECTED);
}

static void take_auth(NrHello *hello, const char *line, GString *out)
{
    if (g_str_equal(line, "AUTH EXTERNAL")) {
        hello->expects_data = TRUE;
        g_string_append(out, "DATA\r\n");
    } else if (g_str_has_prefix(line, "AUTH EXTERNAL ")) {
        judge(hello, line + strlen("AUTH EXTERNAL "), out);
    } else if (g_str_equal(line, "AUTH") || g_str_has_prefix(line, "AUTH ")) {
        g_string_append(out, REJECTED); /* which says what there is */
    } else {
        g_string_append(out, "ERROR\r\n");
    }
}

static NrHelloResult take_line(NrHello *hello, const char *line, GString *out)
{
    if (hello->accepted && g_str_equal(line, "BEGIN"))
        return NR_HELLO_DONE;
    if (hello->accepted && g_str_equal(line, "NEGOTIATE_UNIX_FD")) {
        hello->takes_fds = TRUE;
        g_string_append(out, "AGREE_UNIX_FD\r\n");
    } else if (hello->expects_data &&
               (g_str_equal(line, "DATA") || g_str_has_prefix(line, "DATA "))) {
        judge(hello, line[strlen("DATA")] ? line + strlen("DATA ") : "", out);
    } else if (g_str_equal(line, "CANCEL") || g_str_has_prefix(line, "ERROR")) {
        hello->accepted = hello->expects_data = FALSE;
        g_string_append(out, REJECTED);
    } else if (hello->accepted) {
        g_string_append(out, "ERROR\r\n");
    } else {
        take_auth(hello, line, out);
    }
    return NR_HELLO_MORE;
}

/* The first byte is none of a line: it once carried credentials. */
static gboolean take_first(NrHello *hello, GByteArray *in)
{
    if (hello->taken > 0 || in->len == 0)
        return TRUE;
    if (in->data[0] != '\0')
        return FALSE;
    g_byte_array_remove_index(in, 0);
    hello->taken = 1;
    return TRUE;
}

NrHelloResult nr_hello_take(NrHello *hello, GByteArray *in, GString *out)
{
    if (!take_first(hello, in))
        return NR_HELLO_BAD;
    for (;;) {
        const guint8 *end = in->len > 0 ? memmem(in->data, in->len, "\r\n", 2) : NULL;
        gsize length = end ? (gsize)(end - in->data) + 2 : in->len;
        g_autofree char *line = NULL;
        NrHelloResult result;

        if (hello->taken + length > NR_HELLO_MAX)
            return NR_HELLO_BAD;
        if (!end)
            return NR_HELLO_MORE;
        line = g_strndup((const char *)in->data, length - 2);
        hello->taken += length;
        g_byte_array_remove_range(in, 0, (guint)length);
        result = take_line(hello, line, out);
        if (result != NR_HELLO_MORE)
            return result;
    }
}

GByteArray *nr_hello_script(uid_t uid, gboolean takes_fds)
{
    g_autofree char *number = encoded(uid);
    g_autofree char *lines = g_strdup_printf("AUTH EXTERNAL %s\r\n%sBEGIN\r\n", number,
                                             takes_fds ? "NEGOTIATE_UNIX_FD\r\n" : "");
    GByteArray *script = g_byte_array_new();

    g_byte_array_append(script, (const guint8 *)"", 1);
    g_byte_array_append(script, (const guint8 *)lines, (guint)strlen(lines));
    return script;
}
