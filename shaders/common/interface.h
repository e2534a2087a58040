/* What C and the shaders must agree on: bindings, constant ids, push constants, the control buffer's layout.
 * Included by GLSL and by C; the report's layout is public and stands in include/smoe/report.h.
 *
 * Every kernel uses one pipeline layout:
 *   set 0, io:      0 input, 1 control, 2 output    (storage buffers, set by the binding and the stage)
 *   set 1, weights: 0 w, 1 b, 2 w_gate, 3 b_gate     (storage buffers, set by the layer; one set per range of experts)
 *
 *   stage           input              control          output
 *   route_project   x [T,D]            projected out    -
 *   route_logits    x [T,D]            projected in, logits out   -
 *     its shared gate  x [T,D]         shared gate out, the part alone   -
 *   route_group     -                  logits in, groups out   -
 *   route_select    -                  logits and groups in, routing out   report, if flags say so
 *   totals          -                  routing in       totals
 *   sort            -                  routing in, tiles and arguments out   -
 *   expert_up       x [T,D]            tiles in         hidden [rows,H], or the shared expert's part [T,S]
 *   expert_down     hidden, or that    tiles in         expert rows [rows,D], or the shared expert's part [T,D]
 *   combine         expert rows, both  routing in       y [T,D]
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
#define SMOE_ID_THREAD_ROWS 18    /* outputs per invocation; with cooperative matrices per subgroup */
#define SMOE_ID_THREAD_COLUMNS 19
#define SMOE_ID_UP_COLUMN_TILES 20   /* ceil(H / tile columns of expert_up): x of its dispatch */
#define SMOE_ID_DOWN_COLUMN_TILES 21 /* ceil(D / tile columns of expert_down) */
#define SMOE_ID_PROJECTION_WIDTH 22  /* p; 0: linear router */
#define SMOE_ID_GATE 23              /* smoe_gate */
#define SMOE_ID_GROUP_COUNT 24       /* 0: no groups */
#define SMOE_ID_TOP_GROUPS 25
#define SMOE_ID_SHARED_HIDDEN 26     /* S; 0: no shared expert */
#define SMOE_ID_SHARED_GATE 27       /* 1: its weight is a sigmoid */
#define SMOE_ID_PART 28              /* SMOE_PART_*: what a matrix multiplication computes */
#define SMOE_ID_MATRIX_ROWS 29       /* of the device's matrix multiplication: M, N and K of a cooperative matrix's shape */
#define SMOE_ID_MATRIX_COLUMNS 30
#define SMOE_ID_MATRIX_DEPTH 31
#define SMOE_ID_SHARED_SIZE 32       /* uvec4s of shared memory, of the kernels with cooperative matrices */
#define SMOE_ID_COUNT 33

/* Parts of a stage with a pipeline of their own. The first is the stage itself: logits for route_logits, the routed experts for
 * expert_up and expert_down. */
#define SMOE_PART_MAIN 0
#define SMOE_PART_PROJECTION 1  /* route_logits' kernels: v = P x + c */
#define SMOE_PART_SHARED_GATE 2 /* route_logits' kernels: <x, shared_gate> */
#define SMOE_PART_SHARED 3      /* expert_up, expert_down: the shared expert, over every token */

/* Push constants: one block for every kernel, 60 bytes. Offsets are in elements of the tensor from the start of its binding:
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
    FLOAT scale;                                                                                                             \
    FLOAT group_eps;

#define SMOE_PUSH_BIAS 1      /* binding b holds a bias */
#define SMOE_PUSH_BIAS_GATE 2 /* binding b_gate holds a bias */
#define SMOE_PUSH_REPORT 4    /* write the report */
#define SMOE_PUSH_TOTALS 8    /* leave notes for the totals */
#define SMOE_PUSH_SCORES 16   /* leave the scores where the logits were */

/* The control buffer, in 32-bit words. T = PASS_TOKENS, R = T * A rows at most.
 * ARGUMENTS: per range, 4 words {x, y, z, first tile} for expert_up, then 4 for expert_down: VkDispatchIndirectCommand and the
 *            range's place in the tile list. A workgroup's tile is first + y index + z index * (groups along y); past the range's
 *            tile count (TILE_COUNTS) it has nothing to do.
 * TILES:     SMOE_TILE_WORDS words per tile: expert, first row, rows (1 .. TILE_ROWS), 0. Sorted by expert.
 * ACTIVE:    [T] active experts, 0 for a non-finite token.       IDS, WEIGHTS: [T,A] in rank order.
 * ROWS:      [T,A] the row of each active expert of a token.     ROW_TOKENS: [R] the token of each row.
 * LOGITS:    [T,E] float32.
 * NOTES:     [T,2] gap (float32); order in bits 0..15, SMOE_REPORT_FLAG_* from bit 16. Written for totals only.
 * PROJECTED: [T,p] float32.
 * GROUPS:    [T,G+2]: of each group what it takes from its experts' scores (float32; SMOE_GROUP_OUT: they may not be chosen); the group
 *            gap (float32); how many groups take part, 0 for a token with a group score that is not finite. G = 0: nothing.
 * SHARED_GATE: [T] float32 logits of the shared expert's gate. A part of its own (SMOE_PART_BEGIN). */
/* Dispatches that nothing orders write parts of one buffer. Each sees its own part alone, so that no driver and no validation layer takes
 * them for dependent: it begins at a multiple of 256 bytes, the most that minStorageBufferOffsetAlignment may be. */
#define SMOE_PART_BEGIN(words) (((words) + 63) / 64 * 64)

#define SMOE_GROUP_OUT -1.0
#define SMOE_GROUP_WORDS(G) ((G) > 0 ? (G) + 2 : 0)
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
/* No tile is empty, so there are no more tiles than rows. */
#define SMOE_CONTROL_NOTES(ranges, T, A, E) (SMOE_CONTROL_TILES(ranges, T, A, E) + SMOE_TILE_WORDS * (T) * (A))
#define SMOE_CONTROL_PROJECTED(ranges, T, A, E) (SMOE_CONTROL_NOTES(ranges, T, A, E) + 2 * (T))
#define SMOE_CONTROL_GROUPS(ranges, T, A, E, p) (SMOE_CONTROL_PROJECTED(ranges, T, A, E) + (T) * (p))
#define SMOE_CONTROL_SHARED_GATE(ranges, T, A, E, p, G) \
    SMOE_PART_BEGIN(SMOE_CONTROL_GROUPS(ranges, T, A, E, p) + (T) * SMOE_GROUP_WORDS(G))
/* Words in all. */
#define SMOE_CONTROL_WORDS(ranges, T, A, E, p, G) (SMOE_CONTROL_SHARED_GATE(ranges, T, A, E, p, G) + (T))

/* Elements before the shared expert's part of hidden and of the expert rows: R rows of the routed experts. */
#define SMOE_SHARED_START(R, width) SMOE_PART_BEGIN((R) * (width))

#endif
