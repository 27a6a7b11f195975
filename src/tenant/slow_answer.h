/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells a person which server is being waited for when an answer takes longer than two seconds.
 */
#pragma once

#include <glib.h>

typedef struct SlowAnswer SlowAnswer;

/* Watch until the returned object is freed. `words` is borrowed. */
SlowAnswer *slow_answer_watch(const char *words);
void slow_answer_free(SlowAnswer *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SlowAnswer, slow_answer_free)
