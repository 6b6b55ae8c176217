//// wasm system
/* What the code needs of a C library, for WebAssembly, which has none. Only what it calls: logarithms of positive numbers,
   powers of numbers from 1 on, angles below a million. */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define INFINITY __builtin_inff()
#define EXPORTED(name) __attribute__((export_name(#name))) wasm_##name
#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define memmove __builtin_memmove
#define sqrtf __builtin_sqrtf

/* An error ends the call by a trap, after which the host makes a new instance: nothing is left to be cleaned. */
typedef int jmp_buf[1];
#define setjmp(place) 0

static int last_error;
int EXPORTED(error)(void) { return last_error; }

/* Memory is taken in order, and freed all at once: by `room`. */
extern unsigned char __heap_base[];
static size_t heap_next, heap_kept;

static void *malloc(size_t size)
{
  const size_t page = 65536, start = heap_next ? heap_next : ((size_t)__heap_base + 15) / 16 * 16;
  if (size > SIZE_MAX - 16 - start) return NULL;
  const size_t end = start + (size + 15) / 16 * 16, all = __builtin_wasm_memory_size(0) * page;
  if (end > all && __builtin_wasm_memory_grow(0, (end - all + page - 1) / page) == SIZE_MAX) return NULL;
  heap_next = end;
  return (void *)start;
}

static void free(void *at) { (void)at; }

static size_t strlen(const char *text)
{
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

static int memcmp(const void *one, const void *other, size_t number)
{
  const unsigned char *const a = one, *const b = other;
  for (size_t i = 0; i < number; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

typedef union {
  double value;
  int64_t bits;
} Double;

/* 2 to a whole power from -1022 to 1023. */
static double power_of_two(int power)
{
  Double found;
  found.bits = (int64_t)(power + 1023) << 52;
  return found.value;
}

static float ldexpf(float x, int power) { return (float)((double)x * power_of_two(power)); }

/* The exponent, and 2 atanh((m - 1) / (m + 1)) of the mantissa, between the roots of 1/2 and 2. */
static double log_of(double x)
{
  Double own = {x};
  if (!(x > 0.0)) return x == 0.0 ? -(double)INFINITY : x - x / 0.0;
  if (x > 1.7976931348623157e308) return x;
  int power = (int)(own.bits >> 52) - 1023;
  own.bits = (own.bits & 0xfffffffffffff) | (int64_t)1023 << 52;
  if (own.value > 1.4142135623730951) {
    own.value *= 0.5;
    power++;
  }
  const double s = (own.value - 1.0) / (own.value + 1.0), square = s * s;
  double series = 0.0;
  for (int n = 21; n > 0; n -= 2) series = series * square + 1.0 / n;
  return power * 0.6931471805599453 + 2.0 * s * series;
}

static float logf(float x) { return (float)log_of((double)x); }

static double pow(double x, double y)
{
  const double exponent = y * log_of(x);
  if (exponent > 709.0) return (double)INFINITY;
  if (exponent < -700.0) return 0.0;
  const double scaled = exponent * 1.4426950408889634;
  const int power = (int)(scaled + (scaled < 0.0 ? -0.5 : 0.5));
  const double r = (exponent - power * 0.693147180369123816490) - power * 1.90821492927058770002e-10;
  double series = 1.0;
  for (int n = 16; n > 0; n--) series = 1.0 + r * series / n;
  return series * power_of_two(power);
}

/* sin(x + quarters * pi / 2). */
static float sine_of(double x, int quarters)
{
  const double turned = x * 0.63661977236758134;
  const int whole = (int)(turned + (turned < 0.0 ? -0.5 : 0.5));
  const double r = (x - whole * 1.57079632673412561417) - whole * 6.07710050650619224932e-11;
  const int place = (whole + quarters) & 3;
  double series = 1.0;
  for (int n = place & 1 ? 16 : 17; n > 1; n -= 2) series = 1.0 - r * r * series / (n * (n - 1));
  const double found = place & 1 ? series : r * series;
  return (float)(place & 2 ? -found : found);
}

static float sinf(float x) { return sine_of((double)x, 0); }
static float cosf(float x) { return sine_of((double)x, 1); }

//// wasm fail
static _Noreturn void fail(Work *work, int error)
{
  (void)work;
  last_error = error;
  __builtin_trap();
}

//// wasm release
/* Nothing would become free. */
static const void *copied(Work *work, const void *from, size_t bytes)
{
  (void)work;
  (void)bytes;
  return from;
}

static void release(Work *work, Block *before)
{
  (void)work;
  (void)before;
}

//// wasm weights
/* The bytes of the file WEIGHTS_FILE. As an array in the source they would take the compiler minutes and gigabytes. */
__asm__(".section .rodata.file_of_weights,\"\",@\n"
        "  .globl file_of_weights\n"
        "  .p2align 4\n"
        "file_of_weights:\n"
        "  .incbin \"" WEIGHTS_FILE "\"\n"
        "  .size file_of_weights, " WEIGHTS_SIZE "\n"
        "  .type file_of_weights,@object\n"
        "  .text\n");
extern const unsigned char file_of_weights[];

static const unsigned char *weights_of(Work *work, const char *path)
{
  if (path) fail(work, SEQ2SEE_BAD_OPTION);
  return file_of_weights;
}

//// wasm api
/* The model, ready to answer. */
int EXPORTED(start)(void)
{
  const int refused = seq2see_init(NULL);
  heap_kept = heap_next;
  return refused;
}

/* Room for a text; what the call before took is free again. */
char *EXPORTED(room)(size_t bytes)
{
  heap_next = heap_kept;
  return malloc(bytes);
}

/* Answers as in seq2see_answers, until the next `room`. */
const seq2see_answers *EXPORTED(predict)(const char *text, int beam, int n_best, double length_penalty, int min_length,
                                         int max_length)
{
  const seq2see_options options = {beam, n_best, length_penalty, min_length, max_length};
  seq2see_answers *answers;
  last_error = seq2see_predict(ready, text, &options, &answers);
  return answers;
}

const char *EXPORTED(source_token)(int32_t id) { return seq2see_source_token(id); }
const char *EXPORTED(target_token)(int32_t id) { return seq2see_token(id); }
