// One pass over the elements of an array each.

__device__ inline REAL leaky(REAL x, REAL slope)
{
    return x > 0 || x != x ? x : slope == 0 ? (REAL)0 : x * slope;  // also for infinities and NaN
}

KERNEL leaky_relu(const REAL *x, REAL slope, REAL *y, int n)
{
    EACH(i, n) y[i] = leaky(x[i], slope);
}

// gy where x > 0, else slope * gy. With slope 0 that is 0 whatever gy is: infinity times 0 is NaN.
KERNEL gate(const REAL *gy, const REAL *x, REAL slope, REAL *gx, int n)
{
    EACH(i, n) gx[i] = x[i] > 0 ? gy[i] : slope == 0 ? (REAL)0 : gy[i] * slope;
}

// gy where mask is not 0, else 0.
KERNEL keep(const REAL *gy, const REAL *mask, int block, int width, REAL *gx, int n)
{
    EACH(i, n) gx[i] = at(mask, block, width, 0, i) != 0 ? gy[i] : (REAL)0;
}

// y = leaky_relu(x + bias), bias of one number a channel, the last axis.
KERNEL bias_leaky(const REAL *x, const REAL *bias, int channels, REAL slope, REAL *y, int n)
{
    EACH(i, n) y[i] = leaky(x[i] + bias[i % channels], slope);
}

// x * s + t: a normalisation, applied.
KERNEL scale_shift(const REAL *x, const REAL *s, int s_block, int s_width,
                   const REAL *t, int t_block, int t_width, REAL t_number, REAL *y, int n)
{
    EACH(i, n)
        y[i] = x[i] * at(s, s_block, s_width, 0, i) + at(t, t_block, t_width, t_number, i);
}

// a * p + b * q + r: the gradient of a normalisation, applied.
KERNEL mix(const REAL *a, const REAL *p, int p_block, int p_width,
           const REAL *b, const REAL *q, int q_block, int q_width,
           const REAL *r, int r_block, int r_width, REAL r_number, REAL *y, int n)
{
    EACH(i, n)
        y[i] = a[i] * at(p, p_block, p_width, 0, i) + b[i] * at(q, q_block, q_width, 0, i)
               + at(r, r_block, r_width, r_number, i);
}
