/* What C and the shaders must agree on: bindings, specialisation constants, push constants. Included by GLSL and by C.
 * The report's layout is public and stands in include/smoe/report.h; the control buffer's regions are laid out only by
 * C, in src/domain/control.c, and the kernels get their places by push constants.
 *
 * Every kernel uses one pipeline layout:
 *   set 0, io:      0 input, 1 control, 2 output    (storage buffers, set by the binding and the stage)
 *   set 1, weights: 0 w, 1 b, 2 w3, 3 b3    (storage buffers, set by the layer; one set per range of experts)
 * Where a stage without weights has a second input, set 1 is the binding's: w is given weights [T,R], b is x [T,D], or
 * latent x [T,L] for latent_sum.
 *
 *   stage           input              control          output
 *   route_project   x [T,D]            projected out    -
 *   route_logits    x [T,D]            projected in, logits out   -
 *     shared gate   x [T,D]            shared gate out, a part of its own   -
 *   route_group     -                  logits in, groups out   -
 *     balanced      -                  logits in, groups out   -
 *   route_select    -                  logits and groups in, routing out   report, if flags say so
 *     given         ids [T,R]          logits and routing in, routing out   report, if flags say so
 *   totals          -                  routing in       totals
 *   sort            -                  routing in, tiles and arguments out   -
 *   latent_down     x [T,D]            -                latent x [T,L]
 *   expert_up       x [T,D] or latent  tiles in         hidden [rows,H], or the shared expert's part [T,S]
 *   expert_down     hidden, or that    tiles in         expert rows [rows,L], or the shared expert's part [T,D]
 *   latent_sum      expert rows        routing in       latent sum [T,L]
 *     zero experts  that, and latent x routing in       latent sum [T,L]
 *   latent_up       latent sum         -                lifted rows [T,D], a part of the expert rows
 *   combine         expert rows, all   routing in       y [T,D]
 *     zero experts  that, and x [T,D]  routing in       y [T,D]
 *
 * Seven storage buffers at most, so that a device with eight per stage is enough. T here is the token count of one
 * pass; a forward over more takes several passes. L is D without latent experts. rows: one per token and active expert,
 * sorted by expert. */
#ifndef SMOE_INTERFACE_H
#define SMOE_INTERFACE_H

#define SMOE_SET_IO 0
#define SMOE_SET_WEIGHTS 1
#define SMOE_BINDING_INPUT 0
#define SMOE_BINDING_CONTROL 1
#define SMOE_BINDING_OUTPUT 2
#define SMOE_BINDING_W 0
#define SMOE_BINDING_B 1
#define SMOE_BINDING_W3 2
#define SMOE_BINDING_B3 3

/* Specialisation constants, all of 32 bits: C(id, name in GLSL, name in C, value where none is given). ids count up
 * from 0. They follow from the device and from classes of shapes: flags, types, powers of two. Widths and counts are
 * push constants, so that layers of many shapes share a pipeline. A constant that a kernel does not look at follows
 * from the others, or is 0. */
