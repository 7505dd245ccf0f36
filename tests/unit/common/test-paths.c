/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/paths.h"

#define NO_SUCH_UID ((uid_t)3999999999u)

/* Some uid that has a home and no /run/user of its own; root's own paths are fixed. */
static const struct passwd *user_without_session(void)
{
    const struct passwd *entry;

    setpwent();
    while ((entry = getpwent())) {
        g_autofree char *session = g_strdup_printf("/run/user/%u", (unsigned)entry->pw_uid);

        if (entry->pw_uid != 0 && entry->pw_dir[0] == '/' &&
            !g_file_test(session, G_FILE_TEST_EXISTS))
            return entry;
    }
    return NULL;
}

static void test_root(void)
{
    char buf[256];

    g_setenv("XDG_CONFIG_HOME", "/elsewhere", TRUE);
    g_assert_cmpint(paths_runtime_dir(0, buf, sizeof(buf)), ==, 0);
    g_assert_cmpstr(buf, ==, "/run/netrelay");
    g_assert_cmpint(paths_config_dir(0, buf, sizeof(buf)), ==, 0);
    g_assert_cmpstr(buf, ==, "/etc/netrelay");
}

static void test_user(void)
{
    const struct passwd *entry = user_without_session();
    g_autofree char *cache = NULL, *config = NULL;
    char buf[4096];
    uid_t uid;

    if (!entry) {
        g_test_skip("every user here has a session");
        return;
    }
    uid = entry->pw_uid;
    cache = g_strdup_printf("%s/.cache/netrelay", entry->pw_dir);
    config = g_strdup_printf("%s/.config/netrelay", entry->pw_dir);

    g_setenv("XDG_RUNTIME_DIR", "/elsewhere", TRUE); /* which libvirt's hooks do not get */
    g_assert_cmpint(paths_runtime_dir(uid, buf, sizeof(buf)), ==, 0);
    g_assert_cmpstr(buf, ==, cache);

    g_unsetenv("XDG_CONFIG_HOME");
    g_assert_cmpint(paths_config_dir(uid, buf, sizeof(buf)), ==, 0);
    g_assert_cmpstr(buf, ==, config);
    g_setenv("XDG_CONFIG_HOME", "relative", TRUE);
    g_assert_cmpint(paths_config_dir(uid, buf, sizeof(buf)), ==, 0);
    g_assert_cmpstr(buf, ==, config);
    g_setenv("XDG_CONFIG_HOME", "/a/b", TRUE);
    g_assert_cmpint(paths_config_dir(uid, buf, sizeof(buf)), ==, 0);
    g_assert_cmpstr(buf, ==, "/a/b/netrelay");
}

static void test_too_long(void)
{
    char buf[14] = "";

    g_assert_cmpint(paths_runtime_dir(0, buf, 13), ==, -ENAMETOOLONG);
    g_assert_cmpint(paths_runtime_dir(0, buf, 14), ==, 0);
    g_assert_cmpint(paths_runtime_dir(0, NULL, 0), ==, -ENAMETOOLONG);
}

static void test_no_home(void)
{
    char buf[256];

    if (getpwuid(NO_SUCH_UID)) {
        g_test_skip("that user exists here");
        return;
    }
    g_unsetenv("XDG_CONFIG_HOME");
    g_assert_cmpint(paths_runtime_dir(NO_SUCH_UID, buf, sizeof(buf)), ==, -ENOENT);
    g_assert_cmpint(paths_config_dir(NO_SUCH_UID, buf, sizeof(buf)), ==, -ENOENT);
    g_setenv("XDG_CONFIG_HOME", "/a/b", TRUE); /* needs no home */
    g_assert_cmpint(paths_config_dir(NO_SUCH_UID, buf, sizeof(buf)), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/paths/root", test_root);
    g_test_add_func("/paths/user", test_user);
    g_test_add_func("/paths/too-long", test_too_long);
    g_test_add_func("/paths/no-home", test_no_home);
    return g_test_run();
}
