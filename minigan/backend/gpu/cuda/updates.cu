// Optimizers over one flat buffer. A number that changes from step to step is read from memory: in
// a captured step it has to be what it is now, not what it was when the step was captured.
// The number of the step is *clock + offset.

KERNEL sgd(REAL *p, const REAL *g, REAL *m, const double *lr, REAL momentum, int n)
{
    REAL rate = *lr;
    EACH(i, n) {
        m[i] = m[i] * momentum + g[i];
        p[i] -= rate * m[i];
    }
}

KERNEL rmsprop(REAL *p, const REAL *g, REAL *v, const double *lr, REAL keep, REAL share, REAL eps,
               int n)
{
    REAL rate = *lr;
    EACH(i, n) {
        v[i] = v[i] * keep + share * g[i] * g[i];
        p[i] -= rate * g[i] / (sqrt(v[i]) + eps);
    }
}

// rates: {the step's rate, its eps}; they hold Adam's corrections, and the factors 1 - beta, which
// are left out of m and v. One thread.
KERNEL adam_rates(const word *clock, word offset, const double *lr, double beta1, double beta2,
                  double eps, double *rates, int n)
{
    EACH(i, n) {
        double t = (double)(*clock + offset), root = sqrt((1 - pow(beta2, t)) / (1 - beta2));
        rates[0] = *lr * root * (1 - beta1) / (1 - pow(beta1, t));
        rates[1] = eps * root;
    }
}

KERNEL adam(REAL *p, const REAL *g, REAL *m, REAL *v, const double *rates, REAL keep1, REAL keep2,
            int n)
{
    REAL rate = rates[0], eps = rates[1];
    EACH(i, n) {
        m[i] = m[i] * keep1 + g[i];
        v[i] = v[i] * keep2 + g[i] * g[i];
        p[i] -= rate * (m[i] / (sqrt(v[i]) + eps));
    }
}

// average <- average + share * (value - average), share = 1 - min(decay, (1 + t) / (10 + t)).
KERNEL ema(REAL *average, const REAL *value, const word *clock, word offset, double decay, int n)
{
    double t = (double)(*clock + offset), early = (1 + t) / (10 + t);
    REAL share = 1 - (early < decay ? early : decay);
    EACH(i, n) average[i] += share * (value[i] - average[i]);
}

// The end of every captured step: what it counted is added to the device's counters.
KERNEL advance(word *clocks, const word *counted, int n)
{
    EACH(i, n) clocks[i] += counted[i];
}