#define SMOE_WORKGROUP_SIZE_ID 0 /* a literal for local_size_x_id */
#define SMOE_CONSTANTS(C)                                                                                            \
    C(0, WORKGROUP_SIZE, workgroup_size, 64)    /* local_size_x */                                                   \
    C(1, SUBGROUP_SIZE, subgroup_size, 32)      /* what the pipeline requires, or the device's least */              \
    C(2, TILE_ROWS, tile_rows, 32)              /* rows of one expert per tile: what sort cuts the rows into */      \
    C(3, TILE_COLUMNS, tile_columns, 32)                                                                             \
    C(4, TILE_DEPTH, tile_depth, 16)                                                                                 \
    C(5, THREAD_ROWS, thread_rows, 4)           /* outputs per invocation; with cooperative matrices per subgroup */ \
    C(6, THREAD_COLUMNS, thread_columns, 4)                                                                          \
    C(7, WEIGHT_TYPE, weight_type, 0)           /* smoe_type */                                                      \
    C(8, ACTIVATION, activation, 0)             /* smoe_activation */                                                \
    C(9, GATED, gated, 0)                                                                                            \
    C(10, INPUTS_ALIGNED, inputs_aligned, 1)    /* 1: rows are multiples of 4 elements, and read four at a time */   \
    C(11, WEIGHTS_ALIGNED, weights_aligned, 1)  /* 1: rows of weights are multiples of 16 bytes */                   \
    C(12, DEPTH_ALIGNED, depth_aligned, 1)      /* 1: K is a multiple of TILE_DEPTH */                               \
    C(13, SHARED_EXPERT, shared_expert, 0)      /* matrices: 1: rows are tokens; combine: 1: there is one */         \
    C(14, SHARED_GATE, shared_gate, 0)          /* 1: its weight is a sigmoid */                                     \
    C(15, MOST_EXPERTS, most_experts, 8)        /* the least power of two that is not below E */                     \
    C(16, MOST_ACTIVE, most_active, 2)          /* the same for A */                                                 \
    C(17, MOST_GROUPS, most_groups, 1)          /* the same for the groups */                                        \
    C(18, GROUPED, grouped, 0)                  /* SMOE_GROUPED_* */                                                 \
    C(19, GATE, gate, 0)                        /* smoe_gate */                                                      \
    C(20, RENORMALIZE, renormalize, 1)          /* SMOE_RENORMALIZE_* */                                             \
    C(21, MATRIX_ROWS, matrix_rows, 16)         /* M, N and K of the device's cooperative matrices */                \
    C(22, MATRIX_COLUMNS, matrix_columns, 16)                                                                        \
    C(23, MATRIX_DEPTH, matrix_depth, 16)                                                                            \
    C(24, SHARED_MEMORY_SIZE, shared_memory_size, 16384) /* bytes; the cooperative kernels' one array has so many */ \
    C(25, LIMITED, limited, 0)                  /* 1: gated, with limits, alpha or offset, by push constants */       \
    C(26, EXPERT_SCALE, expert_scale, 0)        /* 1: a factor for each expert's weight */                           \
    C(27, GROUP_SCORE, group_score, 0)          /* smoe_group_score */                                               \
    C(28, WEIGHTED_INPUT, weighted_input, 0)    /* 1: an expert's weight multiplies its input */                     \
    C(29, LATENT, latent, 0)                    /* combine: 1: the routed part is latent_up's row */                 \
    C(30, GIVEN, given, 0)                      /* SMOE_GIVEN_* */                                                   \
    C(31, ZERO_EXPERTS, zero_experts, 0)        /* 1: the last experts have no matrices, nor rows */

/* What groups of experts are for. */
#define SMOE_GROUPED_NONE 0
#define SMOE_GROUPED_LIMITED 1  /* some of them may be chosen from */
#define SMOE_GROUPED_BALANCED 2 /* as many experts of each are chosen */

/* What weights are divided by. */
#define SMOE_RENORMALIZE_NONE 0   /* softmax gates: the sum over all experts; the others: nothing */
#define SMOE_RENORMALIZE_SUM 1    /* the sum of those that run */
#define SMOE_RENORMALIZE_FLOOR 2  /* that, and at least a number */
#define SMOE_RENORMALIZE_ADDEND 3 /* that and a number */

/* Which parts of the routing the app gives. A token may then run no expert and still be finite: its first word of
 * WEIGHTS says so, 0 or NaN. */
#define SMOE_GIVEN_NONE 0
#define SMOE_GIVEN_IDS 1
#define SMOE_GIVEN_WEIGHTS 2 /* and ids */

/* What an element of a weight is: E(name, number, bits). E2M1 and E4M3 are OCP's, IQ4 is the table of 16 signed bytes
 * of GGUF's IQ4, OFFSET4 is 0 .. 15 less 8. */
#define SMOE_ELEMENTS(E) \
    E(FLOAT32, 0, 32)    \
    E(FLOAT16, 1, 16)    \
    E(BFLOAT16, 2, 16)   \
    E(E2M1, 3, 4)        \
    E(IQ4, 4, 4)         \
    E(OFFSET4, 5, 4)     \
    E(UINT4, 6, 4)       \
    E(INT8, 7, 8)        \
    E(UINT8, 8, 8)       \
    E(E4M3, 9, 8)

