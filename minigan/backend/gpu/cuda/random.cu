// Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3;
// constants as in their Random123): block b of a stream is the cipher of the counter b + 1 under
// the stream's key, because numpy.random.Philox counts up before it makes a block.

__device__ inline word high_word(word a, word b)
{
#ifdef __CUDACC__
    return __umul64hi(a, b);
#else
    return (word)((unsigned __int128)a * b >> 64);
#endif
}

// Turns a counter of four words into four random words, in place.
__device__ inline void philox(word *c, word key0, word key1)
{
    const word a = 0xD2E7470EE14C6C93ull, b = 0xCA5A826395121157ull;
    for (int round = 0; round < 10; round++) {
        word high0 = high_word(a, c[0]), low0 = a * c[0];
        word high1 = high_word(b, c[2]), low1 = b * c[2];
        c[0] = high1 ^ c[1] ^ key0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ key1;
        c[3] = low0;
        key0 += 0x9E3779B97F4A7C15ull;
        key1 += 0xBB67AE8584CAA73Bull;
    }
}

__device__ inline void draw_block(word *c, word block, word key0, word key1)
{
    c[0] = block + 1;
    c[1] = c[0] == 0;
    c[2] = c[3] = 0;
    philox(c, key0, key1);
}

#define UNITS (sizeof(REAL) == 4 ? 8 : 4)  // numbers that a block makes

// Number i of a block, in [0, 1): 24 bits of half a word, or 53 bits of a word.
__device__ inline REAL unit(const word *c, int i)
{
    if (sizeof(REAL) == 4)
        return (REAL)((unsigned)(c[i / 2] >> (i % 2 * 32)) >> 8) * (REAL)(1.0 / 16777216.0);
    return (REAL)(c[i] >> 11) * (REAL)(1.0 / 9007199254740992.0);
}

// Rounded product and sum: a fused multiply-add would give other bits than the host gets.
__device__ inline REAL scaled(REAL x, REAL scale, REAL shift)
{
#ifdef __CUDACC__
    return sizeof(REAL) == 4 ? (REAL)__fadd_rn(__fmul_rn((float)x, (float)scale), (float)shift)
                             : (REAL)__dadd_rn(__dmul_rn(x, scale), shift);
#else
    REAL product = x * scale;
    return product + shift;
#endif
}

KERNEL random_words(word key0, word key1, const word *clock, word offset, word *out, int n)
{
    EACH(i, (n + 3) / 4) {
        word c[4];
        draw_block(c, *clock + offset + i, key0, key1);
        for (int j = 0; j < 4 && 4 * i + j < (unsigned)n; j++) out[4 * i + j] = c[j];
    }
}

KERNEL random_uniform(word key0, word key1, const word *clock, word offset, REAL scale, REAL low,
                      REAL most, REAL *out, int n)
{
    EACH(i, (n + UNITS - 1) / UNITS) {
        word c[4];
        draw_block(c, *clock + offset + i, key0, key1);
        for (unsigned j = 0; j < UNITS && UNITS * i + j < (unsigned)n; j++) {
            REAL value = scaled(unit(c, j), scale, low);
            out[UNITS * i + j] = value < most ? value : most;
        }
    }
}

// Box and Muller 1958: pair i is made of numbers i and half + i. In double precision and rounded
// once, whatever REAL is, as on the host.
KERNEL random_normal(word key0, word key1, const word *clock, word offset, REAL mean, REAL std,
                     REAL *out, int n)
{
    const unsigned half = ((unsigned)n + 1) / 2;
    EACH(i, half) {
        word c[4];
        draw_block(c, *clock + offset + i / UNITS, key0, key1);
        REAL first = unit(c, i % UNITS);
        draw_block(c, *clock + offset + (half + i) / UNITS, key0, key1);
        REAL second = unit(c, (half + i) % UNITS);
        double radius = sqrt(-2.0 * log((double)((REAL)1 - first)));
        double angle = (double)((REAL)6.283185307179586 * second);
        out[i] = scaled((REAL)(radius * cos(angle)), std, mean);
        if (half + i < (unsigned)n) out[half + i] = scaled((REAL)(radius * sin(angle)), std, mean);
    }
}
