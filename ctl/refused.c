/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/refused.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/paths.h"
#include "ctl/finding.h"

#define GROUPS_MAX 1024

/* By the database, which a login reads: this process has the groups that its login had. */
static gboolean is_listed(const struct passwd *user, gid_t group)
{
    g_autofree gid_t *groups = g_new(gid_t, GROUPS_MAX);
    int count = GROUPS_MAX;

    if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
        return FALSE;
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return TRUE;
    return FALSE;
}

static char *join_group(gid_t gid)
{
    const struct group *group = getgrgid(gid);
    const struct passwd *user = getpwuid(getuid());
    g_autofree char *group_word = NULL, *user_word = NULL;

    if (!group || !user)
        return g_strdup("call netrelayctl as root");
    if (is_listed(user, gid))
        return g_strdup_printf("%s has been added to that group since this login: log in again",
                               user->pw_name);
    group_word = nr_shell_word(group->gr_name);
    user_word = nr_shell_word(user->pw_name);
    return g_strdup_printf("have yourself added to that group and log in again; as root: "
                           "usermod -aG %s %s",
                           group_word, user_word);
}

static void explain_group(const char *dir, gid_t gid, NrSilence *ret)
{
    const struct group *group = getgrgid(gid);

    if (group)
        ret->text = g_strdup_printf("netrelayd in %s answers root and members of the group %s", dir,
                                    group->gr_name);
    else
        ret->text = g_strdup_printf("netrelayd in %s answers root and members of the group %u", dir,
                                    (unsigned)gid);
    ret->cure = join_group(gid);
}

void nr_refused_explain(const char *dir, NrSilence *ret)
{
    g_autofree char *path = g_build_filename(dir, PATHS_CONTROL_SOCKET, NULL);
    const struct passwd *owner;
    struct stat st;

    if (stat(path, &st) == 0 && st.st_mode & S_IWGRP) {
        explain_group(dir, st.st_gid, ret);
    } else if (stat(path, &st) == 0 && st.st_uid == 0) {
        ret->text = g_strdup_printf("netrelayd in %s answers root only", dir);
        ret->cure = g_strdup("call netrelayctl as root, or let root name a group under [control] "
                             "in netrelayd.conf");
    } else {
        owner = stat(dir, &st) == 0 ? getpwuid(st.st_uid) : NULL;
        ret->text = g_strdup_printf("the manager in %s is another user's", dir);
        ret->cure = g_strdup_printf("call netrelayctl as %s", owner ? owner->pw_name : "that user");
    }
}
