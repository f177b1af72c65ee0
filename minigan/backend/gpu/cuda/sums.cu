// Sums over axes: of a, of a * b, or of (a - b)^2, for an array seen as (outer, n, inner).
//
// A sum is cut into chunks whose number depends on the sizes alone; a block adds up one chunk, and
// `sum_chunks` adds the chunks in order. So the same array gives the same bits every time.

#define MOST_THREADS 256

enum { PLAIN = 0, PRODUCT = 1, SQUARE_AWAY = 2 };

__device__ inline REAL term(int form, const REAL *a, const REAL *b, int block, int width,
                            unsigned i)
{
    if (form == PLAIN) return a[i];
    REAL other = at(b, block, width, 0, i);
    return form == PRODUCT ? a[i] * other : (a[i] - other) * (a[i] - other);
}

// Sums along the last axis (inner = 1): block (outer, chunk).
KERNEL row_sums(int form, const REAL *a, const REAL *b, int b_block, int b_width, int n, int chunk,
                REAL scale, REAL *sums)
{
    __shared__ REAL shared[MOST_THREADS];
    unsigned begin = blockIdx.y * (unsigned)chunk, end = begin + chunk;
    if (end > (unsigned)n) end = n;
    REAL sum = 0;
    for (unsigned i = begin + threadIdx.x; i < end; i += blockDim.x)
        sum += term(form, a, b, b_block, b_width, blockIdx.x * (unsigned)n + i);
    shared[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) sums[blockIdx.x * gridDim.y + blockIdx.y] = scale * shared[0];
}

// Sums along the middle axis: block (columns / tile, chunk, outer); a block's threads are
// blockDim.x / tile rows of `tile` columns.
KERNEL column_sums(int form, const REAL *a, const REAL *b, int b_block, int b_width, int n,
                   int inner, int chunk, int tile, REAL scale, REAL *sums)
{
    __shared__ REAL shared[MOST_THREADS];
    unsigned column = blockIdx.x * tile + threadIdx.x % tile;
    unsigned row = threadIdx.x / tile, rows = blockDim.x / tile;
    unsigned begin = blockIdx.y * (unsigned)chunk, end = begin + chunk;
    if (end > (unsigned)n) end = n;
    REAL sum = 0;
    if (column < (unsigned)inner)
        for (unsigned i = begin + row; i < end; i += rows)
            sum += term(form, a, b, b_block, b_width,
                        (blockIdx.z * (unsigned)n + i) * inner + column);
    shared[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned half = rows / 2; half; half /= 2) {
        if (row < half) shared[threadIdx.x] += shared[threadIdx.x + half * tile];
        __syncthreads();
    }
    if (row == 0 && column < (unsigned)inner)
        sums[(blockIdx.z * gridDim.y + blockIdx.y) * inner + column] = scale * shared[threadIdx.x];
}

// (outer, chunks, inner) -> (outer, inner); n = outer * inner.
KERNEL sum_chunks(const REAL *sums, int chunks, int inner, REAL scale, REAL *out, int n)
{
    EACH(i, n) {
        const REAL *first = sums + (size_t)(i / inner) * chunks * inner + i % inner;
        REAL sum = 0;
        for (int k = 0; k < chunks; k++) sum += first[(size_t)k * inner];
        out[i] = scale * sum;
    }
}
