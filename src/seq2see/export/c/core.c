//// memory
#ifndef SEQ2SEE_MALLOC
#define SEQ2SEE_MALLOC malloc
#define SEQ2SEE_FREE free
#endif

#define MAX_BEAM 64
#define MAX_BYTES ((size_t)1 << 20)
enum { PAD, UNK, BOS, EOS, SPECIALS };
enum { ONCE, EACH_STEP, KEPT, ARENAS };

/* Memory that is freed together. */
typedef struct Block {
  struct Block *next;
  double aligned;
} Block;

/* Memory that the values of a program lie in, one after the other. */
typedef struct {
  unsigned char *memory;
  size_t size;
} Arena;

/* What one call needs: its memory, and where to go on after an error. */
typedef struct {
  Block *blocks;
  Arena arenas[ARENAS];
  unsigned char *next;
  size_t left;
  jmp_buf escape;
  int error;
} Work;

//// fail
static void fail(Work *work, int error)
{
  work->error = error;
  longjmp(work->escape, 1);
}

//// blocks
static void free_blocks(Block *block)
{
  while (block) {
    Block *const next = block->next;
    SEQ2SEE_FREE(block);
    block = next;
  }
}

static void end_work(Work *work)
{
  free_blocks(work->blocks);
  for (size_t i = 0; i < ARENAS; i++) SEQ2SEE_FREE(work->arenas[i].memory);
}

/* Memory until the end of the call. */
static void *new_block(Work *work, size_t number, size_t width)
{
  if (number > (SIZE_MAX / 2 - sizeof(Block)) / width) fail(work, SEQ2SEE_NO_MEMORY);
  Block *const block = SEQ2SEE_MALLOC(sizeof(Block) + number * width);
  if (!block) fail(work, SEQ2SEE_NO_MEMORY);
  block->next = work->blocks;
  work->blocks = block;
  return block + 1;
}

/* Begin to use an arena anew, for values of this many bytes. */
static void begin(Work *work, int number, double bytes)
{
  Arena *const arena = &work->arenas[number];
  if (!(bytes < (double)(SIZE_MAX / 4))) fail(work, SEQ2SEE_NO_MEMORY);
  if (!arena->memory || bytes > (double)arena->size) {
    const size_t size = (size_t)bytes + (size_t)bytes / 2 + 64;
    SEQ2SEE_FREE(arena->memory);
    arena->size = 0;
    arena->memory = SEQ2SEE_MALLOC(size);
    if (!arena->memory) fail(work, SEQ2SEE_NO_MEMORY);
    arena->size = size;
  }
  work->next = arena->memory;
  work->left = arena->size;
}

/* The next bytes of that arena. */
static void *take(Work *work, size_t bytes)
{
  unsigned char *const found = work->next;
  const size_t whole = (bytes + 63) / 64 * 64;
  if (bytes > work->left) fail(work, SEQ2SEE_NO_MEMORY);
  work->next += whole < work->left ? whole : work->left;
  work->left -= whole < work->left ? whole : work->left;
  return found;
}

//// release
/* The same in memory of its own. */
static const void *copied(Work *work, const void *from, size_t bytes)
{
  return memcpy(new_block(work, bytes, 1), from, bytes);
}

/* Free the blocks from `before` on, and the arena in which they were used. */
static void release(Work *work, Block *before)
{
  Block **end = &work->blocks;
  while (*end != before) end = &(*end)->next;
  *end = NULL;
  free_blocks(before);
  SEQ2SEE_FREE(work->arenas[ONCE].memory);
  memset(&work->arenas[ONCE], 0, sizeof(Arena));
}

//// rows
/* Rows along an axis, in another order. */
static void copy_rows(unsigned char *to, const void *from, const int32_t *rows, size_t kept, size_t K, size_t outer,
                      size_t bytes)
{
  for (size_t o = 0; o < outer; o++)
    for (size_t k = 0; k < kept; k++)
      memcpy(to + (o * kept + k) * bytes, (const unsigned char *)from + (o * K + (size_t)rows[k]) * bytes, bytes);
}

//// int8
/* Numbers stored as steps of -127 to 127, with the size of a step for each row. */
static const float *from_int8(Work *work, const signed char *steps, const float *scales, size_t rows, size_t width)
{
  float *const found = new_block(work, rows * width, sizeof(float));
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < width; j++) found[i * width + j] = (float)steps[i * width + j] * scales[i];
  return found;
}

