/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the code under test has wiped. The test is linked with -Wl,--wrap=OPENSSL_cleanse and
 * defines the wrapper by including this file, once.
 */
#pragma once

#include "base/bytes.h"

static GPtrArray *wiped; /* of GBytes, as they were before */

void __real_OPENSSL_cleanse(void *data, size_t size);
void __wrap_OPENSSL_cleanse(void *data, size_t size);
void __wrap_OPENSSL_cleanse(void *data, size_t size)
{
    if (!wiped)
        wiped = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_ptr_array_add(wiped, bytes_copy(bytes_of(data, size)));
    __real_OPENSSL_cleanse(data, size);
}

static inline void forget_wiped(void)
{
    g_clear_pointer(&wiped, g_ptr_array_unref);
}

/* How many times memory that holds `secret` anywhere was wiped since forget_wiped(). */
static inline unsigned times_wiped(Bytes secret)
{
    unsigned count = 0;
    for (guint i = 0; wiped && i < wiped->len; i++) {
        Bytes memory = bytes_of_gbytes(wiped->pdata[i]);
        if (memory.size >= secret.size &&
            memmem(memory.data, memory.size, secret.data, secret.size))
            count++;
    }
    return count;
}
