/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON value as Python's repr() prints it: scripts of operators cut on these lines
 * (tenant-and-management-api §2.11).
 */
#pragma once

#include "base/json.h"

/* {'code': 200, 'x': None, 'y': True}; newly allocated. */
char *python_repr(Json *value);