//// float16
/* Numbers stored with 16 bits. */
static const float *from_float16(Work *work, const uint16_t *halves, size_t number)
{
  float *const found = new_block(work, number, sizeof(float));
  for (size_t i = 0; i < number; i++) {
    const int exponent = halves[i] >> 10 & 31, fraction = halves[i] & 1023;
    const float size = exponent ? ldexpf((float)(1024 + fraction), exponent - 25) : ldexpf((float)fraction, -24);
    found[i] = halves[i] >> 15 ? -size : size;
  }
  return found;
}

//// gather
/* An index into a table, which must be one. */
static size_t row_of(Work *work, int32_t row, size_t rows)
{
  if (row < 0 || (size_t)row >= rows) fail(work, SEQ2SEE_BAD_MODEL);
  return (size_t)row;
}

//// exp
/* e to the power of x: 2 to a whole power times a Taylor series. Loops of it become vector instructions. */
static float op_exp(float x)
{
  const float in_range = x > 88.0f ? 88.0f : x >= -87.0f ? x : -87.0f; /* which no NaN is */
  const float scaled = in_range * 1.44269504f;
  const int32_t power = (int32_t)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
  const float r = in_range - (float)power * 0.693145752f - (float)power * 1.42860677e-6f;
  const float series = 1.0f + r * (1.0f + r * (1.0f / 2 + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r / 720)))));
  union {
    int32_t bits;
    float value;
  } scale;
  scale.bits = (power + 127) * (1 << 23);
  return x < -87.0f ? 0.0f : series * scale.value;
}

//// tanh
/* The hyperbolic tangent; a series near 0, where the quotient would lose digits. */
static float op_tanh(float x)
{
  const float square = x * x;
  const float e = op_exp(x > 9.0f ? 18.0f : x < -9.0f ? -18.0f : 2.0f * x);
  const float far = (e - 1.0f) / (e + 1.0f);
  const float near = x - x * square * (1.0f / 3 - square * (2.0f / 15 - square * (17.0f / 315)));
  return square < 0.03f ? near : far;
}

//// matmul
/* y [N M] = a [N I] times b [I M]; `a_row` and `b_row` are from one row to the next. Four rows of b at a time. */
static void op_matmul(float *y, const float *a, size_t a_row, const float *b, size_t b_row, size_t N, size_t I, size_t M)
{
  const size_t fours = I - I % 4;
  for (size_t n = 0; n < N * M; n++) y[n] = 0.0f;
  for (size_t i = 0; i < fours; i += 4) {
    const float *const b0 = b + i * b_row, *const b1 = b0 + b_row, *const b2 = b1 + b_row, *const b3 = b2 + b_row;
    for (size_t n = 0; n < N; n++) {
      const float *const x = a + n * a_row + i;
      const float x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
      float *const to = y + n * M;
      for (size_t m = 0; m < M; m++) to[m] += (x0 * b0[m] + x1 * b1[m]) + (x2 * b2[m] + x3 * b3[m]);
    }
  }
  for (size_t i = fours; i < I; i++)
    for (size_t n = 0; n < N; n++)
      for (size_t m = 0; m < M; m++) y[n * M + m] += a[n * a_row + i] * b[i * b_row + m];
}

//// matmul_columns
/* The same with the columns of b in memory one after the other: `b_column` is from one to the next. */
static void op_matmul_columns(float *y, const float *a, size_t a_row, const float *b, size_t b_column, size_t N, size_t I,
                              size_t M)
{
  for (size_t n = 0; n < N; n++)
    for (size_t m = 0; m < M; m++) {
      const float *const one = a + n * a_row, *const other = b + m * b_column;
      const size_t whole = I - I % 16;
      float sums[16] = {0};
      for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) sums[j] += one[i + j] * other[i + j];
      float sum = 0.0f;
      for (size_t i = whole; i < I; i++) sum += one[i] * other[i];
      for (size_t j = 0; j < 16; j++) sum += sums[j];
      y[n * M + m] = sum;
    }
}

//// panels
/* A matrix [I M] in panels: PANEL of its columns, row by row, then the next ones, the last filled up with 0. So products
   read it in the order of memory, while the sums of up to five rows stay in registers. A Vector is as wide as a register,
   and one number for compilers without the extension for vectors of gcc and clang. */
