/* Layers for tests that spoil numbers: few tokens and many, both routers and gates, groups, a shared expert, every
 * weight type. */
#ifndef SPOILT_CASES_H
#define SPOILT_CASES_H

#include "cases.h"

#define SPOILT_CASES 4

extern const layer_case spoilt_cases[SPOILT_CASES];

#endif
