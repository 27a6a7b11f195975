/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of tenant.conf (configuration-and-operations §5).
 */
#pragma once

#include "config/option.h"

extern const ConfigSchema tenant_schema;
