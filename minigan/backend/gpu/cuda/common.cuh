// What all kernels share. REAL is float or double: the sources are compiled once for each.
//
// Kernels use no header, no warp intrinsics and no atomics: the same text is compiled by NVRTC for
// a GPU and, in the tests, by a C++ compiler for the processor; and no result depends on timing.

typedef unsigned long long word;

#define KERNEL extern "C" __global__ void

// Every i from 0 to n - 1, shared out among all threads of the grid; n is below 2^31.
#define EACH(i, n) \
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)(n); \
         i += gridDim.x * blockDim.x)

// An operand that broadcasts: of (A, 1, B) within (A, M, B) with block = M * B and width = B.
// A null pointer stands for the number `otherwise`.
__device__ inline REAL at(const REAL *p, unsigned block, unsigned width, REAL otherwise, unsigned i)
{
    return p ? p[i / block * width + i % width] : otherwise;
}
