/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only in builds with the address sanitizer. libvdeplug loads its modules so that they see their
 * own libraries' symbols before anybody's, at which the sanitizer ends the program: its malloc()
 * would not be theirs. Here they see ours first. */
#include <dlfcn.h>

void *dlopen(const char *file, int mode)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");

    return next(file, mode & ~RTLD_DEEPBIND);
}
