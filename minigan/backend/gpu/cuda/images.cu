// Patches of images (N, H, W, C), their adjoint, and batches of a data set on the device.

// Rows of receptive fields: (N, H, W, C) -> (N * OH * OW, KH * KW * C); n elements in all.
KERNEL patches(const REAL *x, REAL *rows, int h, int w, int c, int oh, int ow, int kh, int kw,
               int sh, int sw, int dh, int dw, int top, int left, int n)
{
    EACH(i, n) {
        unsigned rest = i;
        int channel = rest % c; rest /= c;
        int l = rest % kw; rest /= kw;
        int k = rest % kh; rest /= kh;
        int col = (int)(rest % ow) * sw + l * dw - left; rest /= ow;
        int row = (int)(rest % oh) * sh + k * dh - top; rest /= oh;
        bool inside = 0 <= row && row < h && 0 <= col && col < w;
        rows[i] = inside ? x[((rest * h + row) * w + col) * c + channel] : (REAL)0;
    }
}

// The adjoint: each pixel adds up its values in all the fields that contain it. So no two threads
// write to one place, and the order of the sum is fixed (k, then l, as in the plain form).
KERNEL fold(const REAL *rows, REAL *x, int h, int w, int c, int oh, int ow, int kh, int kw,
            int sh, int sw, int dh, int dw, int top, int left, int n)
{
    EACH(i, n) {
        unsigned rest = i;
        int channel = rest % c; rest /= c;
        int col = (int)(rest % w) + left; rest /= w;
        int row = (int)(rest % h) + top; rest /= h;
        REAL sum = 0;
        for (int k = 0; k < kh; k++) {
            int a = row - k * dh;
            if (a < 0 || a % sh || a / sh >= oh) continue;
            for (int l = 0; l < kw; l++) {
                int b = col - l * dw;
                if (b < 0 || b % sw || b / sw >= ow) continue;
                sum += rows[((((rest * oh + a / sh) * ow + b / sw) * kh + k) * kw + l) * c
                            + channel];
            }
        }
        x[i] = sum;
    }
}

// Zeros of (K, D) with the rows of values (count, D) added at ids: the adjoint of picking rows.
// Each element looks through all ids in order: right for labels, which are few.
KERNEL scatter_rows(const REAL *values, const long long *ids, int count, int rows, int d, REAL *out,
                    int n)
{
    EACH(i, n) {
        REAL sum = 0;
        for (int j = 0; j < count; j++)
            if (ids[j] == i / d || ids[j] + rows == i / d) sum += values[j * d + i % d];
        out[i] = sum;
    }
}

// Images number order[position], order[position + 1], ... as floats in [-1, 1].
KERNEL batch_images(const unsigned char *images, const long long *order, const word *clock,
                    word offset, int pixels, float *x, int n)
{
    EACH(i, n) {
        long long image = order[*clock + offset + i / pixels];
        x[i] = images[image * pixels + i % pixels] / 127.5f - 1.0f;
    }
}

KERNEL batch_labels(const long long *labels, const long long *order, const word *clock, word offset,
                    long long *y, int n)
{
    EACH(i, n) y[i] = labels[order[*clock + offset + i]];
}