/* How the scales of a type are stored: S(name, number, bytes of a block's, bytes of a second one). q is the element:
 *   E8M0, E4M3, HALF, FLOAT  d q, of one number
 *   HALF_MINIMUM             d q + m: float16 d, then float16 m
 *   HALF_ZERO                d (q - z): float16 d; second: signed byte z
 *   BYTE_HALF                d s q: signed byte s; second: float16 d
 *   BYTES_HALVES             d s q - e m: unsigned bytes s, m; second: float16 d, then float16 e */
#define SMOE_SCALE_FORMS(S)  \
    S(NONE, 0, 0, 0)         \
    S(E8M0, 1, 1, 0)         \
    S(E4M3, 2, 1, 0)         \
    S(HALF, 3, 2, 0)         \
    S(FLOAT, 4, 4, 0)        \
    S(HALF_MINIMUM, 5, 4, 0) \
    S(HALF_ZERO, 6, 2, 1)    \
    S(BYTE_HALF, 7, 1, 2)    \
    S(BYTES_HALVES, 8, 2, 4)

/* Types of weights, smoe_type: T(name, number, element, columns and rows of a block, whose elements share a scale, form
 * of the scales, columns that share a second scale or 0, 1: a factor of each matrix, 1: smoe_weights_pack rounds to
 * it). Types without scales have blocks of one element. smoe/weights.h has the layout. */
#define SMOE_WEIGHT_TYPES(T)                           \
    T(FLOAT32, 0, FLOAT32, 1, 1, NONE, 0, 0, 1)        \
    T(FLOAT16, 1, FLOAT16, 1, 1, NONE, 0, 0, 1)        \
    T(BFLOAT16, 2, BFLOAT16, 1, 1, NONE, 0, 0, 1)      \
    T(MXFP4, 3, E2M1, 32, 1, E8M0, 0, 0, 1)            \
    T(Q4, 4, OFFSET4, 32, 1, HALF, 0, 1, 1)            \
    T(Q8, 5, INT8, 32, 1, HALF, 0, 1, 1)               \
    T(FP8, 6, E4M3, 128, 128, FLOAT, 0, 0, 1)          \
    T(NVFP4, 7, E2M1, 16, 1, E4M3, 0, 1, 1)            \
    T(IQ4, 8, IQ4, 32, 1, HALF, 0, 0, 0)               \
    T(IQ4_XS, 9, IQ4, 32, 1, BYTE_HALF, 256, 0, 0)     \
    T(Q4_MIN, 10, UINT4, 32, 1, HALF_MINIMUM, 0, 0, 0) \
    T(Q4_ZERO, 11, UINT4, 32, 1, HALF_ZERO, 32, 1, 0)  \
    T(Q4_K, 12, UINT4, 32, 1, BYTES_HALVES, 256, 0, 0) \
    T(Q8_MIN, 13, UINT8, 32, 1, HALF_MINIMUM, 0, 0, 0) \
    T(Q8_ZERO, 14, INT8, 32, 1, HALF_ZERO, 32, 1, 0)   \
    T(Q8_K, 15, UINT8, 32, 1, BYTES_HALVES, 256, 0, 0) \
    T(Q6_K, 16, INT8, 16, 1, BYTE_HALF, 256, 0, 0)     \
    T(Q8_ROWS, 17, INT8, 128, 1, FLOAT, 0, 0, 0)       \
    T(FP8_ROWS, 18, E4M3, 128, 1, FLOAT, 0, 0, 0)

/* The values of constants that are enumerations in smoe.h, for GLSL. src/domain/names.c checks that both agree.
 * swiglu_clamped is not among them: kernels run it as silu with limits (src/domain/gating.c). */
#define SMOE_ENUMERATORS(E)                                                                          \
    E(ACTIVATION_IDENTITY, 0) E(ACTIVATION_RELU, 1) E(ACTIVATION_GELU, 2) E(ACTIVATION_GELU_TANH, 3) \
    E(ACTIVATION_SILU, 4) E(ACTIVATION_RELU_SQUARED, 5)                                              \
    E(GATE_SOFTMAX, 0) E(GATE_SIGMOID, 1) E(GATE_SQRT_SOFTPLUS, 2) E(GATE_SOFTMAX_BIAS, 3)           \
    E(GROUP_SCORE_SUM2, 0) E(GROUP_SCORE_MAX, 1)

