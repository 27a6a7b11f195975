/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GLib's locks for ThreadSanitizer. GLib builds them from futexes in a library that the sanitizer
 * does not see into, so that every access they guard would look like a race. In a build with
 * -Db_sanitize=thread the names below stand for these functions (see meson.build), which tell it.
 */
#undef g_mutex_lock
#undef g_mutex_trylock
#undef g_mutex_unlock
#undef g_cond_wait
#undef g_cond_wait_until

#include <glib.h>
#include <sanitizer/tsan_interface.h>

void tsan_mutex_lock(GMutex *mutex);
gboolean tsan_mutex_trylock(GMutex *mutex);
void tsan_mutex_unlock(GMutex *mutex);
void tsan_cond_wait(GCond *condition, GMutex *mutex);
gboolean tsan_cond_wait_until(GCond *condition, GMutex *mutex, gint64 end);

void tsan_mutex_lock(GMutex *mutex)
{
    g_mutex_lock(mutex);
    __tsan_acquire(mutex);
}

gboolean tsan_mutex_trylock(GMutex *mutex)
{
    gboolean taken = g_mutex_trylock(mutex);
    if (taken)
        __tsan_acquire(mutex);
    return taken;
}

void tsan_mutex_unlock(GMutex *mutex)
{
    __tsan_release(mutex);
    g_mutex_unlock(mutex);
}

void tsan_cond_wait(GCond *condition, GMutex *mutex)
{
    __tsan_release(mutex);
    g_cond_wait(condition, mutex);
    __tsan_acquire(mutex);
}

gboolean tsan_cond_wait_until(GCond *condition, GMutex *mutex, gint64 end)
{
    __tsan_release(mutex);
    gboolean signalled = g_cond_wait_until(condition, mutex, end);
    __tsan_acquire(mutex);
    return signalled;
}
