// The bands around the discontinuities of top-k routing (arXiv 2606.19036: order, and the l-infinity thickening in the
// scores).
//
// With the scores sorted, s[1] >= ... >= s[E], a point lies on a discontinuity of order n or higher where n + 1 scores
// of successive ranks i .. i+n are equal and the k-th place is among them: i <= k < k + 1 <= i + n. Its width of order
// n is
//     w_n = min over those i of s[i] - s[i+n]:
// n + 1 scores that straddle the k-th place lie within w_n of one another. "In the eps-band of order n" means w_n <=
// eps. To make them equal each score need move by no more than w_n / 2, so where any change of the scores is a change
// of x (rank of the router E) the band is the paper's l-infinity thickening by eps / 2. w_1 is the gap s[k] - s[k+1]:
// the band of order 1 is where the smooth layer runs more than k experts.
//
// Why the share of the band is A eps^n (1 + O(eps)): w_n <= eps asks of n differences of scores, which are n
// independent linear functions of x, to lie in a set of volume proportional to eps^n around 0, and x has a density
// there that is not 0. The next term is the band of order n + 1 inside, and the density's slope.
layout(constant_id = 0) const uint D = 8; // width of x
layout(constant_id = 1) const uint E = 8; // experts
layout(constant_id = 2) const uint K = 2; // experts chosen
const uint ORDERS = 3;
const uint BINS = 32;

// Parameters: router [E, CHUNKS] vec4, a row being D weights, the bias and zeros; then edges [BINS + 1], rising.
const uint CHUNKS = D / 4 + 1;
const uint EDGES = 4 * E * CHUNKS;

shared uint histogram[ORDERS * BINS];

void clear_histogram()
{
    for (uint i = gl_LocalInvocationIndex; i < ORDERS * BINS; i += gl_WorkGroupSize.x)
        histogram[i] = 0;
    barrier();
}

// Counts, for each order, into the bin that w lies in: edges[b] < w <= edges[b + 1]; below the first edge into bin 0
// too.
// x: the input. What is behind its D components must be finite: it meets zeros, and 0 NaN is NaN.
void count_bands(vec4 x[CHUNKS])
{
    x[D / 4][D % 4] = 1; // meets the bias
    float top[K + ORDERS]; // the largest scores, sorted
    for (uint i = 0; i < K + ORDERS; i++)
        top[i] = -3e38;
    [[dont_unroll]] for (uint e = 0; e < E; e++) { // else RADV holds all of the weights in scalar registers, and spills
        float score = 0;
        for (uint c = 0; c < CHUNKS; c++)
            score += dot(parameters[e * CHUNKS + c], x[c]);
        for (uint i = 0; i < K + ORDERS; i++) {
            const float larger = max(top[i], score);
            score = min(top[i], score);
            top[i] = larger;
        }
    }
    const float last = parameter(EDGES + BINS);
    for (uint n = 1; n <= ORDERS; n++) {
        float width = 3e38;
        for (uint i = 1; i <= K; i++)
            if (i + n > K)
                width = min(width, top[i - 1] - top[i + n - 1]);
        if (width > last)
            break; // the widths grow with the order
        uint bin = 0;
        for (uint half_ = BINS / 2; half_ > 0; half_ /= 2)
            if (width > parameter(EDGES + bin + half_))
                bin += half_;
        atomicAdd(histogram[(n - 1) * BINS + bin], 1);
    }
}

// Adds the workgroup's histogram to the batch's: sums of integers, the same in any order.
void add_histogram()
{
    barrier();
    for (uint i = gl_LocalInvocationIndex; i < ORDERS * BINS; i += gl_WorkGroupSize.x)
        if (histogram[i] > 0)
            atomicAdd(counters[i], histogram[i]);
}
