// BLIS' own blis.h does not compile with every clang (it wants omp.h); its CBLAS interface does.
#include <cblas.h>
