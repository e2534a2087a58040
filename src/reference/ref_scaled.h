/* Weights with scales in the reference, which has only floats. */
#ifndef REF_SCALED_H
#define REF_SCALED_H

#include "ref.h"

enum { REF_EXPERT_MATRICES = 3 };

/* Where an expert's type has scales, its matrices become copies of the values that the library has for them, of
 * float32, and its factors theirs: floats are rounded, what is stored is read. memory: for ref_free_expert, also where
 * there is none and the call is false. */
bool ref_round_expert(ref_expert *expert, float *memory[REF_EXPERT_MATRICES]);
void ref_free_expert(float *memory[REF_EXPERT_MATRICES]);

#endif