/* Push constants: a block for each kind of stage. A place (_at) is a word of the control buffer, an offset (_offset) is
 * in elements of the tensor from the start of its binding: the descriptor's offset is rounded down to the device's
 * alignment, and this is the rest. */

/* Matrix multiplications: route_project, route_logits and the shared expert's gate, expert_up, expert_down. */
#define SMOE_PUSH_MATMUL(UINT, FLOAT)                                                                 \
    UINT token_count;                                                                                 \
    UINT flags;           /* SMOE_FLAG_BIAS, SMOE_FLAG_BIAS3 */                                       \
    UINT depth;           /* K: elements of an input row */                                           \
    UINT columns;         /* N: outputs of a row */                                                   \
    UINT w_offset;        /* of types with scales in units of 16 bytes; so is w3_offset */            \
    UINT b_offset;                                                                                    \
    UINT w3_offset;                                                                                   \
    UINT b3_offset;                                                                                   \
    UINT output_at;       /* router only: LOGITS, PROJECTED, or 0 where the binding is SHARED_GATE */ \
    UINT first_tile;      /* of this dispatch; not looked at for routed experts */                    \
    UINT first_expert;    /* from here on routed experts only: the first of this range */             \
    UINT arguments_at;    /* ARGUMENTS of this dispatch, its first tile among them */                 \
    UINT tiles_at;                                                                                    \
    UINT row_tokens_at;                                                                               \
    UINT row_weights_at;  /* expert_up with WEIGHTED_INPUT only */                                    \
    FLOAT gate_max;       /* from here on expert_up with LIMITED only; +infinity: no limit */         \
    FLOAT up_limit;                                                                                   \
    FLOAT gate_limit_after;                                                                           \
    FLOAT gate_alpha;                                                                                 \
    FLOAT up_offset;

/* The cosine router's route_logits. */
#define SMOE_PUSH_COSINE(UINT, FLOAT) \
    UINT token_count;                 \
    UINT projection_width;            \
    UINT expert_count;                \
    UINT projected_at;                \
    UINT logits_at;                   \
    UINT w_offset;                    \
    UINT b_offset;

/* What route_group and route_select begin with: what score.glsl reads. */
#define SMOE_PUSH_SCORES(UINT, FLOAT)                                                   \
    UINT token_count;                                                                   \
    UINT flags;           /* SMOE_FLAG_BIAS; route_select: _REPORT, _TOTALS, _SCORES */ \
    UINT expert_count;                                                                  \
    UINT group_count;                                                                   \
    UINT group_size;      /* experts of a group */                                      \
    UINT b_offset;        /* of the selection bias */                                   \
    UINT logits_at;                                                                     \
    UINT groups_at;

#define SMOE_PUSH_GROUP_ONLY(UINT, FLOAT) \
    UINT top_groups;                      \
    FLOAT group_eps;

#define SMOE_PUSH_BALANCE_ONLY(UINT, FLOAT)                 \
    UINT group_top_k;     /* experts chosen in each group */ \
    UINT group_cap;       /* the cap of this call in each */ \
    FLOAT eps;                                               \
    FLOAT tie_tolerance;

#define SMOE_PUSH_SELECT_ONLY(UINT, FLOAT)                                                              \
    UINT top_k;                                                                                         \
    UINT max_active;      /* the cap of this call */                                                    \
    UINT active_stride;   /* A, the plan's cap: IDS, WEIGHTS and the report's have so many per token */ \
    UINT active_at;                                                                                     \
    UINT ids_at;                                                                                        \
    UINT weights_at;                                                                                    \
    UINT notes_at;                                                                                      \
    FLOAT eps;                                                                                          \
    FLOAT a;                                                                                            \
    FLOAT b;                                                                                            \
    FLOAT temperature;                                                                                  \
    FLOAT tie_tolerance;                                                                                \
    FLOAT scale;                                                                                        \
    FLOAT log_divisor;    /* of the floor or addend, its natural logarithm */                           \
    UINT expert_scale_offset;                                                                           \
    UINT input_weights_at; /* with WEIGHTED_INPUT only */

#define SMOE_PUSH_GIVEN_ONLY(UINT, FLOAT) UINT given_count; /* R */

