/* What C and the shaders must agree on: bindings, constant ids, push constants, the control buffer's layout.
 * Included by GLSL and by C; the report's layout is public and stands in include/smoe/report.h.
 *
 * Every kernel uses one pipeline layout:
 *   set 0, io:      0 input, 1 control, 2 output    (storage buffers, set by the binding and the stage)
 *   set 1, weights: 0 w, 1 b, 2 w_gate, 3 b_gate     (storage buffers, set by the layer; one set per range of experts)
 *
 *   stage           input              control          output
 *   route_logits    x [T,D]            logits out       -
 *   route_select    -                  logits in, routing out   report, if flags say so
 *   sort            -                  routing in, tiles and arguments out   -
 *   expert_up       x [T,D]            tiles in         hidden [rows,H]
 *   expert_down     hidden [rows,H]    tiles in         expert rows [rows,D]
 *   combine         expert rows        routing in       y [T,D]
 *
 * Seven storage buffers at most, so that a device with eight per stage is enough. T here is the token count of one pass, at most
 * PASS_TOKENS; a forward over more takes several passes. rows: one per token and active expert, sorted by expert. */
#ifndef SMOE_INTERFACE_H
#define SMOE_INTERFACE_H

#define SMOE_SET_IO 0
#define SMOE_SET_WEIGHTS 1
#define SMOE_BINDING_INPUT 0
#define SMOE_BINDING_CONTROL 1
#define SMOE_BINDING_OUTPUT 2
#define SMOE_BINDING_W 0
#define SMOE_BINDING_B 1
#define SMOE_BINDING_W_GATE 2
#define SMOE_BINDING_B_GATE 3

/* Specialisation constants. D, H, E, k, A as in smoe_plan_desc. */
#define SMOE_ID_WORKGROUP_SIZE 0  /* local_size_x */
#define SMOE_ID_SUBGROUP_SIZE 1   /* the subgroup size the pipeline requires, or the smallest that the device may choose */
#define SMOE_ID_D_MODEL 2
#define SMOE_ID_D_HIDDEN 3
#define SMOE_ID_EXPERT_COUNT 4
#define SMOE_ID_TOP_K 5
#define SMOE_ID_MAX_ACTIVE 6
#define SMOE_ID_PASS_TOKENS 7     /* the control buffer's capacity in tokens */
#define SMOE_ID_RANGE_COUNT 8     /* ranges of experts, each with its own weights set and dispatch */
#define SMOE_ID_RANGE_EXPERTS 9   /* experts per range; the last range may have fewer */
#define SMOE_ID_WEIGHT_TYPE 10    /* smoe_type */
#define SMOE_ID_ACTIVATION 11     /* smoe_activation */
#define SMOE_ID_GATED 12
#define SMOE_ID_RENORMALIZE 13
#define SMOE_ID_ALIGNED 14        /* 1: D and H are multiples of 4, rows may be read four elements at a time */
#define SMOE_ID_TILE_ROWS 15      /* rows of one expert per tile: what sort cuts the rows into */
#define SMOE_ID_TILE_COLUMNS 16
#define SMOE_ID_TILE_DEPTH 17
#define SMOE_ID_THREAD_ROWS 18    /* outputs per invocation */
#define SMOE_ID_THREAD_COLUMNS 19
#define SMOE_ID_UP_COLUMN_TILES 20   /* ceil(H / tile columns of expert_up): x of its dispatch */
#define SMOE_ID_DOWN_COLUMN_TILES 21 /* ceil(D / tile columns of expert_down) */
#define SMOE_ID_COUNT 22

/* Push constants: one block for every kernel, 56 bytes. Offsets are in elements of the tensor from the start of its binding:
 * the descriptor's offset is rounded down to the device's alignment, and this is the rest. */
#define SMOE_PUSH_FIELDS(UINT, FLOAT)                                                                                        \
    UINT token_count;                                                                                                        \
    UINT flags; /* SMOE_PUSH_* */                                                                                            \
    UINT range; /* expert_up, expert_down: which range of experts */                                                         \
    UINT max_active; /* the cap A of this call */                                                                            \
    UINT w_offset;                                                                                                           \
    UINT b_offset;                                                                                                           \
    UINT w_gate_offset;                                                                                                      \
    UINT b_gate_offset;                                                                                                      \
    FLOAT eps;                                                                                                               \
    FLOAT a;                                                                                                                 \
    FLOAT b;                                                                                                                 \
    FLOAT temperature;                                                                                                       \
    FLOAT tie_tolerance;                                                                                                     \
    FLOAT scale;

#define SMOE_PUSH_BIAS 1      /* binding b holds a bias */
#define SMOE_PUSH_BIAS_GATE 2 /* binding b_gate holds a bias */
#define SMOE_PUSH_REPORT 4    /* write the report */

/* The control buffer, in 32-bit words. T = PASS_TOKENS, R = T * A rows at most.
 * ARGUMENTS: per range, 4 words {x, y, z, first tile} for expert_up, then 4 for expert_down: VkDispatchIndirectCommand and the
 *            range's place in the tile list. A workgroup's tile is first + y index + z index * (groups along y); past the range's
 *            tile count (TILE_COUNTS) it has nothing to do.
 * TILES:     SMOE_TILE_WORDS words per tile: expert, first row, rows (1 .. TILE_ROWS), 0. Sorted by expert.
 * ACTIVE:    [T] active experts, 0 for a non-finite token.       IDS, WEIGHTS: [T,A] in rank order.
 * ROWS:      [T,A] the row of each active expert of a token.     ROW_TOKENS: [R] the token of each row.
 * LOGITS:    [T,E] float32. */
#define SMOE_ARGUMENT_WORDS 8
#define SMOE_TILE_WORDS 4
#define SMOE_MAX_GROUPS_Y 32768 /* below maxComputeWorkGroupCount[1]'s floor of 65535: more tiles than this use z */
#define SMOE_CONTROL_ARGUMENTS(range) (SMOE_ARGUMENT_WORDS * (range))
#define SMOE_CONTROL_TILE_COUNTS(ranges) (SMOE_ARGUMENT_WORDS * (ranges))
#define SMOE_CONTROL_ACTIVE(ranges) ((SMOE_ARGUMENT_WORDS + 1) * (ranges))
#define SMOE_CONTROL_IDS(ranges, T) (SMOE_CONTROL_ACTIVE(ranges) + (T))
#define SMOE_CONTROL_WEIGHTS(ranges, T, A) (SMOE_CONTROL_IDS(ranges, T) + (T) * (A))
#define SMOE_CONTROL_ROWS(ranges, T, A) (SMOE_CONTROL_WEIGHTS(ranges, T, A) + (T) * (A))
#define SMOE_CONTROL_ROW_TOKENS(ranges, T, A) (SMOE_CONTROL_ROWS(ranges, T, A) + (T) * (A))
#define SMOE_CONTROL_LOGITS(ranges, T, A) (SMOE_CONTROL_ROW_TOKENS(ranges, T, A) + (T) * (A))
#define SMOE_CONTROL_TILES(ranges, T, A, E) (SMOE_CONTROL_LOGITS(ranges, T, A) + (T) * (E))
/* Words in all: no tile is empty, so there are no more tiles than rows. */
#define SMOE_CONTROL_WORDS(ranges, T, A, E) (SMOE_CONTROL_TILES(ranges, T, A, E) + SMOE_TILE_WORDS * (T) * (A))

#endif