#if defined(__GNUC__) && defined(__AVX512F__)
typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));
#elif defined(__GNUC__) && defined(__AVX__)
typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));
#elif defined(__GNUC__)
typedef float Vector __attribute__((vector_size(16), aligned(4), may_alias));
#else
typedef float Vector;
#endif

enum {
  MOST_ROWS = 5,
  LANES = sizeof(Vector) / sizeof(float),
  VECTORS = PANEL / LANES,
  VECTORS_OF_2_ROWS = LANES > 1 && VECTORS > 4 ? 4 : VECTORS, /* at once, so that their sums fit into registers */
  VECTORS_OF_MORE = LANES > 1 && VECTORS > 2 ? 2 : VECTORS
};

/* Add the product of ROWS rows of a with a panel to y, AT_ONCE vectors at a time; y has `width` of the panel's columns. */
#define TILE(NAME, ROWS, AT_ONCE) \
  static void NAME(float *y, size_t M, size_t width, const float *a, size_t a_row, const float *b, size_t I) \
  { \
    for (size_t begin = 0; begin < width; begin += AT_ONCE * LANES) { \
      const size_t count = width - begin < AT_ONCE * LANES ? width - begin : AT_ONCE * LANES; \
      Vector sums[ROWS][AT_ONCE]; \
      float numbers[ROWS][AT_ONCE * LANES]; \
      for (size_t n = 0; n < ROWS; n++) \
        for (size_t v = 0; v < AT_ONCE; v++) sums[n][v] = (Vector){0.0f}; \
      for (size_t i = 0; i < I; i++) { \
        const Vector *const row = (const Vector *)(b + i * PANEL + begin); \
        for (size_t n = 0; n < ROWS; n++) \
          for (size_t v = 0; v < AT_ONCE; v++) sums[n][v] += a[n * a_row + i] * row[v]; \
      } \
      for (size_t n = 0; n < ROWS; n++) \
        for (size_t v = 0; v < AT_ONCE; v++) *(Vector *)(numbers[n] + v * LANES) = sums[n][v]; \
      for (size_t n = 0; n < ROWS; n++) \
        for (size_t m = 0; m < count; m++) y[n * M + begin + m] += numbers[n][m]; \
    } \
  }

TILE(add_1_row, 1, VECTORS)
TILE(add_2_rows, 2, VECTORS_OF_2_ROWS)
TILE(add_3_rows, 3, VECTORS_OF_MORE)
TILE(add_4_rows, 4, VECTORS_OF_MORE)
TILE(add_5_rows, 5, VECTORS_OF_MORE)

static void add_product(float *y, size_t M, size_t width, const float *a, size_t a_row, const float *b, size_t N, size_t I)
{
  static void (*const tiles[])(float *, size_t, size_t, const float *, size_t, const float *, size_t) = {
      add_1_row, add_2_rows, add_3_rows, add_4_rows, add_5_rows};
  for (size_t n = 0, rows; n < N; n += rows) {
    const size_t parts = (N - n + MOST_ROWS - 1) / MOST_ROWS;
    rows = (N - n + parts - 1) / parts;
    tiles[rows - 1](y + n * M, M, width, a + n * a_row, a_row, b, I);
  }
}

//// in_panels
/* A matrix in panels, from the first address that suits a Vector; what new_block gives suits a float. */
static const float *in_panels(Work *work, const float *b, size_t I, size_t M)
{
  float *found = new_block(work, (M + PANEL - 1) / PANEL * I * PANEL + LANES, sizeof(float));
  while ((uintptr_t)found % sizeof(Vector)) found++;
  float *to = found;
  for (size_t begin = 0; begin < M; begin += PANEL)
    for (size_t i = 0; i < I; i++)
      for (size_t m = begin; m < begin + PANEL; m++) *to++ = m < M ? b[i * M + m] : 0.0f;
  return found;
}

//// matmul_panels
/* y [N M] = a [N I] times b [I M] in panels; `a_row` is from one row to the next. */
static void op_matmul_panels(float *y, const float *a, size_t a_row, const float *b, size_t N, size_t I, size_t M)
{
  for (size_t n = 0; n < N * M; n++) y[n] = 0.0f;
  for (size_t m = 0; m < M; m += PANEL)
    add_product(y + m, M, M - m < PANEL ? M - m : PANEL, a, a_row, b + m * I, N, I);
}

