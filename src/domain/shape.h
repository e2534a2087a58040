/* A layer's shape and everything that follows from it and a device's limits: passes, ranges of experts, the workspace's
 * layout. Pure arithmetic. */
#ifndef SMOE_DOMAIN_SHAPE_H
#define SMOE_DOMAIN_SHAPE_H

#include "base/host.h"
#include "control.h"

typedef struct smoe_shape {
    smoe_plan_desc desc;   /* max_active, max_expected_active and min_tokens resolved */
    uint32_t pass_tokens;  /* a forward over more tokens takes several passes */
    uint32_t matrix_experts; /* M: those that have matrices */
    uint32_t range_count;    /* ranges of the M, each within maxStorageBufferRange and maxMemoryAllocationSize */
    uint32_t range_experts;
    uint32_t range_pieces;  /* dispatches of a range at most, of expert_up and of expert_down: pieces.h */
    uint32_t group_count;  /* 0: no groups */
    uint32_t balanced_groups; /* 0: none */
    float log_divisor;     /* the natural logarithm of the sum's floor or addend; 0 where there is none */
    smoe_control control;  /* for pass_tokens */
    /* the workspace: control at 0, then the hidden rows, then the experts' rows, then the latent rows; bytes */
    uint64_t control_size;
    uint64_t hidden_offset, hidden_size;
    uint64_t rows_offset, rows_size;
    /* Where the shared expert's parts of control, hidden rows and experts' rows begin, in bytes from the workspace's
     * start. They have descriptors of their own, so they are aligned. Without a shared expert hidden and rows have no
     * such part: it begins at their end. */
    uint64_t shared_gate_offset, shared_hidden_offset, shared_rows_offset;
    /* Where the parts of latent experts begin: what latent_up gives, among the experts' rows before the shared one's;
     * what latent_down gives, and the weighted sum, [T,L] each. latent_size is that of the last two. Empty without. */
    uint64_t lifted_rows_offset, latent_offset, latent_sum_offset, latent_size;
    uint64_t workspace_size;
} smoe_shape;

/* Tokens per pass at most: keeps every dispatch dimension that counts tokens below 65535. */
#define SMOE_MAX_PASS_TOKENS 32768u

/* Tiles of a dispatch at most: maxComputeWorkGroupCount[1] is 65535 or more. */
#define SMOE_MOST_PIECE_TILES 65535u

/* Errors: INVALID_ARGUMENT for a description that breaks a rule of smoe_plan_desc, UNSUPPORTED for one beyond the
 * device's limits; the log line says which. */
smoe_result smoe_shape_init(const smoe_host *host, const smoe_device_info *info, const smoe_plan_desc *desc,
                            smoe_shape *out);

/* The width of an axis by its letter: D, H, E, M, L (the latent width, D without one), S (the shared expert's hidden
 * width), P (the projection's), 1; 0: no axis. */
uint32_t smoe_axis_width(const smoe_plan_desc *desc, char axis);

/* The type at an offset in smoe_plan_desc, which smoe_layer_tensor.type_offset may be; 0: float32. */
smoe_type smoe_matrix_type(const smoe_plan_desc *desc, size_t offset);

/* The most rows that a range's experts get of one token, which runs max_active experts at most. The app may give it an
 * expert several times. */
uint32_t smoe_shape_range_rows(const smoe_shape *shape, uint32_t max_active);

/* Experts in a range: range_experts, or fewer in the last. */
uint32_t smoe_shape_range_expert_count(const smoe_shape *shape, uint32_t range);

/* Tokens in pass number `pass` of a forward over token_count tokens. */
uint32_t smoe_shape_pass_token_count(const smoe_shape *shape, uint32_t token_count, uint32_t pass);

#endif