#define SMOE_PUSH_GROUP(UINT, FLOAT) SMOE_PUSH_SCORES(UINT, FLOAT) SMOE_PUSH_GROUP_ONLY(UINT, FLOAT)
#define SMOE_PUSH_BALANCE(UINT, FLOAT) SMOE_PUSH_SCORES(UINT, FLOAT) SMOE_PUSH_BALANCE_ONLY(UINT, FLOAT)
#define SMOE_PUSH_SELECT(UINT, FLOAT) SMOE_PUSH_SCORES(UINT, FLOAT) SMOE_PUSH_SELECT_ONLY(UINT, FLOAT)
#define SMOE_PUSH_GIVEN(UINT, FLOAT) SMOE_PUSH_SELECT(UINT, FLOAT) SMOE_PUSH_GIVEN_ONLY(UINT, FLOAT)

#define SMOE_PUSH_SORT(UINT, FLOAT)                                                           \
    UINT token_count;                                                                         \
    UINT expert_count;    /* M: those that have matrices */                                   \
    UINT active_stride;                                                                       \
    UINT range_count;     /* ranges of experts, each with its own weights set */              \
    UINT range_experts;   /* experts per range; the last range may have fewer */              \
    UINT up_column_tiles; /* ceil(H / tile columns of expert_up): x of its dispatch */        \
    UINT down_column_tiles; /* ceil(D / tile columns of expert_down) */                       \
    UINT range_pieces;    /* records of ARGUMENTS for each range: this pass's pieces */       \
    UINT up_piece_tiles;  /* tiles of a dispatch of expert_up; the last one may have fewer */ \
    UINT down_piece_tiles;                                                                    \
    UINT active_at;                                                                           \
    UINT ids_at;                                                                              \
    UINT rows_at;                                                                             \
    UINT row_tokens_at;                                                                       \
    UINT tiles_at;                                                                            \
    UINT input_weights_at; /* this and the next with WEIGHTED_INPUT only */                   \
    UINT row_weights_at;

#define SMOE_PUSH_TOTALS(UINT, FLOAT) \
    UINT token_count;                 \
    UINT expert_count;                \
    UINT active_stride;               \
    UINT active_at;                   \
    UINT ids_at;                      \
    UINT notes_at;

#define SMOE_PUSH_COMBINE(UINT, FLOAT)                                             \
    UINT width;         /* D; of latent_sum L */                                   \
    UINT active_stride;                                                            \
    UINT active_at;                                                                \
    UINT weights_at;                                                               \
    UINT rows_at;                                                                  \
    UINT shared_gate_at;                                                           \
    UINT lifted_start;  /* elements of the expert rows before those of latent_up */ \
    UINT shared_start;  /* and before the shared expert's */

#define SMOE_FLAG_BIAS 1      /* binding b holds a bias */
#define SMOE_FLAG_BIAS3 2 /* binding b3 holds a bias */
#define SMOE_FLAG_REPORT 4    /* write the report */
#define SMOE_FLAG_TOTALS 8    /* leave notes for the totals */
#define SMOE_FLAG_SCORES 16   /* leave the scores where the logits were */

/* Records of the control buffer. ARGUMENTS are at its start: for each piece of each range expert_up's, then
 * expert_down's. */
#define SMOE_ARGUMENT_WORDS 4
#define SMOE_ARGUMENTS_UP 0
#define SMOE_ARGUMENTS_DOWN 1
#define SMOE_ARGUMENTS_AT(piece, stage) (SMOE_ARGUMENT_WORDS * (2 * (piece) + (stage)))
#define SMOE_TILE_WORDS 4
#define SMOE_GROUP_WORDS(groups) ((groups) + 2)
#define SMOE_GROUP_OUT -1.0
#define SMOE_NO_ROW 0xffffffffu /* in ROWS: a zero expert's */
/* What balanced groups leave for a token: for each group the score and the expert of the last one chosen, and its band;
 * then the least gap, that group's order, and the least band. */
#define SMOE_BALANCE_GROUP_WORDS 3
#define SMOE_BALANCE_WORDS(groups) (SMOE_BALANCE_GROUP_WORDS * (groups) + 3)

#endif
