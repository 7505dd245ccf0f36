/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/dbus-hello.h"
#include "model-fixture.h"

#define OK       "OK 0123\r\n"
#define REJECTED "REJECTED EXTERNAL\r\n"

typedef struct {
    const char *what, *said; /* behind the first byte, by user 1000 */
    const char *answer;
    NrHelloResult result;
    gboolean takes_fds;
} Case;

static const Case cases[] = {
    { "GDBus", "AUTH\r\nAUTH EXTERNAL 31303030\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
      REJECTED OK "AGREE_UNIX_FD\r\n", NR_HELLO_DONE, TRUE },
    { "sd-bus, all at once", "AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
      "DATA\r\n" OK "AGREE_UNIX_FD\r\n", NR_HELLO_DONE, TRUE },
    { "without descriptors", "AUTH EXTERNAL 31303030\r\nBEGIN\r\n", OK, NR_HELLO_DONE, FALSE },
    { "by DATA", "AUTH EXTERNAL\r\nDATA 31303030\r\nBEGIN\r\n", "DATA\r\n" OK, NR_HELLO_DONE,
      FALSE },
    { "not to the end", "AUTH EXTERNAL 31303030\r\nBEGIN\r", OK, NR_HELLO_MORE, FALSE },
    { "somebody else", "AUTH EXTERNAL 30\r\nBEGIN\r\n", REJECTED "ERROR\r\n", NR_HELLO_MORE,
      FALSE },
    { "somebody else by DATA", "AUTH EXTERNAL\r\nDATA 30\r\nBEGIN\r\n",
      "DATA\r\n" REJECTED "ERROR\r\n", NR_HELLO_MORE, FALSE },
    { "another way", "AUTH ANONYMOUS 00\r\nBEGIN\r\n", REJECTED "ERROR\r\n", NR_HELLO_MORE, FALSE },
    { "who thinks again", "AUTH EXTERNAL 31303030\r\nCANCEL\r\nBEGIN\r\n", OK REJECTED "ERROR\r\n",
      NR_HELLO_MORE, FALSE },
    { "descriptors before a name", "NEGOTIATE_UNIX_FD\r\n", "ERROR\r\n", NR_HELLO_MORE, FALSE },
    { "DATA out of turn", "DATA 31303030\r\nBEGIN\r\n", "ERROR\r\nERROR\r\n", NR_HELLO_MORE,
      FALSE },
    { "nonsense", "GET / HTTP/1.1\r\n", "ERROR\r\n", NR_HELLO_MORE, FALSE },
};

static NrHello hello_of(uid_t uid)
{
    return (NrHello){ .uid = uid, .guid = "0123" };
}

/* In pieces of n bytes: what is said means the same however it comes. */
static void say(const Case *c, gsize n)
{
    NrHello hello = hello_of(1000);
    g_autoptr(GByteArray) in = g_byte_array_new();
    g_autoptr(GString) answer = g_string_new(NULL);
    gsize length = strlen(c->said);
    NrHelloResult result;

    g_byte_array_append(in, (const guint8 *)"", 1);
    result = nr_hello_take(&hello, in, answer);
    for (gsize at = 0; at < length && result == NR_HELLO_MORE; at += n) {
        g_byte_array_append(in, (const guint8 *)c->said + at, (guint)MIN(n, length - at));
        result = nr_hello_take(&hello, in, answer);
    }
    g_assert_cmpint(result, ==, c->result);
    g_assert_cmpstr(answer->str, ==, c->answer);
    g_assert_cmpint(hello.takes_fds, ==, c->takes_fds);
}

static void test_cases(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].what);
        for (gsize n = 1; n < 100; n++)
            say(&cases[i], n);
    }
}

static void test_first_byte(void)
{
    NrHello hello = hello_of(0);
    g_autoptr(GByteArray) in = g_byte_array_new();
    g_autoptr(GString) answer = g_string_new(NULL);

    g_assert_cmpint(nr_hello_take(&hello, in, answer), ==, NR_HELLO_MORE);
    g_byte_array_append(in, (const guint8 *)"AUTH\r\n", 6);
    g_assert_cmpint(nr_hello_take(&hello, in, answer), ==, NR_HELLO_BAD);
    g_assert_cmpuint(answer->len, ==, 0);
}

/* One endless line, and lines without end. */
static void test_too_long(void)
{
    for (guint lines = 0; lines < 2; lines++) {
        NrHello hello = hello_of(0);
        g_autoptr(GByteArray) in = g_byte_array_new();
        g_autoptr(GString) answer = g_string_new(NULL);
        NrHelloResult result = NR_HELLO_MORE;
        gsize said = 1;

        g_byte_array_append(in, (const guint8 *)"", 1);
        for (; result == NR_HELLO_MORE && said < 10 * NR_HELLO_MAX; said += 2) {
            g_byte_array_append(in, (const guint8 *)(lines ? "\r\n" : "xx"), 2);
            result = nr_hello_take(&hello, in, answer);
        }
        g_assert_cmpint(result, ==, NR_HELLO_BAD);
        g_assert_cmpuint(said, <=, NR_HELLO_MAX + 4);
    }
}

static void test_messages_stay(void)
{
    NrHello hello = hello_of(0);
    g_autoptr(GByteArray) in = nr_hello_script(0, TRUE);
    g_autoptr(GString) answer = g_string_new(NULL);

    g_byte_array_append(in, (const guint8 *)"l\1\r\n", 4);
    g_assert_cmpint(nr_hello_take(&hello, in, answer), ==, NR_HELLO_DONE);
    g_assert_true(hello.takes_fds);
    g_assert_cmpmem(in->data, in->len, "l\1\r\n", 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dbus-hello/cases", test_cases);
    g_test_add_func("/dbus-hello/first-byte", test_first_byte);
    g_test_add_func("/dbus-hello/too-long", test_too_long);
    g_test_add_func("/dbus-hello/messages-stay", test_messages_stay);
    return g_test_run();
}