//// matmul_int8
/* The same with whole numbers in panels, times a scale for each column. They become float in pieces, once for all rows. */
static void op_matmul_int8(float *y, const float *a, size_t a_row, const signed char *b, const float *scales, size_t N,
                           size_t I, size_t M)
{
  enum { PIECE = 64 };
  float piece[PIECE * PANEL];
  for (size_t n = 0; n < N * M; n++) y[n] = 0.0f;
  for (size_t m = 0; m < M; m += PANEL)
    for (size_t begin = 0; begin < I; begin += PIECE) {
      const size_t count = I - begin < PIECE ? I - begin : PIECE;
      const signed char *const from = b + m * I + begin * PANEL;
      for (size_t i = 0; i < count * PANEL; i++) piece[i] = (float)from[i];
      add_product(y + m, M, M - m < PANEL ? M - m : PANEL, a + begin, a_row, piece, N, count);
    }
  for (size_t n = 0; n < N; n++)
    for (size_t m = 0; m < M; m++) y[n * M + m] *= scales[m];
}

//// product
/* The product of a recurrent layer with its hidden state, one row; there are no scales. */
static void op_product(float *y, const float *a, const void *b, const float *scales, size_t I, size_t M)
{
  (void)scales;
  op_matmul(y, a, I, b, M, 1, I, M);
}

//// product_panels
/* The product of a recurrent layer with its hidden state, one row; there are no scales. */
static void op_product(float *y, const float *a, const void *b, const float *scales, size_t I, size_t M)
{
  (void)scales;
  op_matmul_panels(y, a, I, b, 1, I, M);
}

//// product_int8
/* The product of a recurrent layer with its hidden state, one row; with scales, b is int8. */
static void op_product(float *y, const float *a, const void *b, const float *scales, size_t I, size_t M)
{
  if (scales)
    op_matmul_int8(y, a, I, b, scales, 1, I, M);
  else
    op_matmul_panels(y, a, I, b, 1, I, M);
}

//// lstm
/* An LSTM over a sequence, from the inputs' share of its gates [padded 4H]: h at each position, then the last h and c. */
static void op_lstm(float *y, const float *gates, size_t length, size_t padded, const void *hidden, const float *scales,
                    size_t H, int reverse, float *sums)
{
  float *const h = y + padded * H, *const c = h + H;
  for (size_t n = 0; n < (padded + 2) * H; n++) y[n] = 0.0f;
  for (size_t step = 0; step < length && step < padded; step++) {
    const size_t place = reverse ? length - 1 - step : step;
    const float *const share = gates + place * 4 * H;
    op_product(sums, h, hidden, scales, H, 4 * H);
    for (size_t n = 0; n < 4 * H; n++) sums[n] = op_tanh(sums[n] + share[n]);
    for (size_t n = 0; n < H; n++)
      c[n] = (0.5f + 0.5f * sums[n]) * sums[3 * H + n] + (0.5f + 0.5f * sums[H + n]) * c[n];
    for (size_t n = 0; n < H; n++) h[n] = (0.5f + 0.5f * sums[2 * H + n]) * op_tanh(c[n]);
    memcpy(y + place * H, h, H * sizeof(float));
  }
}

//// gru
/* A GRU over a sequence: h at each position, then the last h. */
static void op_gru(float *y, const float *gates, size_t length, size_t padded, const void *hidden, const float *scales,
                   size_t H, int reverse, float *sums)
{
  float *const h = y + padded * H;
  for (size_t n = 0; n < (padded + 1) * H; n++) y[n] = 0.0f;
  for (size_t step = 0; step < length && step < padded; step++) {
    const size_t place = reverse ? length - 1 - step : step;
    const float *const share = gates + place * 4 * H;
    op_product(sums, h, hidden, scales, H, 4 * H);
    for (size_t n = 0; n < 4 * H; n++) sums[n] += share[n];
    for (size_t n = 0; n < 2 * H; n++) sums[n] = 0.5f + 0.5f * op_tanh(sums[n]);
    for (size_t n = 0; n < H; n++) sums[n] = op_tanh(sums[3 * H + n] + sums[n] * sums[2 * H + n]);
    for (size_t n = 0; n < H; n++) h[n] = sums[n] + sums[H + n] * (h[n] - sums[n]);
    memcpy(y + place * H, h, H * sizeof(float));
  }
}

